//! Calling tools: answers, errors, guards.

use bunbase::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::{call, message, newest, problem, result};

bunbase::module!(name = "mcp_calls", prefix = "/t/mcp/calls/{shelf}");

const KEY: &str = "let-me-in-please-0123456789";

/// A book on a shelf.
#[schema]
struct Book {
    shelf: i64,
    title: String,
}

/// A book, and more that only HTTP says.
#[schema]
struct Added {
    #[body]
    book: Book,
    #[header("Location")]
    location: String,
    #[cookie("last", http_only)]
    last: String,
}

#[derive(ActionError, Debug)]
enum BookError {
    /// There is such a book.
    #[error(status = 409, code = "book_known", "`{0}` is on the shelf already")]
    Known(String),
    #[error(internal)]
    Io(#[from] std::io::Error),
}

/// Adds a book.
#[action(post = "/books", status = 201, tool)]
async fn add(
    #[path] shelf: i64,
    #[validate(length(min = 1, max = 20))] title: String,
    #[header("X-Source")] source: Option<String>,
    #[query] copies: Option<u8>,
) -> Result<Added, BookError> {
    match title.as_str() {
        "Emma" => Err(BookError::Known(title)),
        "Ulysses" => Err(std::io::Error::other("the shelf broke").into()),
        "Beloved" => panic!("the librarian fainted"),
        _ => {
            let title = format!("{title} {} {}", source.unwrap_or_default(), copies.unwrap_or(1));
            let location = "/secret".to_owned();
            Ok(Added { book: Book { shelf, title }, location, last: "secret".to_owned() })
        }
    }
}

/// Counts books.
#[action(get = "/count", tool = "count-books")]
async fn count(#[path] shelf: i64) -> Result<i64> {
    Ok(shelf * 2)
}

/// Empties a shelf.
#[action(delete = "/books", tool)]
async fn empty(#[path] shelf: i64) -> Result<()> {
    tracing::info!(shelf, "emptied");
    Ok(())
}

/// Says who calls.
#[action(tool, guards = [api_key()])]
async fn who(ctx: Ctx, #[guard] caller: ApiKey, shelf: i64) -> Result<String> {
    let path = ctx.path_param::<i64>("shelf")?;
    Ok(format!("{} {} {shelf} {path}", caller.holder, ctx.door()))
}

async fn app() -> TestApp {
    TestApp::start(App::new().state(ApiKeys::new().with("ann", KEY))).await
}

#[tokio::test]
async fn a_tool_takes_all_fields_by_their_names_and_answers_the_body_alone() {
    let app = app().await;
    let arguments = json!({ "shelf": 3, "title": "Persuasion", "source": "shop", "copies": 2 });
    let answer = call(&app, "mcp_calls_add", &arguments).send().await;
    let book = json!({ "shelf": 3, "title": "Persuasion shop 2" });
    let told = result(answer);
    assert_eq!(told["structuredContent"], book);
    assert_eq!(told["content"], json!([{ "type": "text", "text": book.to_string() }]));
    assert_ne!(told["isError"], true);
    assert!(!told.to_string().contains("secret"), "{told}");
}

#[tokio::test]
async fn the_headers_of_an_output_reach_the_exchange_neither() {
    let app = app().await;
    let answer = call(&app, "mcp_calls_add", &json!({ "shelf": 3, "title": "Persuasion" })).send().await;
    assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
}

#[tokio::test]
async fn other_json_is_wrapped_and_nothing_is_nothing() {
    let app = app().await;
    let told = result(call(&app, "count-books", &json!({ "shelf": 4 })).send().await);
    assert_eq!(told["structuredContent"], json!({ "result": 8 }));
    let told = result(call(&app, "mcp_calls_empty", &json!({ "shelf": 4 })).send().await);
    assert_eq!(told["content"], json!([]));
}

#[tokio::test]
async fn an_error_of_the_action_is_an_answer_that_a_model_can_read() {
    let app = app().await;
    let add = |title: &str| call(&app, "mcp_calls_add", &json!({ "shelf": 3, "title": title }));
    let known = problem(add("Emma").send().await);
    assert_eq!((&known["status"], &known["code"]), (&json!(409), &json!("book_known")));
    assert_eq!(known["detail"], "`Emma` is on the shelf already");
    for title in ["Ulysses", "Beloved"] {
        let failed = problem(add(title).send().await);
        assert_eq!((&failed["status"], &failed["code"]), (&json!(500), &json!("internal")));
        assert!(!failed.to_string().contains("broke") && !failed.to_string().contains("fainted"), "{failed}");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let app = app().await;
    let arguments = json!({ "shelf": "x", "title": "", "copies": 300, "colour": "red" });
    let wrong = problem(call(&app, "mcp_calls_add", &arguments).send().await);
    assert_eq!((&wrong["status"], &wrong["code"]), (&json!(422), &json!("invalid_input")));
    let pointers: Vec<_> = wrong["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/colour", "/shelf", "/title", "/copies"]);
    let none = message("tools/call", json!({ "name": "mcp_calls_add" }));
    let missing = problem(newest(&app, "tools/call", Some("mcp_calls_add")).json(&none).send().await);
    assert_eq!(missing["errors"].as_array().unwrap().len(), 2, "{missing}");
}

#[tokio::test]
async fn guards_see_the_requests_headers() {
    let app = app().await;
    let who = || call(&app, "mcp_calls_who", &json!({ "shelf": 7 }));
    let told = result(who().header("x-api-key", KEY).send().await);
    assert_eq!(told["structuredContent"]["result"], "ann tool 7 7");
    for (key, code) in [(None, "api_key_missing"), (Some("wrong"), "api_key_unknown")] {
        let request = match key {
            Some(key) => who().header("x-api-key", key),
            None => who(),
        };
        let refused = problem(request.send().await);
        assert_eq!((&refused["status"], &refused["code"]), (&json!(401), &json!(code)));
    }
}

#[tokio::test]
async fn a_refusal_comes_before_the_input_is_looked_at() {
    let app = app().await;
    let refused = problem(call(&app, "mcp_calls_who", &json!({ "shelf": "x", "colour": "red" })).send().await);
    assert_eq!(refused["code"], "api_key_missing");
}

#[tokio::test]
async fn a_call_belongs_to_the_callers_trace() {
    let app = app().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = call(&app, "count-books", &json!({ "shelf": "x" })).header("traceparent", parent).send().await;
    let wrong: Value = problem(answer);
    assert_eq!(wrong["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}
