//! The library's own tests: `cargo test -p bunbase-examples --example mcp_tools`, on Postgres with `BUNBASE_TEST_DATABASE=postgres`.
//!
//! The same calls through both doors; `.ci/check-mcp` runs the official Python SDK against it.

use bunbase::{guard::ApiKeys, testing::TestApp};
use serde_json::{Value, json};

/// The key of the desk.
const KEY: &str = "key";

async fn start() -> TestApp {
    TestApp::start(crate::app(ApiKeys::new().with("desk", KEY))).await
}

/// Sends a message as a client of the protocol, and returns its result.
async fn send(app: &TestApp, key: &str, method: &str, params: &Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = app
        .post("/mcp")
        .header("Host", "localhost:3000")
        .header("Accept", "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2025-11-25")
        .header("X-Api-Key", key);
    let answer: Value = request.json(&message).send().await.assert_status(200).json();
    answer["result"].clone()
}

/// Calls a tool at the desk.
async fn call(app: &TestApp, tool: &str, arguments: Value) -> Value {
    send(app, KEY, "tools/call", &json!({ "name": tool, "arguments": arguments })).await
}

/// Returns the problem in an answer that tells one.
fn problem(answer: &Value) -> Value {
    assert_eq!(answer["isError"], true, "{answer}");
    serde_json::from_str(answer["content"][0]["text"].as_str().expect("text")).expect("a problem")
}

#[bunbase::test]
async fn a_model_sees_five_tools() {
    let app = start().await;
    let listed = send(&app, KEY, "tools/list", &json!({})).await;
    let tools = listed["tools"].as_array().expect("a list");
    let hint = |tool: &Value| tool["annotations"]["readOnlyHint"] == true;
    let told: Vec<_> = tools.iter().map(|tool| (tool["name"].as_str().expect("a name"), hint(tool))).collect();
    let expected = [
        ("books_find", true),
        ("books_show", true),
        ("books_lend", false),
        ("books_take_back", false),
        ("catalogue", true),
    ];
    assert_eq!(told, expected);
    assert_eq!(tools[2]["inputSchema"]["required"], json!(["id", "reader"]));
    assert_eq!(tools[2]["inputSchema"]["properties"]["days"]["maximum"], 60);
}

#[bunbase::test]
async fn a_book_is_found_lent_and_taken_back() {
    let app = start().await;
    let found = call(&app, "books_find", json!({ "words": "austen" })).await;
    let books = found["structuredContent"]["result"].as_array().expect("a list").clone();
    let titles: Vec<_> = books.iter().map(|book| book["title"].as_str().expect("a title")).collect();
    assert_eq!(titles, ["Persuasion", "Sanditon"]);
    let id = &books[0]["id"];
    let lent = call(&app, "books_lend", json!({ "id": id, "reader": "Ada" })).await;
    assert_eq!(lent["structuredContent"]["state"]["reader"], "Ada", "{lent}");
    assert!(!lent.to_string().contains("/loan"), "the header `Location` is HTTP's");
    let again = problem(&call(&app, "books_lend", json!({ "id": id, "reader": "Charles" })).await);
    assert_eq!(again["code"], "book_lent");
    assert!(again["detail"].as_str().is_some_and(|detail| detail.starts_with("Ada has it until")), "{again}");
    call(&app, "books_take_back", json!({ "id": id })).await;
    let back = call(&app, "books_show", json!({ "id": id })).await;
    assert_eq!(back["structuredContent"]["state"], json!({ "kind": "here" }));
}

#[bunbase::test]
async fn only_the_desk_lends() {
    let app = start().await;
    let call = json!({ "name": "books_lend", "arguments": { "id": 1, "reader": "Ada" } });
    let refused = problem(&send(&app, "guessed", "tools/call", &call).await);
    assert_eq!((&refused["status"], &refused["code"]), (&json!(401), &json!("api_key_unknown")));
}

#[bunbase::test]
async fn a_call_that_is_wrong_can_be_mended() {
    let app = start().await;
    let missing = problem(&call(&app, "books_show", json!({ "id": 99 })).await);
    assert_eq!((&missing["code"], &missing["detail"]), (&json!("book_missing"), &json!("the library has no book 99")));
    let wrong = problem(&call(&app, "books_lend", json!({ "id": 1, "reader": "", "days": 90 })).await);
    let pointers: Vec<_> = wrong["errors"].as_array().expect("a list").iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/reader", "/days"]);
}

#[bunbase::test]
async fn text_is_text() {
    let app = start().await;
    let printed = call(&app, "catalogue", json!({})).await;
    let text = printed["content"][0]["text"].as_str().expect("text");
    assert!(text.starts_with("id,title,author\n1,\"Frankenstein\""), "{text}");
    assert_eq!(text.lines().count(), 6);
}

#[bunbase::test]
async fn http_is_the_same_library() {
    let app = start().await;
    let request = app.post("/books/1/loan").header("X-Api-Key", KEY).json(&json!({ "reader": "Ada" }));
    let lent = request.send().await.assert_status(201);
    assert_eq!(lent.header("location"), Some("/books/1/loan"));
    let shown = call(&app, "books_show", json!({ "id": 1 })).await;
    assert_eq!(shown["structuredContent"], lent.json::<Value>());
    assert_eq!(app.get("/books/99").send().await.assert_status(404).code(), "book_missing");
    let text = app.get("/books/catalogue.csv").send().await.assert_status(200);
    assert_eq!(text.header("content-type"), Some("text/csv"));
}
