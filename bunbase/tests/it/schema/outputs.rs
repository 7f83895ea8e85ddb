//! Outputs: what goes to headers, cookies and the body.

use bunbase::{
    action::{Body, Output},
    schema::{Generator, SameSite},
};

#[bunbase::schema]
struct Task {
    id: i64,
}

/// What creating a task answers.
#[bunbase::schema]
struct TaskCreated {
    task: Task,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Where it is.
    #[header("Location")]
    location: String,
    #[header]
    request_source: Option<String>,
    #[cookie(
        "last_task",
        http_only,
        secure,
        same_site = "strict",
        max_age = "7d",
        path = "/tasks",
        domain = "example.com"
    )]
    last: i64,
}

#[bunbase::schema]
struct Whole<T> {
    #[body]
    items: Vec<T>,
    #[header]
    total: u64,
}

#[bunbase::schema]
struct Bare {
    #[cookie]
    token: Option<String>,
}

fn body(reply: &bunbase::action::Reply) -> String {
    match &reply.body {
        Body::Bytes { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
        Body::Empty | Body::Stream { .. } => String::new(),
    }
}

#[test]
fn marked_fields_leave_the_body() {
    let created =
        TaskCreated { task: Task { id: 1 }, note: None, location: "/tasks/1".into(), request_source: None, last: 1 };
    let reply = created.reply().unwrap();
    assert_eq!(body(&reply), r#"{"task":{"id":1}}"#);
    assert_eq!(reply.headers, [("location".into(), "/tasks/1".to_owned())]);
    let cookie = &reply.cookies[0];
    assert_eq!((cookie.name.as_ref(), cookie.value.as_deref()), ("last_task", Some("1")));
    assert!(cookie.rules.http_only && cookie.rules.secure && !cookie.rules.partitioned);
    assert_eq!(cookie.rules.same_site, Some(SameSite::Strict));
    assert_eq!(cookie.rules.max_age.unwrap().as_secs(), 604_800);
    assert_eq!((cookie.rules.path, cookie.rules.domain), (Some("/tasks"), Some("example.com")));
}

#[test]
fn the_document_knows_headers_cookies_and_the_rest() {
    let mut generator = Generator::default();
    let doc = TaskCreated::describe(&mut generator);
    let names: Vec<_> = doc.headers.iter().map(|header| (header.name.as_ref(), header.required)).collect();
    assert_eq!(names, [("Location", true), ("Request-Source", false), ("Set-Cookie", true)]);
    let node = serde_json::to_value(doc.content.unwrap().1).unwrap();
    assert_eq!(node["$ref"], "#/components/schemas/TaskCreatedBody");
    let components = serde_json::to_value(generator.into_definitions()).unwrap();
    let keys: Vec<_> = components["TaskCreatedBody"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["note", "task"]);
}

#[test]
fn a_body_field_is_the_whole_body() {
    let reply = Whole { items: vec![1_u8], total: 9 }.reply().unwrap();
    assert_eq!(body(&reply), "[1]");
    assert_eq!(reply.headers, [("total".into(), "9".to_owned())]);
}

#[test]
fn nothing_unmarked_is_no_body() {
    let reply = Bare { token: None }.reply().unwrap();
    assert_eq!(reply.status, 204);
    assert!(reply.cookies[0].value.is_none());
    assert!(Bare::describe(&mut Generator::default()).content.is_none());
}

#[test]
fn a_type_without_marks_is_json() {
    let reply = Task { id: 1 }.reply().unwrap();
    assert_eq!((reply.status, body(&reply).as_str()), (200, r#"{"id":1}"#));
}
