//! The tool door over HTTP: messages of the Model Context Protocol against real actions.
//!
//! Here: what a client sees, message by message. The official Python SDK is run against the example `mcp_tools` by `.ci/check-mcp`.

mod calls;
mod lifecycle;
mod messages;
mod requests;

use bunbase::testing::{TestApp, TestRequest, TestResponse};
use serde_json::{Value, json};

/// The newest revision, which has no sessions: each request says all that there is to know.
const NEWEST: &str = "2026-07-28";

/// Begins a request with the headers that every client sends.
fn post<'a>(app: &'a TestApp, revision: &str) -> TestRequest<'a> {
    app.post("/mcp")
        .header("host", "localhost:3000")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", revision)
}

/// A message of the newest revision.
pub(crate) fn message(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// Begins a request of the newest revision.
pub(crate) fn newest<'a>(app: &'a TestApp, method: &str, name: Option<&str>) -> TestRequest<'a> {
    let request = post(app, NEWEST).header("mcp-method", method);
    match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

/// Begins the call of a tool.
pub(crate) fn call<'a>(app: &'a TestApp, tool: &str, arguments: &Value) -> TestRequest<'a> {
    let message = message("tools/call", json!({ "name": tool, "arguments": arguments }));
    newest(app, "tools/call", Some(tool)).json(&message)
}

/// Returns what the list says of a tool.
pub(crate) async fn listed(app: &TestApp, tool: &str) -> Value {
    let listed = newest(app, "tools/list", None).json(&message("tools/list", json!({}))).send().await;
    let tools = result(listed)["tools"].clone();
    let found = tools.as_array().into_iter().flatten().find(|one| one["name"] == tool);
    found.unwrap_or_else(|| panic!("`{tool}` is not in {tools}")).clone()
}

/// Returns the answer to a message that was none of JSON-RPC's errors.
#[track_caller]
pub(crate) fn result(answer: TestResponse) -> Value {
    let body: Value = answer.assert_status(200).json();
    assert!(body.get("error").is_none(), "{body}");
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &json!(1)));
    body["result"].clone()
}

/// Returns the problem that a tool answers.
#[track_caller]
pub(crate) fn problem(answer: TestResponse) -> Value {
    let trace = answer.header("x-trace-id").unwrap().to_owned();
    let result = result(answer);
    assert_eq!(result["isError"], true, "{result}");
    let problem: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(problem["trace_id"], trace, "the log knows the call by the request's trace");
    problem
}
