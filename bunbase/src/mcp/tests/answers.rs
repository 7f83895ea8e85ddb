//! How answers and errors look to a model.

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::fixture::tools;
use crate::{
    Error,
    action::{Body, Reply},
    context::TraceId,
    error::{FieldError, Place},
    mcp::answer::{failure, success},
    schema::CookieRules,
};

fn told(tool: &str, reply: Reply) -> Value {
    let tools = tools();
    let entry = tools.iter().find(|entry| entry.tool.name == tool).expect("a tool");
    serde_json::to_value(success(entry, reply).expect("an answer")).expect("JSON")
}

fn raw(content_type: &'static str, bytes: &'static [u8]) -> Value {
    let mut tools = tools();
    let entry = tools.iter_mut().find(|entry| entry.tool.name == "books_print").expect("a tool");
    entry.content_type = None;
    let result = success(entry, Reply::bytes(200, content_type, Bytes::from_static(bytes))).expect("an answer");
    serde_json::to_value(&result.content[0]).expect("JSON")
}

#[test]
fn an_object_is_structured_and_the_same_as_text() {
    let answer = told("books_add", Reply::bytes(201, "application/json", r#"{"id": 1, "title": "Emma"}"#));
    assert_eq!(answer["structuredContent"], json!({ "id": 1, "title": "Emma" }));
    assert_eq!(answer["content"], json!([{ "type": "text", "text": r#"{"id":1,"title":"Emma"}"# }]));
    assert_eq!(answer["isError"], false);
}

#[test]
fn other_json_is_the_one_member_of_an_object() {
    let answer = told("find", Reply::bytes(200, "application/json", "[]"));
    assert_eq!(answer["structuredContent"], json!({ "result": [] }));
    assert_eq!(answer["content"][0]["text"], r#"{"result":[]}"#);
}

#[test]
fn headers_and_cookies_stay_out() {
    let mut reply = Reply::bytes(201, "application/json", "{}");
    reply.header("location", &"/books/secret".to_owned()).expect("text");
    reply.cookie("last", &"secret".to_owned(), CookieRules::NONE).expect("text");
    let answer = told("books_add", reply).to_string();
    assert!(!answer.contains("secret") && !answer.contains("201"), "{answer}");
}

#[test]
fn nothing_is_an_answer() {
    let answer = told("books_remove", Reply::empty(204));
    assert_eq!(answer["content"], json!([]));
    assert_eq!(answer.get("structuredContent"), None);
}

#[test]
fn bytes_are_what_their_type_says() {
    let text = json!({ "type": "text", "text": "a,b" });
    assert_eq!(raw("text/csv", b"a,b"), text);
    assert_eq!(raw("application/geo+json; charset=utf-8", b"a,b"), text);
    assert_eq!(raw("image/PNG", b"hi"), json!({ "type": "image", "data": "aGk=", "mimeType": "image/png" }));
    assert_eq!(raw("audio/wav", b"hi"), json!({ "type": "audio", "data": "aGk=", "mimeType": "audio/wav" }));
    let blob = |kind: &str, blob: &str| json!({ "type": "resource", "resource": { "uri": "tool:books_print", "mimeType": kind, "blob": blob } });
    assert_eq!(raw("application/pdf", b"hi"), blob("application/pdf", "aGk="));
    // Not the UTF-8 that text has to be here.
    assert_eq!(raw("text/plain; charset=latin1", b"\xe9"), blob("text/plain", "6Q=="));
}

#[test]
fn the_actions_content_type_counts_more_than_the_outputs() {
    let answer = told("books_print", Reply::bytes(200, "application/octet-stream", "a,b"));
    assert_eq!(answer["content"], json!([{ "type": "text", "text": "a,b" }]));
}

#[test]
fn a_stream_is_refused() {
    let tools = tools();
    let body = Body::Stream { content_type: "text/csv".into(), stream: Box::pin(stream::empty()) };
    let error = success(&tools[4], Reply { body, ..Reply::empty(200) }).expect_err("a refusal");
    assert_eq!(error.status(), 400);
}

#[test]
fn a_failure_is_the_problem_document_without_its_cause() {
    let field =
        FieldError { place: Place::Body, pointer: "/title".into(), code: "required".into(), message: "x".into() };
    let error = Error::invalid(vec![field]).caused_by("the cause");
    let trace = TraceId::generate();
    let answer = serde_json::to_value(failure(&error, trace)).expect("JSON");
    assert_eq!(answer["isError"], true);
    assert_eq!(answer.get("structuredContent"), None);
    let problem: Value = serde_json::from_str(answer["content"][0]["text"].as_str().expect("text")).expect("JSON");
    assert_eq!((&problem["status"], &problem["code"]), (&json!(422), &json!("invalid_input")));
    assert_eq!(problem["errors"][0]["pointer"], "/title");
    assert_eq!(problem["trace_id"], trace.to_string());
    assert!(!problem.to_string().contains("the cause"));
}
