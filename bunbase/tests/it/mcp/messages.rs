//! Messages that are no calls: finding out what there is, in every revision, and what is wrong with a message.

use bunbase::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::{NEWEST, call, message, newest, post, result};

bunbase::module!(name = "mcp_messages");

/// Adds two numbers.
#[action(tool)]
async fn sum(a: i32, b: i32) -> Result<i32> {
    Ok(a + b)
}

async fn app() -> TestApp {
    TestApp::start(App::new().config("app.name", "library").config("app.version", "1.2.3").description("Lends books."))
        .await
}

/// Returns the error of a message that was not understood.
#[track_caller]
fn error(body: &Value) -> (i64, String) {
    assert_eq!(body["jsonrpc"], "2.0", "{body}");
    (body["error"]["code"].as_i64().unwrap(), body["error"]["message"].as_str().unwrap().to_owned())
}

fn legacy(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

#[tokio::test]
async fn a_client_of_the_newest_revision_discovers_what_there_is() {
    let app = app().await;
    let found = result(newest(&app, "server/discover", None).json(&message("server/discover", json!({}))).send().await);
    assert!(found["supportedVersions"].as_array().unwrap().contains(&json!(NEWEST)), "{found}");
    assert_eq!(found["instructions"], "Lends books.");
    assert!(found["capabilities"]["tools"].is_object() && found["capabilities"].get("resources").is_none(), "{found}");
}

#[tokio::test]
async fn a_client_of_an_older_revision_is_answered_in_its_own() {
    let app = app().await;
    for (asked, answered) in [("2025-11-25", "2025-11-25"), ("2025-03-26", "2025-03-26"), ("1999-01-01", "2025-11-25")]
    {
        let params = json!({
            "protocolVersion": asked, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let request = app
            .post("/mcp")
            .header("host", "localhost")
            .header("accept", "application/json, text/event-stream")
            .json(&legacy("initialize", &params));
        let answer = request.send().await;
        assert_eq!(answer.header("mcp-session-id"), None, "any instance may answer the next message");
        let told = result(answer);
        assert_eq!(told["protocolVersion"], answered, "{asked}");
        assert_eq!(told["serverInfo"]["name"], "library");
        assert_eq!(told["serverInfo"]["version"], "1.2.3");
    }
    let started = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let noted = post(&app, "2025-11-25").json(&started).send().await.assert_status(202);
    assert!(noted.bytes().is_empty());
    let sum = json!({ "name": "mcp_messages_sum", "arguments": { "a": 1, "b": 2 } });
    let told = result(post(&app, "2025-11-25").json(&legacy("tools/call", &sum)).send().await);
    assert_eq!(told["structuredContent"], json!({ "result": 3 }));
    assert!(result(post(&app, "2025-06-18").json(&legacy("ping", &json!({}))).send().await).is_object());
}

#[tokio::test]
async fn all_tools_are_listed_on_one_page() {
    let app = app().await;
    let list = |params| newest(&app, "tools/list", None).json(&message("tools/list", params));
    let told = result(list(json!({})).send().await);
    assert!(told.get("nextCursor").is_none());
    let sum = told["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "mcp_messages_sum").unwrap();
    assert_eq!((&sum["title"], &sum["description"]), (&json!("Adds two numbers"), &json!("Adds two numbers.")));
    assert_eq!(sum["inputSchema"]["required"], json!(["a", "b"]));
    assert_eq!(sum["outputSchema"]["properties"]["result"]["type"], "integer");
    let next: Value = list(json!({ "cursor": "x" })).send().await.json();
    assert_eq!(error(&next).0, -32602);
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_no_tools_error() {
    let app = app().await;
    let body: Value = call(&app, "subtract", &json!({})).send().await.assert_status(200).json();
    assert_eq!(error(&body), (-32602, "no tool is named `subtract`".to_owned()));
    assert_eq!(body["id"], 1);
}

#[tokio::test]
async fn what_is_no_call_is_an_error_of_json_rpc() {
    let app = app().await;
    let newest = |method: &str, params| newest(&app, method, Some("mcp_messages_sum")).json(&message(method, params));
    let list = newest("tools/call", json!({ "name": "mcp_messages_sum", "arguments": [1, 2] })).send().await;
    assert_eq!(error(&list.json()).0, -32602);
    let nameless = post(&app, "2025-11-25").json(&legacy("tools/call", &json!({ "arguments": {} }))).send().await;
    assert_eq!(error(&nameless.json()).0, -32602);
    let unknown = newest("books/read", json!({})).send().await;
    assert_eq!((unknown.status(), error(&unknown.json()).0), (404, -32601));
    let other = newest("resources/list", json!({})).send().await;
    assert_eq!(error(&other.json()).0, -32601);
}

#[tokio::test]
async fn what_is_no_message_is_an_error_of_json_rpc() {
    let app = app().await;
    let send = |body: &'static str| post(&app, NEWEST).header("content-type", "application/json").body(body);
    for (body, code) in [("{", -32700), ("", -32700), ("5", -32600), ("[]", -32600), (r#"{"id": 1}"#, -32600)] {
        let answer = send(body).send().await.assert_status(400);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(error(&answer.json()).0, code, "{body}");
    }
}

#[tokio::test]
async fn a_revision_that_is_not_known_is_refused() {
    let app = app().await;
    let mut message = message("tools/list", json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2031-01-01");
    let answer = post(&app, "2031-01-01").header("mcp-method", "tools/list").json(&message).send().await;
    let body: Value = answer.assert_status(400).json();
    assert!(body["error"]["data"]["supported"].as_array().unwrap().contains(&json!(NEWEST)), "{body}");
}
