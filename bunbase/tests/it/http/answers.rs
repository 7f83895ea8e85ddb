//! What actions answer: status, headers, cookies, content types.

use bunbase::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

bunbase::module!(prefix = "/t/answers");

/// A thing.
#[schema]
struct Thing {
    id: i64,
}

/// A thing and all that goes around it.
#[schema]
struct Wrapped {
    id: i64,
    #[header("X-Total")]
    total: u32,
    #[header]
    request_source: Option<String>,
    #[cookie(
        "session",
        http_only,
        secure,
        partitioned,
        same_site = "none",
        max_age = "1h",
        path = "/t",
        domain = "example.com"
    )]
    session: String,
    #[cookie]
    plain: i64,
    #[cookie]
    gone: Option<String>,
}

/// Accepts.
#[action(post = "/accepted", status = 202)]
async fn accept() -> Result<Thing> {
    Ok(Thing { id: 1 })
}

/// Computes; a plain function does not wait.
#[action(get = "/squares")]
fn squares(of: Vec<u32>) -> Result<Vec<u32>> {
    Ok(of.into_iter().map(|number| number * number).collect())
}

/// Does something.
#[action(post = "/nothing")]
async fn nothing() -> Result<()> {
    Ok(())
}

/// Creates.
#[action(post = "/created")]
async fn create() -> Result<Created<Thing>> {
    Ok(Created::at("/t/answers/things/5", Thing { id: 5 }))
}

/// Redirects.
#[action(get = "/elsewhere")]
async fn elsewhere() -> Result<Redirect> {
    Ok(Redirect::to("/t/answers/nothing?a=b"))
}

/// Redirects with the same method.
#[action(post = "/again", status = 307)]
async fn again() -> Result<Redirect> {
    Ok(Redirect::to("https://example.com/"))
}

/// Bytes.
#[action(get = "/bytes")]
async fn raw_bytes() -> Result<Bytes> {
    Ok(Bytes::from_static(b"\x00\xff"))
}

/// An image.
#[action(get = "/image", content_type = "image/png")]
async fn image() -> Result<Bytes> {
    Ok(Bytes::from_static(b"\x89PNG"))
}

/// A table.
#[action(get = "/table", content_type = "text/csv; charset=utf-8")]
async fn table() -> Result<Text> {
    Ok("a,b\n".into())
}

/// Text.
#[action(get = "/text")]
async fn plain_text() -> Result<Text> {
    Ok("é".into())
}

/// A page.
#[action(get = "/html")]
async fn html_page() -> Result<Html> {
    Ok("<p>é</p>".into())
}

/// Everything at once.
#[action(get = "/wrapped")]
async fn wrap() -> Result<Wrapped> {
    let (session, gone) = ("a b;é".into(), None);
    Ok(Wrapped { id: 3, total: 9, request_source: None, session, plain: -1, gone })
}

/// A list by pages.
#[action(get = "/things")]
async fn list_things(limit: Limit, cursor: Option<Cursor>) -> Result<Page<Thing>> {
    assert!(cursor.is_none());
    Ok(Page { items: (0..i64::from(limit.get())).map(|id| Thing { id }).collect(), next_cursor: None })
}

/// A header that HTTP cannot carry.
#[action(get = "/broken")]
async fn broken() -> Result<Wrapped> {
    let (session, request_source) = (String::new(), Some("two\nlines".into()));
    Ok(Wrapped { id: 3, total: 9, request_source, session, plain: -1, gone: None })
}

#[tokio::test]
async fn a_plain_function_computes_its_answer() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/answers/squares?of=2&of=3").send().await.assert_status(200);
    assert_eq!(answer.json::<Vec<u32>>(), [4, 9]);
}

#[tokio::test]
async fn a_status_is_what_the_action_says() {
    let app = TestApp::start(App::new()).await;
    app.post("/t/answers/accepted").send().await.assert_status(202);
    let nothing = app.post("/t/answers/nothing").send().await.assert_status(204);
    assert!(nothing.bytes().is_empty() && nothing.header("content-type").is_none());
}

#[tokio::test]
async fn created_says_where() {
    let app = TestApp::start(App::new()).await;
    let answer = app.post("/t/answers/created").send().await.assert_status(201);
    assert_eq!((answer.header("location"), answer.json::<Value>()), (Some("/t/answers/things/5"), json!({"id": 5})));
}

#[tokio::test]
async fn redirects_have_the_status_that_is_meant() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/answers/elsewhere").send().await.assert_status(303);
    assert_eq!(answer.header("location"), Some("/t/answers/nothing?a=b"));
    assert!(answer.bytes().is_empty());
    app.post("/t/answers/again").send().await.assert_status(307);
}

#[tokio::test]
async fn raw_answers_have_their_content_type() {
    let app = TestApp::start(App::new()).await;
    for (path, kind, body) in [
        ("bytes", "application/octet-stream", &b"\x00\xff"[..]),
        ("image", "image/png", b"\x89PNG"),
        ("table", "text/csv; charset=utf-8", b"a,b\n"),
        ("text", "text/plain; charset=utf-8", "é".as_bytes()),
        ("html", "text/html; charset=utf-8", "<p>é</p>".as_bytes()),
    ] {
        let answer = app.get(&format!("/t/answers/{path}")).send().await.assert_status(200);
        assert_eq!((answer.header("content-type"), answer.bytes().as_ref()), (Some(kind), body));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn headers_and_cookies_leave_the_body() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/answers/wrapped").send().await.assert_status(200);
    assert_eq!(answer.json::<Value>(), json!({"id": 3}));
    assert_eq!((answer.header("x-total"), answer.header("request-source")), (Some("9"), None));
    let cookies = answer.headers("set-cookie");
    let parts: Vec<_> = cookies[0].split("; ").collect();
    assert_eq!(parts[0], "session=a%20b%3B%C3%A9");
    for part in ["HttpOnly", "Secure", "SameSite=None", "Path=/t", "Domain=example.com", "Max-Age=3600", "Partitioned"]
    {
        assert!(parts.contains(&part), "{part}: {parts:?}");
    }
    assert_eq!(cookies[1], "plain=-1; Path=/");
    assert!(cookies[2].starts_with("gone=;") && cookies[2].contains("Max-Age=0"), "{}", cookies[2]);
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_a_hidden_500() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/answers/broken").send().await.assert_status(500);
    assert!(!answer.text().contains("Request-Source") && !answer.text().contains("lines"), "{answer}");
}

#[tokio::test]
async fn a_page_has_items_and_a_capped_limit() {
    let app = TestApp::start(App::new()).await;
    let page: Value = app.get("/t/answers/things").send().await.assert_status(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 20);
    for limit in ["0", "101", "-1", "x"] {
        let answer = app.get(&format!("/t/answers/things?limit={limit}")).send().await;
        assert_eq!(super::mistakes(&answer).len(), 1);
    }
}
