//! Cross-origin rules: closed, open for listed origins, and what a preflight is told.

use bunbase::{
    prelude::*,
    testing::{TestApp, TestResponse},
};

bunbase::module!(prefix = "/t/cors");

/// Something to read.
#[action(get = "/thing")]
async fn thing() -> Result<String> {
    Ok("thing".into())
}

/// Something to do.
#[action(post = "/thing")]
async fn act(word: String) -> Result<String> {
    Ok(word)
}

const ORIGIN: &str = "https://app.example.com";

async fn open() -> TestApp {
    TestApp::start(App::new().config("cors.origins", vec![ORIGIN]).config("cors.credentials", true)).await
}

async fn preflight(app: &TestApp, origin: &str, method: &str) -> TestResponse {
    let request = app.request("OPTIONS", "/t/cors/thing").header("origin", origin);
    request
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "content-type")
        .send()
        .await
}

fn allows(answer: &TestResponse) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

/// Returns the names of the headers by which a server opens itself to other origins.
fn rules(answer: &TestResponse) -> Vec<String> {
    let names = ["origin", "credentials", "methods", "headers"].map(|what| format!("access-control-allow-{what}"));
    let more = ["access-control-expose-headers", "access-control-max-age"].map(str::to_owned);
    names.into_iter().chain(more).filter(|name| answer.header(name).is_some()).collect()
}

/// Whether a cache keeps the answers to different origins apart.
fn varies(answer: &TestResponse) -> bool {
    answer.headers("vary").join(",").to_lowercase().contains("origin")
}

#[tokio::test]
async fn nobody_is_allowed_unless_said() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/cors/thing").header("origin", ORIGIN).send().await.assert_status(200);
    assert_eq!((rules(&answer), varies(&answer)), (Vec::new(), false));
    assert_eq!(rules(&preflight(&app, ORIGIN, "POST").await), Vec::<String>::new());
}

#[tokio::test]
async fn a_listed_origin_may_read_what_is_answered() {
    let app = open().await;
    for (path, status) in [("/t/cors/thing", 200), ("/nowhere", 404)] {
        let answer = app.get(path).header("origin", ORIGIN).send().await.assert_status(status);
        assert_eq!((allows(&answer), answer.header("access-control-allow-credentials")), (Some(ORIGIN), Some("true")));
        assert!(varies(&answer));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("x-trace-id"));
        assert_eq!(answer.headers("x-trace-id").len(), 1);
    }
}

#[tokio::test]
async fn a_preflight_is_told_what_is_allowed() {
    let app = open().await;
    let answer = preflight(&app, ORIGIN, "POST").await;
    assert!(matches!(answer.status(), 200 | 204), "{}", answer.status());
    assert_eq!((allows(&answer), answer.header("access-control-max-age")), (Some(ORIGIN), Some("86400")));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("PATCH"));
    assert!(answer.header("access-control-allow-headers").unwrap().to_lowercase().contains("content-type"));
    assert!(varies(&answer));
    assert_eq!(answer.header("x-trace-id").map(str::len), Some(32));
}

#[tokio::test]
async fn another_origin_is_not_allowed() {
    let app = open().await;
    let answer = app.get("/t/cors/thing").header("origin", "https://evil.example").send().await;
    assert_eq!(rules(&answer), Vec::<String>::new());
    assert!(varies(&answer));
    let refused = preflight(&app, "https://evil.example", "POST").await.assert_status(400);
    assert_eq!((allows(&refused), refused.header("content-type")), (None, Some("application/problem+json")));
    assert_eq!((rules(&refused), varies(&refused)), (Vec::new(), true));
    let refused = preflight(&app, ORIGIN, "TRACE").await.assert_status(400);
    assert_eq!(refused.header("x-trace-id").map(str::len), Some(32));
}

#[tokio::test]
async fn without_an_origin_nothing_changes() {
    let app = open().await;
    let answer = app.get("/t/cors/thing").send().await.assert_status(200);
    assert_eq!((rules(&answer), varies(&answer)), (Vec::new(), true));
    let options = app.request("OPTIONS", "/t/cors/thing").send().await.assert_status(204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
}

#[tokio::test]
async fn a_star_allows_all_without_credentials() {
    let app = TestApp::start(App::new().config("cors.origins", vec!["*"])).await;
    let answer = app.get("/t/cors/thing").header("origin", "https://any.example").send().await.assert_status(200);
    assert_eq!((allows(&answer), answer.header("access-control-allow-credentials")), (Some("*"), None));
    assert!(varies(&answer));
    let answer = preflight(&app, "https://any.example", "POST").await;
    assert_eq!((allows(&answer), answer.header("access-control-allow-credentials")), (Some("*"), None));
}
