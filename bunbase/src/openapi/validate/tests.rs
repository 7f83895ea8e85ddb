//! Every kind of deviation is seen, and a true answer has none.

use serde_json::{Value, json};

use super::*;

fn document() -> Value {
    json!({
        "paths": {
            "/tasks/{id}": {
                "get": { "responses": {
                    "200": {
                        "description": "",
                        "headers": { "X-Count": { "required": true, "schema": { "type": "integer", "minimum": 0 } } },
                        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Task" } } },
                    },
                    "404": { "$ref": "#/components/responses/Missing" },
                } },
                "delete": { "responses": { "204": { "description": "" }, "default": { "$ref": "#/components/responses/Missing" } } },
            },
            "/tasks/latest": { "get": { "responses": { "303": { "description": "" } } } },
            "/files/{name}": { "get": {
                "parameters": [{ "name": "name", "in": "path", "x-rest-of-path": true }],
                "responses": { "200": { "description": "", "content": { "text/event-stream": { "schema": {
                    "type": "string", "x-event-schema": { "type": "integer", "maximum": 3 },
                } } } } },
            } },
        },
        "components": {
            "responses": { "Missing": { "description": "", "content": { "application/problem+json": { "schema": {
                "allOf": [{ "$ref": "#/components/schemas/Problem" }, { "properties": { "code": { "enum": ["gone"] } } }],
            } } } } },
            "schemas": {
                "Problem": { "type": "object", "required": ["code"], "properties": { "code": { "type": "string" } } },
                "Task": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["id", "state"],
                    "properties": {
                        "id": { "type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": u64::MAX },
                        "title": { "type": "string", "nullable": true, "maxLength": 3, "pattern": "^[^\\u0000]*$" },
                        "state": { "oneOf": [{ "type": "string", "enum": ["open"] }, { "$ref": "#/components/schemas/Done" }] },
                        "parent": { "anyOf": [
                            { "$ref": "#/components/schemas/Task" },
                            { "type": "object", "nullable": true, "enum": [null] },
                        ] },
                        "due": { "type": "string", "format": "date-time" },
                        "key": { "type": "string", "format": "uuid" },
                    },
                },
                "Done": { "type": "object", "required": ["at"], "properties": { "at": { "type": "string", "format": "date" } } },
            },
        },
    })
}

fn get(path: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Vec<String> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    response(&document(), "GET", path, status, &headers, body.as_bytes())
}

fn task(body: &Value) -> Vec<String> {
    get("/tasks/7", 200, &[("content-type", "application/json"), ("x-count", "1")], &body.to_string())
}

#[test]
fn a_true_answer_deviates_in_nothing() {
    let parent = json!({ "id": u64::MAX, "state": { "at": "2030-01-31" } });
    let due = "2030-01-31T12:00:00.123456Z";
    for body in [
        json!({ "id": 1, "state": "open" }),
        json!({ "id": 1, "state": "open", "title": null, "parent": null }),
        json!({ "id": 1, "state": "open", "title": "äöü", "parent": parent, "due": due }),
        json!({ "id": 1, "state": "open", "key": "0197a2e4-7c1b-7000-8000-3f2b6c9d1e5a" }),
    ] {
        assert_eq!(task(&body), Vec::<String>::new(), "{body}");
    }
    assert!(get("/tasks/latest", 303, &[], "").is_empty());
}

#[test]
fn a_body_that_breaks_its_schema_is_seen_wherever_it_does() {
    for (body, part) in [
        (json!({ "id": 1 }), "\"state\" is a required property"),
        (json!({ "id": 0, "state": "open" }), "the body at /id"),
        (json!({ "id": 1, "state": "shut" }), "the body at /state"),
        (json!({ "id": 1, "state": { "at": "soon" } }), "the body at /state"),
        (json!({ "id": 1, "state": "open", "title": "long" }), "the body at /title"),
        (json!({ "id": 1, "state": "open", "title": "\0" }), "the body at /title"),
        (json!({ "id": null, "state": "open" }), "the body at /id"),
        (json!({ "id": 1, "state": "open", "parent": { "id": 1 } }), "the body at /parent"),
        (json!({ "id": 1, "state": "open", "due": "tomorrow" }), "the body at /due"),
        (json!({ "id": 1, "state": "open", "key": "1" }), "the body at /key"),
        (json!({ "id": 1, "state": "open", "more": 1 }), "'more' was unexpected"),
    ] {
        let found = task(&body);
        assert!(found.len() == 1 && found[0].contains(part), "{body}: {found:?}");
    }
}

#[test]
fn an_answer_that_is_not_documented_is_seen() {
    let json = ("content-type", "application/json");
    let body = r#"{"id":1,"state":"open"}"#;
    assert_eq!(get("/tasks/7", 500, &[json], body), ["status 500 is not documented; documented are: 200, 404"]);
    assert_eq!(get("/tasks/7", 200, &[json], body), ["the header `X-Count` is missing"]);
    let found = get("/tasks/7", 200, &[json, ("x-count", "-1")], body);
    assert!(found.len() == 1 && found[0].starts_with("the header `X-Count`: "), "{found:?}");
    let found = get("/tasks/7", 200, &[("content-type", "text/html"), ("x-count", "1")], body);
    assert_eq!(found, ["the content type `text/html` is not documented; documented are: application/json"]);
    assert!(get("/tasks/7", 200, &[json, ("x-count", "1")], "")[0].starts_with("the body is not JSON"));
    assert_eq!(get("/tasks/latest", 303, &[], "x"), ["no body is documented, this one has 1 bytes"]);
}

#[test]
fn a_default_stands_for_other_statuses() {
    let problem = [("content-type".to_owned(), "application/problem+json".to_owned())];
    let delete = |status, body: &str| response(&document(), "DELETE", "/tasks/7", status, &problem, body.as_bytes());
    assert!(delete(418, r#"{"code":"gone"}"#).is_empty());
    assert_eq!(delete(418, r#"{"code":"other"}"#).len(), 1);
    assert_eq!(delete(204, "x").len(), 1);
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let headers = [("x-count".to_owned(), "1".to_owned())];
    assert!(response(&document(), "HEAD", "/tasks/7", 200, &headers, b"").is_empty());
}

#[test]
fn what_reaches_no_operation_is_not_judged() {
    assert!(get("/nowhere", 404, &[], "nothing").is_empty());
    assert!(response(&document(), "POST", "/tasks/7", 405, &[], b"").is_empty());
}

#[test]
fn each_event_is_checked_on_a_path_of_any_length() {
    let stream = [("content-type", "text/event-stream")];
    assert!(get("/files/a/b/c", 200, &stream, "data: 1\n\nid: 7\ndata: 2\n\n").is_empty());
    let found = get("/files/a", 200, &stream, "data: 1\n\ndata: 4\n\n");
    assert!(found.len() == 1 && found[0].starts_with("event 1: "), "{found:?}");
}

#[test]
fn a_coded_body_is_decoded_first() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#"{"id":0,"state":"open"}"#).unwrap();
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip"), ("x-count", "1")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let found = response(&document(), "GET", "/tasks/7", 200, &headers, &encoder.finish().unwrap());
    assert!(found.len() == 1 && found[0].starts_with("the body at /id"), "{found:?}");
}
