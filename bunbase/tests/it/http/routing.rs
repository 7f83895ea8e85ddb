//! Methods and paths: 404, 405 with `Allow`, HEAD, OPTIONS, several doors.

use bunbase::{
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use serde_json::Value;

use super::soon;

bunbase::module!(prefix = "/t/routing");

/// Answers by GET and by POST, each field from where that method has it.
#[action(get = "/both/{id}", post = "/both/{id}", put = "/other")]
async fn both(id: i64, #[default] word: String) -> Result<String> {
    Ok(format!("{id} {word}"))
}

/// Answers by DELETE only.
#[action(delete = "/both/{id}")]
async fn remove(id: i64) -> Result<()> {
    assert!(id > 0);
    Ok(())
}

/// Answers with headers.
#[schema]
struct Dressed {
    #[header("X-Colour")]
    colour: String,
    text: String,
}

/// Answers with headers.
#[action(get = "/dressed")]
async fn dress() -> Result<Dressed> {
    Ok(Dressed { colour: "red".into(), text: "long ".repeat(1000) })
}

/// A fixed segment beside a parameter.
#[action(get = "/both/first")]
async fn first() -> Result<String> {
    Ok("first".into())
}

/// A stream that never ends.
#[action(get = "/endless")]
async fn endless() -> Result<ByteStream> {
    Ok(ByteStream::new(futures_util::stream::pending::<Result<Bytes>>()))
}

#[tokio::test]
async fn a_path_that_nobody_has_is_404() {
    let app = TestApp::start(App::new()).await;
    for path in
        ["/t/routing", "/t/routing/both", "/t/routing/both/1/", "/t/routing//both/1", "/nowhere", "/t/routing/both/1/2"]
    {
        let answer = app.get(path).send().await.assert_status(404);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.json::<Value>()["trace_id"].as_str(), answer.header("x-trace-id"));
    }
}

#[tokio::test]
async fn a_method_that_a_path_has_not_is_405_with_allow() {
    let app = TestApp::start(App::new()).await;
    let answer = app.patch("/t/routing/both/1").send().await.assert_status(405);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, DELETE, OPTIONS"));
    assert_eq!(answer.code(), "method_not_allowed");
    let answer = app.request("BREW", "/t/routing/other").send().await.assert_status(405);
    assert_eq!(answer.header("allow"), Some("PUT, OPTIONS"));
    let answer = app.post("/_health/live").send().await.assert_status(405);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn options_says_what_a_path_allows() {
    let app = TestApp::start(App::new()).await;
    let answer = app.request("OPTIONS", "/t/routing/both/1").send().await.assert_status(204);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, DELETE, OPTIONS"));
    app.request("OPTIONS", "/nowhere").send().await.assert_status(404);
}

#[tokio::test]
async fn a_fixed_segment_comes_before_a_parameter() {
    let app = TestApp::start(App::new()).await;
    assert_eq!(app.get("/t/routing/both/first").send().await.assert_status(200).json::<String>(), "first");
    assert_eq!(app.get("/t/routing/both/2?word=x").send().await.assert_status(200).json::<String>(), "2 x");
}

#[tokio::test]
async fn each_door_has_its_own_places() {
    let app = TestApp::start(App::new()).await;
    let body = serde_json::json!({"word": "b"});
    let answer = app.post("/t/routing/both/2?word=q").json(&body).send().await.assert_status(200);
    assert_eq!(answer.json::<String>(), "2 b");
    let body = serde_json::json!({"word": "b", "id": 5});
    assert_eq!(app.put("/t/routing/other").json(&body).send().await.assert_status(200).json::<String>(), "5 b");
    app.delete("/t/routing/both/2").send().await.assert_status(204);
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let app = ListeningApp::start(App::new()).await;
    let client = reqwest::Client::new();
    for path in ["/t/routing/dressed", "/_health/live", "/openapi.json"] {
        let get = client.get(app.url(path)).send().await.unwrap();
        let head = client.head(app.url(path)).send().await.unwrap();
        assert_eq!(head.status(), get.status());
        let names = |answer: &reqwest::Response| {
            let mut names: Vec<_> = answer.headers().keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&head), names(&get), "{path}");
        for name in ["content-length", "content-type", "etag", "x-colour"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path} {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty());
    }
    let missing = client.head(app.url("/nowhere")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
}

#[tokio::test]
async fn head_of_a_stream_does_not_wait_for_it() {
    let app = ListeningApp::start(App::new()).await;
    let client = reqwest::Client::new();
    let head = soon("the answer to HEAD", client.head(app.url("/t/routing/endless")).send()).await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-type"]),
        (200, &"application/octet-stream".parse().unwrap())
    );
    // The same connection serves the next request: nothing is still being sent on it.
    let next = soon("the next answer", client.get(app.url("/t/routing/both/first")).send()).await.unwrap();
    assert_eq!(next.status(), 200);
}
