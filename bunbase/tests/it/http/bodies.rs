//! JSON bodies: every mistake in one answer, and what cannot be read at all.

use std::collections::BTreeMap;

use bunbase::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::mistakes;

bunbase::module!(prefix = "/t/bodies/{shelf}");

/// A part of an order.
#[schema]
struct Line {
    #[validate(length(min = 1))]
    name: String,
    #[validate(range(min = 1, max = 9))]
    count: u8,
}

/// How to pay.
#[schema(tag = "kind", rename_all = "snake_case")]
enum Payment {
    Cash,
    Card { number: String, year: u16 },
}

/// What was understood.
#[schema]
struct Order {
    shelf: i64,
    page: Option<u32>,
    source: Option<u16>,
    device: Option<i64>,
    lines: Vec<Line>,
    prices: BTreeMap<String, i64>,
    payment: Payment,
    note: String,
}

/// Orders.
#[expect(clippy::too_many_arguments, reason = "one of each place")]
#[action(post = "/orders")]
async fn place_order(
    #[path] shelf: i64,
    #[query] page: Option<u32>,
    #[header("X-Source")] source: Option<u16>,
    #[cookie] device: Option<i64>,
    lines: Vec<Line>,
    #[default] prices: BTreeMap<String, i64>,
    payment: Payment,
    #[default("none")]
    #[validate(length(max = 10))]
    note: String,
) -> Result<Order> {
    Ok(Order { shelf, page, source, device, lines, prices, payment, note })
}

/// Takes a list as the whole body.
#[action(put = "/lines")]
async fn put_lines(#[path] shelf: i64, #[body] lines: Vec<Line>) -> Result<Vec<Line>> {
    assert!(shelf > 0);
    Ok(lines)
}

/// Takes a body that may be left out.
#[action(put = "/line")]
async fn put_line(#[path] shelf: i64, #[body] line: Option<Line>) -> Result<Option<Line>> {
    assert!(shelf > 0);
    Ok(line)
}

/// Takes a small body.
#[action(post = "/small", body_limit = "64B")]
async fn small(#[path] shelf: i64, text: String) -> Result<i64> {
    Ok(shelf + i64::try_from(text.len()).unwrap())
}

fn good() -> Value {
    json!({"lines": [{"name": "pen", "count": 2}], "payment": {"kind": "cash"}})
}

async fn post(app: &TestApp, body: impl Into<bytes::Bytes>) -> bunbase::testing::TestResponse {
    app.post("/t/bodies/1/orders").header("content-type", "application/json").body(body).send().await
}

#[tokio::test]
async fn a_good_request_reaches_the_handler_from_every_place() {
    let app = TestApp::start(App::new()).await;
    let answer = app.post("/t/bodies/7/orders?page=3").header("x-source", "12").header("cookie", "a=b; device=-4");
    let order: Value = answer.json(&good()).send().await.assert_status(200).json();
    let place = |key: &str| order[key].as_i64();
    assert_eq!(
        (place("shelf"), place("page"), place("source"), place("device")),
        (Some(7), Some(3), Some(12), Some(-4))
    );
    assert_eq!((&order["note"], &order["prices"]), (&json!("none"), &json!({})));
}

