//! `multipart/form-data`: texts, files, their limits, and forms that are none.

use bunbase::{
    prelude::*,
    testing::{TestApp, TestRequest},
};
use serde_json::{Value, json};

use super::mistakes;

bunbase::module!(prefix = "/t/forms");

/// What came.
#[schema]
struct Got {
    title: String,
    count: Option<u8>,
    tags: Vec<String>,
    file: String,
    size: u64,
    kind: String,
    name: Option<String>,
    spilled: bool,
    extra: Option<u64>,
}

/// One file, and what goes with it.
#[action(post = "/one")]
async fn one_file(
    #[validate(length(min = 1))] title: String,
    count: Option<u8>,
    #[default] tags: Vec<String>,
    #[file(max_size = "2KB", content_types = ["text/*", "image/png"])] avatar: Upload,
    #[file] extra: Option<Upload>,
) -> Result<Got> {
    Ok(Got {
        title,
        count,
        tags,
        file: String::from_utf8_lossy(&avatar.bytes().await?).into_owned(),
        size: avatar.size_bytes(),
        kind: avatar.content_type().to_owned(),
        name: avatar.file_name().map(str::to_owned),
        spilled: avatar.path().is_some_and(std::path::Path::exists),
        extra: extra.map(|extra| extra.size_bytes()),
    })
}

/// Several files.
#[action(post = "/many")]
async fn many_files(
    #[file]
    #[default]
    photos: Vec<Upload>,
) -> Result<Vec<u64>> {
    Ok(photos.iter().map(Upload::size_bytes).collect())
}

/// A form as it is written on the wire.
#[derive(Default)]
struct Form(Vec<u8>);

impl Form {
    fn text(mut self, name: &str, value: &str) -> Self {
        self.0.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        self
    }

    fn file(mut self, name: &str, file_name: &str, kind: &str, content: &[u8]) -> Self {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        self.0.extend(head.bytes());
        self.0.extend(content);
        self.0.extend(b"\r\n");
        self
    }

    fn avatar(self) -> Self {
        self.file("avatar", "a.txt", "text/plain", b"hello")
    }

