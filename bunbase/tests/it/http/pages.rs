//! What is built in, and who may see it.

use bunbase::{
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-thirty-two-bytes-or-more";
const PAGES: [&str; 5] = ["/docs", "/docs/boot.js", "/openapi.json", "/_metrics", "/mcp"];
const KEYS: [&str; 5] = ["docs.access", "openapi.access", "metrics.access", "mcp.access", "health.access"];

/// An application all of whose pages have this access.
fn with_access(access: &str) -> App {
    KEYS.iter().fold(App::new().config("log.level", "off"), |app, key| app.config(key, access))
}

/// Asks for a page as its callers do. What is there answers 200, or what it says to an empty message.
async fn ask(app: &TestApp, path: &str, token: Option<&str>) -> u16 {
    let request =
        if path == "/mcp" { app.post(path).json(&json!({})) } else { app.get(path) }.header("host", "localhost");
    let request = match token {
        Some(token) => request.header("authorization", &format!("Bearer {token}")),
        None => request,
    };
    let answer = request.send().await;
    if answer.status() == 401 {
        assert_eq!(
            (answer.header("www-authenticate"), answer.code().as_str()),
            (Some("Bearer"), "unauthorized"),
            "{path}"
        );
        assert!(!answer.text().contains(TOKEN));
    }
    // What a message is answered that is none.
    if path == "/mcp" && answer.status() == 406 { 200 } else { answer.status() }
}

/// Whether `/_health` shows more than the status.
async fn shows_details(app: &TestApp, token: Option<&str>) -> bool {
    let request = app.get("/_health");
    let request = match token {
        Some(token) => request.header("authorization", &format!("Bearer {token}")),
        None => request,
    };
    let report: Value = request.send().await.assert_status(200).json();
    assert_eq!(report["status"], "ok");
    let members = report.as_object().unwrap().len();
    assert!(members == 1 || report["checks"].is_array(), "{report}");
    members > 1
}

#[tokio::test]
async fn in_development_everybody_sees_them() {
    let app = TestApp::start(App::new()).await;
    for path in PAGES {
        assert_eq!(ask(&app, path, None).await, 200, "{path}");
    }
    assert!(shows_details(&app, None).await);
}

#[tokio::test]
async fn with_a_token_only_who_sends_it_sees_them() {
    let app = TestApp::start(with_access("token").config("admin.token", TOKEN)).await;
    for path in PAGES {
        assert_eq!(ask(&app, path, None).await, 401, "{path}");
        assert_eq!(ask(&app, path, Some("another-token-of-thirty-two-bytes")).await, 401, "{path}");
        assert_eq!(ask(&app, path, Some(TOKEN)).await, 200, "{path}");
    }
    assert!(!shows_details(&app, None).await && !shows_details(&app, Some("another")).await);
    assert!(shows_details(&app, Some(TOKEN)).await);
    for path in ["/_health/live", "/_health/ready"] {
        app.get(path).send().await.assert_status(200);
    }
}

#[tokio::test]
async fn without_a_token_what_needs_one_is_not_there() {
    let app = TestApp::start(with_access("token")).await;
    for path in PAGES {
        for token in [None, Some(TOKEN), Some("")] {
            assert_eq!(ask(&app, path, token).await, 404, "{path}");
        }
    }
    assert!(!shows_details(&app, None).await && !shows_details(&app, Some("")).await);
}

#[tokio::test]
async fn what_is_off_is_nowhere() {
    let app =
        ListeningApp::start(with_access("off").config("admin.addr", "127.0.0.1:0").config("admin.token", TOKEN)).await;
    let admin = app.admin_address();
    for path in PAGES {
        for base in [app.address(), admin] {
            let answer =
                reqwest::Client::new().get(format!("http://{base}{path}")).bearer_auth(TOKEN).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{base}{path}");
        }
    }
    let report: Value = reqwest::get(format!("http://{admin}/_health")).await.unwrap().json().await.unwrap();
    assert_eq!(report, json!({ "status": "ok" }));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn at_an_address_of_their_own_they_are_open_and_nothing_else_is_there() {
    for access in ["admin", "token"] {
        let app = ListeningApp::start(with_access(access).config("admin.addr", "127.0.0.1:0")).await;
        let admin = app.admin_address();
        let status = async |base, path: &str| {
            let client = reqwest::Client::new();
            let url = format!("http://{base}{path}");
            let request = if path == "/mcp" { client.post(url).body("{}") } else { client.get(url) };
            request.send().await.unwrap().status().as_u16()
        };
        for path in PAGES {
            assert_eq!(status(app.address(), path).await, 404, "{path}");
            let expected = if path == "/mcp" { 406 } else { 200 };
            assert_eq!(status(admin, path).await, expected, "{path}");
        }
        let report: Value = reqwest::get(format!("http://{admin}/_health")).await.unwrap().json().await.unwrap();
        assert!(report["checks"].is_array(), "{report}");
        assert_eq!(status(app.address(), "/t/headers/data").await, 200);
        assert_eq!(status(admin, "/t/headers/data").await, 404);
        // A page whose name leads here does not read it either.
        let rebound = reqwest::Client::new().get(format!("http://{admin}/_metrics")).header("host", "evil.example");
        assert_eq!(rebound.send().await.unwrap().status(), 421);
        app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn at_an_address_that_others_reach_they_ask_for_the_token() {
    for access in ["admin", "token", "public"] {
        let app = with_access(access).config("admin.addr", "0.0.0.0:0").config("admin.token", TOKEN);
        let app = ListeningApp::start(app).await;
        let port = app.admin_address().port();
        let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
        let ask = async |path: &str, token: Option<&str>| {
            let client = reqwest::Client::new();
            let request = if path == "/mcp" { client.post(url(path)).body("{}") } else { client.get(url(path)) };
            let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
            request.send().await.unwrap()
        };
        for path in PAGES {
            let seen = if path == "/mcp" { 406 } else { 200 };
            let strangers = if access == "public" { seen } else { 401 };
            assert_eq!(ask(path, None).await.status(), strangers, "{access} {path}");
            assert_eq!(
                ask(path, Some("another-token-of-thirty-two-bytes")).await.status(),
                strangers,
                "{access} {path}"
            );
            assert_eq!(ask(path, Some(TOKEN)).await.status(), seen, "{access} {path}");
        }
        let details = async |token| ask("/_health", token).await.json::<Value>().await.unwrap()["checks"].is_array();
        assert_eq!([details(None).await, details(Some(TOKEN)).await], [access == "public", true], "{access}");
        // An orchestrator has no token.
        assert_eq!([ask("/_health/live", None).await.status(), ask("/_health/ready", None).await.status()], [200, 200]);
        app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn metrics_may_have_a_token_of_their_own() {
    let own = "a-token-of-metrics-alone-of-32-bytes";
    let app = with_access("token").config("admin.token", TOKEN).config("metrics.token", own);
    let app = TestApp::start(app).await;
    assert_eq!([ask(&app, "/_metrics", Some(own)).await, ask(&app, "/_metrics", Some(TOKEN)).await], [200, 401]);
    assert_eq!([ask(&app, "/docs", Some(own)).await, ask(&app, "/docs", Some(TOKEN)).await], [401, 200]);
}