#[tokio::test]
async fn every_wrong_field_of_every_place_is_in_one_answer() {
    let app = TestApp::start(App::new()).await;
    let body = json!({
        "lines": [{"name": "", "count": 10}, {"name": 1}, 5],
        "prices": {"a/b~": "x", "ok": 1},
        "payment": {"kind": "card", "number": 5, "extra": true},
        "note": "longer than ten",
        "colour": "red",
    });
    let request = app.post("/t/bodies/x/orders?page=-1").header("x-source", "70000").header("cookie", "device=one");
    let mut found = mistakes(&request.json(&body).send().await);
    found.sort();
    let mut expected = [
        "path /shelf type",
        "query /page range",
        "header /X-Source range",
        "cookie /device type",
        "body /lines/0/name length",
        "body /lines/0/count range",
        "body /lines/1/name type",
        "body /lines/1/count required",
        "body /lines/2 type",
        "body /prices/a~1b~0 type",
        "body /payment/number type",
        "body /payment/year required",
        "body /payment/extra unknown",
        "body /note length",
        "body /colour unknown",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_problem_has_all_its_members_and_the_trace_of_its_header() {
    let app = TestApp::start(App::new()).await;
    let answer = app.post("/t/bodies/1/orders").json(&json!({})).send().await.assert_status(422);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body: Value = answer.json();
    assert_eq!(body["trace_id"].as_str(), answer.header("x-trace-id"));
    assert_eq!((&body["status"], &body["title"]), (&json!(422), &json!("Unprocessable Entity")));
    for member in ["type", "detail", "code"] {
        assert!(body[member].is_string(), "{member}: {body}");
    }
    for error in body["errors"].as_array().unwrap() {
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::start(App::new()).await;
    let deep = format!("{{\"lines\": {}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let trailing = format!("{} x", good());
    let bodies: [&[u8]; 8] = [
        b"{",
        b"nothing",
        b"{\"note\": \"\xff\xfe\"}",
        deep.as_bytes(),
        trailing.as_bytes(),
        b" ",
        b"{'a': 1}",
        b"\xef\xbb\xbf{}",
    ];
    for body in bodies {
        let answer = post(&app, body.to_vec()).await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "malformed_body"), "{answer}");
    }
    let empty = app.post("/t/bodies/1/orders").header("content-type", "application/json").send().await;
    assert_eq!((empty.status(), empty.code().as_str()), (400, "malformed_body"));
}

#[tokio::test]
async fn deep_nesting_in_a_key_nobody_knows_is_refused_too() {
    let app = TestApp::start(App::new()).await;
    let mut body = good().to_string();
    body.pop();
    let deep = format!("{body}, \"more\": {}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(matches!(post(&app, deep).await.status(), 400 | 422));
}

#[tokio::test]
async fn a_body_of_another_shape_is_one_mistake_at_its_root() {
    let app = TestApp::start(App::new()).await;
    for body in [json!([1]), json!("text"), json!(5), json!(null)] {
        let answer = app.post("/t/bodies/1/orders").json(&body).send().await;
        assert_eq!(mistakes(&answer), ["body  type"], "{body}");
    }
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_a_mistake() {
    let app = TestApp::start(App::new()).await;
    let twice = r#"{"lines": [], "lines": [], "payment": {"kind": "cash"}}"#;
    assert_eq!(mistakes(&post(&app, twice).await), ["body /lines repeated"]);
    let inner = r#"{"lines": [{"name": "a", "name": "", "count": 1}], "payment": {"kind": "cash"}, "prices": {"a": 1, "a": 1}}"#;
    assert_eq!(
        mistakes(&post(&app, inner).await),
        ["body /lines/0/name length", "body /lines/0/name repeated", "body /prices/a repeated"]
    );
    let tag = r#"{"lines": [], "payment": {"kind": "cash", "kind": "cash"}}"#;
    assert_eq!(mistakes(&post(&app, tag).await), ["body /payment/kind repeated"]);
}

#[tokio::test]
async fn a_body_that_is_compressed_is_415() {
    let app = TestApp::start(App::new()).await;
    for coding in ["gzip", "br", "identity, gzip"] {
        let request = app.post("/t/bodies/1/orders").header("content-encoding", coding).json(&good());
        assert_eq!(request.send().await.assert_status(415).code(), "unsupported_media_type", "{coding}");
    }
    app.post("/t/bodies/1/orders").header("content-encoding", "identity").json(&good()).send().await.assert_status(200);
}

#[tokio::test]
async fn text_with_a_nul_is_refused() {
    let app = TestApp::start(App::new()).await;
    let mut body = good();
    body["note"] = json!("a\0b");
    assert_eq!(mistakes(&app.post("/t/bodies/1/orders").json(&body).send().await).len(), 1);
    body["note"] = json!("ok");
    body["prices"] = json!({"a\0": 1});
    assert_eq!(mistakes(&app.post("/t/bodies/1/orders").json(&body).send().await).len(), 1);
}

#[tokio::test]
async fn one_field_can_be_the_whole_body() {
    let app = TestApp::start(App::new()).await;
    let lines = json!([{"name": "a", "count": 1}, {"name": "b", "count": 2}]);
    let answer = app.put("/t/bodies/1/lines").json(&lines).send().await.assert_status(200);
    assert_eq!(answer.json::<Value>(), lines);
    let wrong = json!([{"name": "a", "count": 1}, {"name": "b", "count": 0}]);
    assert_eq!(mistakes(&app.put("/t/bodies/1/lines").json(&wrong).send().await), ["body /1/count range"]);
    assert_eq!(mistakes(&app.put("/t/bodies/1/lines").json(&json!({})).send().await), ["body  type"]);
    app.put("/t/bodies/1/lines").send().await.assert_status(415);
}

#[tokio::test]
async fn an_optional_body_may_be_left_out() {
    let app = TestApp::start(App::new()).await;
    let line = json!({"name": "a", "count": 1});
    assert_eq!(app.put("/t/bodies/1/line").json(&line).send().await.assert_status(200).json::<Value>(), line);
    assert_eq!(app.put("/t/bodies/1/line").send().await.assert_status(200).json::<Value>(), Value::Null);
    assert_eq!(
        app.put("/t/bodies/1/line").json(&Value::Null).send().await.assert_status(200).json::<Value>(),
        Value::Null
    );
    assert_eq!(
        mistakes(&app.put("/t/bodies/1/line").json(&json!({"name": "a"})).send().await),
        ["body /count required"]
    );
}

#[tokio::test]
async fn another_content_type_is_415_and_json_has_many_names() {
    let app = TestApp::start(App::new()).await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "garbage"] {
        let answer = app.post("/t/bodies/1/orders").header("content-type", kind).body(good().to_string()).send().await;
        assert_eq!((answer.status(), answer.code().as_str()), (415, "unsupported_media_type"), "{kind}");
    }
    app.post("/t/bodies/1/orders").body(good().to_string()).send().await.assert_status(415);
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
        let answer = app.post("/t/bodies/1/orders").header("content-type", kind).body(good().to_string()).send().await;
        answer.assert_status(200);
    }
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_413() {
    let app = TestApp::start(App::new().config("http.max_body_size", "1KB")).await;
    let text = "x".repeat(64);
    let answer = app.post("/t/bodies/1/small").json(&json!({"text": text})).send().await;
    assert_eq!((answer.status(), answer.code().as_str()), (413, "body_too_large"));
    app.post("/t/bodies/1/small").json(&json!({"text": "x"})).send().await.assert_status(200);
    let mut body = good();
    body["prices"] = (0..200).map(|price| (price.to_string(), json!(price))).collect();
    app.post("/t/bodies/1/orders").json(&body).send().await.assert_status(413);
}