    fn send(mut self, request: TestRequest<'_>) -> TestRequest<'_> {
        self.0.extend(b"--b--\r\n");
        self.cut(request)
    }

    fn cut(self, request: TestRequest<'_>) -> TestRequest<'_> {
        request.header("content-type", "multipart/form-data; boundary=b").body(self.0)
    }
}

async fn start(settings: &[(&str, &str)]) -> TestApp {
    let app = settings.iter().fold(App::new(), |app, (key, value)| match value.parse::<i64>() {
        Ok(number) => app.config(key, number),
        Err(_) => app.config(key, *value),
    });
    TestApp::start(app).await
}

#[tokio::test]
async fn texts_and_files_reach_the_handler() {
    let app = start(&[]).await;
    let form = Form::default().text("title", "é").text("count", "3").text("tags", "a").text("tags", "b").avatar();
    let got: Value = form.send(app.post("/t/forms/one")).send().await.assert_status(200).json();
    let expected = json!({
        "title": "é", "count": 3, "tags": ["a", "b"], "file": "hello", "size": 5, "kind": "text/plain", "name": "a.txt",
        "spilled": false, "extra": null,
    });
    assert_eq!(got, expected);
}

#[tokio::test]
async fn optional_parts_may_come_in_any_order() {
    let app = start(&[]).await;
    let form = Form::default().file("extra", "", "application/zip", b"").avatar().text("title", "x");
    let got: Value = form.send(app.post("/t/forms/one")).send().await.assert_status(200).json();
    assert_eq!((&got["extra"], &got["count"], &got["tags"]), (&json!(0), &Value::Null, &json!([])));
}

#[tokio::test]
async fn several_files_of_one_name_are_a_list() {
    let app = start(&[]).await;
    let form = Form::default().file("photos", "a", "image/png", b"12").file("photos", "b", "image/png", b"123");
    assert_eq!(form.send(app.post("/t/forms/many")).send().await.assert_status(200).json::<Value>(), json!([2, 3]));
    assert_eq!(
        Form::default().send(app.post("/t/forms/many")).send().await.assert_status(200).json::<Value>(),
        json!([])
    );
    let twice = Form::default().text("title", "x").avatar().avatar();
    assert_eq!(mistakes(&twice.send(app.post("/t/forms/one")).send().await), ["body /avatar repeated"]);
}

#[tokio::test]
async fn every_wrong_part_is_in_one_answer() {
    let app = start(&[]).await;
    let form = Form::default()
        .text("title", "")
        .text("count", "300")
        .text("colour", "red")
        .file("extra", "x", "text/plain", b"")
        .file("avatar", "a.pdf", "application/pdf", b"%PDF");
    let mut found = mistakes(&form.send(app.post("/t/forms/one")).send().await);
    found.sort();
    assert_eq!(found, ["body /avatar content_type", "body /colour unknown", "body /count range", "body /title length"]);
    assert_eq!(
        mistakes(&Form::default().send(app.post("/t/forms/one")).send().await),
        ["body /title required", "body /avatar required"]
    );
}

#[tokio::test]
async fn a_text_where_a_file_belongs_is_taken_as_one_and_not_the_other_way() {
    let app = start(&[]).await;
    let form = Form::default().text("title", "a\0b").avatar();
    assert_eq!(mistakes(&form.send(app.post("/t/forms/one")).send().await).len(), 1);
    let form = Form::default().file("title", "t", "text/plain", b"\xff").avatar();
    assert_eq!(mistakes(&form.send(app.post("/t/forms/one")).send().await), ["body /title encoding"]);
}

#[tokio::test]
async fn each_limit_is_413() {
    let app =
        start(&[("multipart.max_files", "2"), ("multipart.max_fields", "3"), ("http.max_body_size", "4KB")]).await;
    let large = Form::default().text("title", "x").file("avatar", "a", "text/plain", &[b'x'; 2049]);
    let answer = large.send(app.post("/t/forms/one")).send().await.assert_status(413);
    assert_eq!(answer.code(), "file_too_large");
    let three = (0..3).fold(Form::default(), |form, _| form.file("photos", "a", "image/png", b"1"));
    assert_eq!(three.send(app.post("/t/forms/many")).send().await.assert_status(413).code(), "too_many_parts");
    for name in ["tags", "nobody_knows"] {
        let fields = (0..4).fold(Form::default().avatar(), |form, _| form.text(name, "x"));
        assert_eq!(fields.send(app.post("/t/forms/one")).send().await.assert_status(413).code(), "too_many_parts");
    }
    let whole = Form::default().file("photos", "a", "image/png", &[0; 5000]);
    assert_eq!(whole.send(app.post("/t/forms/many")).send().await.assert_status(413).code(), "body_too_large");
}

#[tokio::test]
async fn a_large_file_goes_to_a_temporary_file() {
    let app = start(&[("multipart.memory_limit", "1KB")]).await;
    let content = "x".repeat(1500);
    let form = Form::default().text("title", "x").file("avatar", "../../etc/passwd", "text/plain", content.as_bytes());
    let got: Value = form.send(app.post("/t/forms/one")).send().await.assert_status(200).json();
    assert_eq!((&got["spilled"], &got["size"], &got["file"]), (&json!(true), &json!(1500), &json!(content)));
    assert_eq!(got["name"], "passwd");
}

#[tokio::test]
async fn what_is_not_a_form_is_415_or_400() {
    let app = start(&[]).await;
    app.post("/t/forms/one").json(&json!({"title": "x"})).send().await.assert_status(415);
    app.post("/t/forms/one").send().await.assert_status(415);
    let cut = Form::default().text("title", "x").avatar().cut(app.post("/t/forms/one")).send().await.assert_status(400);
    assert_eq!(cut.code(), "malformed_body");
    for (kind, body) in [
        ("multipart/form-data; boundary=b", "nothing"),
        ("multipart/form-data", "--b--\r\n"),
        ("multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--\r\n"),
    ] {
        let answer = app.post("/t/forms/one").header("content-type", kind).body(body).send().await.assert_status(400);
        assert_eq!(answer.code(), "malformed_body", "{kind} {body}");
    }
}
