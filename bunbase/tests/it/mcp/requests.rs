//! Requests that are refused before they are messages, and where the door is.

use bunbase::{
    prelude::*,
    testing::{TestApp, TestResponse},
};
use serde_json::json;

use super::{NEWEST, message, newest, result};

const LISTED: [&str; 2] = ["https://app.example.com", "http://localhost:5173"];
const FOREIGN: [&str; 4] = ["https://evil.example", "http://app.example.com", "https://app.example.com:8443", "null"];

async fn app() -> TestApp {
    TestApp::start(App::new().config("cors.origins", LISTED.to_vec())).await
}

/// Lists the tools as a page of an origin does.
async fn list_from(app: &TestApp, origin: &str) -> TestResponse {
    newest(app, "tools/list", None).header("origin", origin).json(&message("tools/list", json!({}))).send().await
}

#[tokio::test]
async fn a_web_page_of_somewhere_else_is_refused() {
    let app = app().await;
    for origin in FOREIGN {
        assert_eq!(list_from(&app, origin).await.assert_status(403).code(), "csrf_refused", "{origin}");
    }
    for origin in LISTED {
        result(list_from(&app, origin).await);
    }
}

#[tokio::test]
async fn the_door_refuses_it_by_itself_where_the_server_does_not() {
    let app = App::new().config("cors.origins", LISTED.to_vec()).config("security.csrf", false);
    let app = TestApp::start(app).await;
    for origin in FOREIGN {
        let refused = list_from(&app, origin).await;
        assert_eq!((refused.status(), refused.code().as_str()), (403, "forbidden"), "{origin}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    }
    for origin in LISTED.into_iter().chain(["http://localhost:3000", "http://[::1]:3000"]) {
        result(list_from(&app, origin).await);
    }
}

/// Lists the tools of a server that the client knows by this name.
async fn list_at(app: &TestApp, host: &str) -> TestResponse {
    let request = app
        .post("/mcp")
        .header("host", host)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", NEWEST)
        .header("mcp-method", "tools/list");
    request.json(&message("tools/list", json!({}))).send().await
}

#[tokio::test]
async fn a_name_that_is_not_the_servers_is_refused() {
    let app = TestApp::start(App::new()).await;
    let refused = list_at(&app, "evil.example:3000").await;
    assert_eq!((refused.status(), refused.code().as_str()), (421, "host_refused"));
    for host in ["localhost", "127.0.0.1:3000", "[::1]:3000"] {
        result(list_at(&app, host).await);
    }
    let app = TestApp::start(App::new().config("mcp.hosts", vec!["api.example.com"])).await;
    result(list_at(&app, "api.example.com").await);
    list_at(&app, "localhost").await.assert_status(403);
}

#[tokio::test]
async fn what_is_not_spoken_is_told_as_a_problem() {
    let app = app().await;
    let post = |accept: &str, kind: &str| {
        app.post("/mcp").header("host", "localhost").header("accept", accept).header("content-type", kind).body("{}")
    };
    let both = "application/json, text/event-stream";
    for (accept, kind, status, code) in
        [("text/html", "application/json", 406, "not_acceptable"), (both, "text/plain", 415, "unsupported_media_type")]
    {
        let refused = post(accept, kind).send().await;
        assert_eq!((refused.status(), refused.code().as_str()), (status, code));
        assert!(refused.header("x-trace-id").is_some());
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused() {
    let app = TestApp::start(App::new().config("http.max_body_size", "1KB")).await;
    let message = message("tools/list", json!({ "x": "y".repeat(1000) }));
    let refused = newest(&app, "tools/list", None).json(&message).send().await;
    assert_eq!((refused.status(), refused.code().as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn there_are_no_sessions_to_get_or_to_delete() {
    let app = app().await;
    for method in ["GET", "DELETE"] {
        let refused = app.request(method, "/mcp").header("host", "localhost").send().await.assert_status(405);
        assert_eq!(refused.header("allow"), Some("POST, OPTIONS"));
    }
}

#[tokio::test]
async fn the_door_can_be_elsewhere_or_closed() {
    let app = TestApp::start(App::new().config("mcp.path", "/tools")).await;
    app.post("/mcp").send().await.assert_status(404);
    app.post("/tools").header("host", "localhost").send().await.assert_status(406);
    let app = TestApp::start(App::new().config("mcp.access", "off")).await;
    app.post("/mcp").send().await.assert_status(404);
}
