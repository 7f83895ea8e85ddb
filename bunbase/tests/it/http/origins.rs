//! Requests that pages of other origins make in a user's name.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use bunbase::{
    prelude::*,
    testing::{ListeningApp, TestApp, TestRequest, TestResponse},
    webhook::{self, Delivery},
};
use serde_json::json;

bunbase::module!(prefix = "/t/origins");

/// Changes something.
#[action(post = "/thing", put = "/thing", patch = "/thing", delete = "/thing")]
async fn change_thing() -> Result<String> {
    Ok("changed".into())
}

/// Shows something.
#[action(get = "/thing")]
async fn show_thing() -> Result<String> {
    Ok("shown".into())
}

/// Tells how it was reached.
#[action(get = "/reached")]
async fn reached(ctx: Ctx) -> Result<String> {
    let request = ctx.request().ok_or_else(|| bunbase::Error::internal("no request"))?;
    Ok(format!("{} {}", request.scheme(), request.host().unwrap_or("-")))
}

/// Takes a delivery that a browser could have sent, as far as it looks.
#[action(webhook = "/hook", verify = unsigned())]
async fn take_hook() -> Result<()> {
    Ok(())
}

struct Unsigned;

impl webhook::Verify for Unsigned {
    fn verify(&self, _delivery: &Delivery<'_>) -> Result<String> {
        Ok("1".to_owned())
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

fn unsigned() -> Unsigned {
    Unsigned
}

const LISTED: &str = "https://app.example.com";
const FOREIGN: [(&str, &str); 3] =
    [("cookie", "a=b"), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];

fn with<'a>(request: TestRequest<'a>, headers: &[(&str, &str)]) -> TestRequest<'a> {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

#[track_caller]
fn assert_refused(answer: &TestResponse) {
    assert_eq!((answer.status(), answer.code().as_str()), (403, "csrf_refused"), "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.header("x-trace-id").is_some());
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_with_the_cookies_of_its_visitor() {
    let app = TestApp::start(App::new()).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = with(app.request(method, "/t/origins/thing"), &FOREIGN).send().await;
        assert_refused(&answer);
        assert!(answer.text().contains("cors.origins"), "{answer}");
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        let status = with(app.request(method, "/t/origins/thing"), &FOREIGN).send().await.status();
        assert!(matches!(status, 200 | 204), "{method} {status}");
    }
    // Even where there is nothing.
    assert_refused(&with(app.post("/nowhere"), &FOREIGN).send().await);
}

/// Signs in whoever says so.
#[action(post = "/sign-in", status = 204)]
async fn sign_in(ctx: Ctx, user: String) -> Result<()> {
    ctx.session().sign_in(bunbase::session::Grant::user(user)).await.map(drop)
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_in_by_a_request_without_a_cookie() {
    let app = TestApp::start(App::new()).await;
    let body = json!({ "user": "eve" });
    for headers in [&FOREIGN[1..], &FOREIGN[2..], &[("origin", "null")]] {
        let answer = with(app.post("/t/origins/sign-in"), headers).json(&body).send().await;
        assert_refused(&answer);
        assert_eq!(answer.set_cookie("bunbase_session"), None);
    }
    let own = app.post("/t/origins/sign-in").header("host", "localhost:3000").header("origin", "http://localhost:3000");
    own.json(&body).send().await.assert_status(204);
    let listed = TestApp::start(App::new().config("cors.origins", vec![LISTED])).await;
    let request = listed.post("/t/origins/sign-in").header("origin", LISTED);
    request.json(&body).send().await.assert_status(204);
}

#[tokio::test]
async fn without_a_word_on_its_page_a_form_is_no_json() {
    let app = TestApp::start(App::new()).await;
    let body = r#"{"user": "eve"}"#;
    // What a form can send without asking first.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"] {
        let answer = app.post("/t/origins/sign-in").header("content-type", kind).body(body).send().await;
        assert_eq!((answer.status(), answer.set_cookie("bunbase_session")), (415, None), "{kind}");
    }
    // A program.
    let json = app.post("/t/origins/sign-in").header("content-type", "application/json").body(body);
    json.send().await.assert_status(204);
}

#[tokio::test]
async fn a_page_of_ones_own_and_a_program_are_let_in() {
    let app = TestApp::start(App::new()).await;
    for headers in [
        &[("cookie", "bunbase_session=x"), ("sec-fetch-site", "same-origin")][..],
        &[("cookie", "bunbase_session=x"), ("origin", "http://localhost:3000"), ("host", "localhost:3000")],
        &[("authorization", "Bearer x")],
        &[("cookie", "a=b")],
    ] {
        with(app.post("/t/origins/thing"), headers).send().await.assert_status(200);
    }
}

#[tokio::test]
async fn a_session_without_a_word_on_the_page_needs_its_token() {
    let app = TestApp::start(App::new()).await;
    for cookie in ["bunbase_session=x", "__Host-bunbase_session=x"] {
        let refused = app.post("/t/origins/thing").header("cookie", cookie).send().await;
        assert_refused(&refused);
        assert!(refused.text().contains("X-CSRF-Token"), "{refused}");
    }
}

#[tokio::test]
async fn a_listed_origin_needs_the_word_on_credentials_for_cookies() {
    let headers = [("cookie", "a=b"), ("sec-fetch-site", "cross-site"), ("origin", LISTED)];
    let open = App::new().config("cors.origins", vec![LISTED]);
    let app = TestApp::start(open).await;
    let refused = with(app.post("/t/origins/thing"), &headers).send().await;
    assert_refused(&refused);
    // Its page may read why.
    assert_eq!(refused.header("access-control-allow-origin"), Some(LISTED));
    with(app.post("/t/origins/thing"), &headers[1..]).send().await.assert_status(200);
    let open = App::new().config("cors.origins", vec![LISTED]).config("cors.credentials", true);
    let app = TestApp::start(open).await;
    with(app.post("/t/origins/thing"), &headers).send().await.assert_status(200);
    assert_refused(&with(app.post("/t/origins/thing"), &FOREIGN).send().await);
}

#[tokio::test]
async fn tools_and_mounted_services_are_behind_the_same_gate() {
    let app = TestApp::start(App::new()).await;
    assert_refused(&with(app.post("/mcp"), &FOREIGN).header("host", "localhost").json(&json!({})).send().await);
    let mounted = App::new().configure(|config| {
        config.route("/t/origins/mounted", web::post().to(async || HttpResponse::Ok().body("changed")));
    });
    let app = TestApp::start(mounted.config("http.allowed_hosts", vec!["app.test"])).await;
    let to = |path: &str| app.post(path).header("host", "app.test");
    for path in ["/t/origins/mounted", "/t/origins/thing"] {
        assert_refused(&with(to(path), &FOREIGN).send().await);
        to(path).send().await.assert_status(200);
        let refused = app.post(path).header("host", "evil.test").send().await;
        assert_eq!((refused.status(), refused.code().as_str()), (421, "host_refused"), "{path}");
        assert_eq!(refused.headers("x-trace-id").len(), 1);
    }
}

#[tokio::test]
async fn webhooks_exempt_paths_and_a_switch() {
    let app = TestApp::start(App::new().config("security.csrf_exempt", vec!["/t/origins/thing"])).await;
    with(app.post("/t/origins/hook"), &FOREIGN).send().await.assert_status(202);
    with(app.post("/t/origins/thing"), &FOREIGN).send().await.assert_status(200);
    assert_refused(&with(app.post("/t/origins/thing/"), &FOREIGN).send().await);
    let app = TestApp::start(App::new().config("security.csrf", false)).await;
    with(app.post("/t/origins/thing"), &FOREIGN).send().await.assert_status(200);
}

#[tokio::test]
async fn in_development_a_name_that_leads_here_is_not_enough() {
    let app = TestApp::start(App::new()).await;
    let at = |host: &str| app.get("/t/origins/thing").header("host", host).send();
    for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "acme.localhost"] {
        at(host).await.assert_status(200);
    }
    for host in ["evil.example", "evil.example:3000", "127.0.0.1.evil.example"] {
        let refused = at(host).await.assert_status(421);
        assert_eq!((refused.code().as_str(), refused.text().contains("http.allowed_hosts")), ("host_refused", true));
    }
    let listed = App::new().config("http.allowed_hosts", vec!["*.example.org"]);
    let app = TestApp::start(listed).await;
    for (host, status) in [("a.example.org", 200), ("localhost", 200), ("example.com", 421)] {
        app.get("/t/origins/thing").header("host", host).send().await.assert_status(status);
    }
    // Who looks whether it lives calls it by its address.
    app.get("/_health/live").header("host", "10.0.0.7.cluster").send().await.assert_status(200);
    app.get("/_health").header("host", "10.0.0.7.cluster").send().await.assert_status(421);
}

#[tokio::test]
async fn outside_of_development_every_name_is_taken_unless_some_are_listed() {
    let app = TestApp::start(App::new().config("http.host", "0.0.0.0")).await;
    app.get("/t/origins/thing").header("host", "app.example").send().await.assert_status(200);
}

#[tokio::test]
async fn the_scheme_and_the_host_are_what_a_trusted_proxy_says() {
    let trusting =
        App::new().config("http.trusted_proxies", vec!["127.0.0.1"]).config("http.allowed_hosts", vec!["app.test"]);
    let app = TestApp::start(trusting).await;
    let said = [("host", "upstream"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "app.test")];
    let answer = with(app.get("/t/origins/reached"), &said).send().await.assert_status(200);
    assert_eq!(answer.json::<String>(), "https app.test");
    let stranger = with(app.get("/t/origins/reached"), &said).peer([192, 0, 2, 1]).header("x-a", "b");
    assert_eq!(stranger.send().await.status(), 421);
    let app = TestApp::start(App::new()).await;
    let answer = with(app.get("/t/origins/reached"), &said[1..]).header("host", "localhost:1").send().await;
    assert_eq!(answer.json::<String>(), "http localhost:1");
}

#[tokio::test]
async fn the_host_in_the_request_line_is_the_one_that_counts() {
    let app = Arc::new(ListeningApp::start(App::new()).await);
    let ask = async |line: &str, host: &str| {
        let request = format!("GET {line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        super::wire::exchange(&app, request.as_bytes()).await
    };
    let good = ask("http://localhost/t/origins/reached", "evil.example").await;
    assert!(good.starts_with("HTTP/1.1 200") && good.ends_with("\"http localhost\""), "{good}");
    let bad = ask("http://evil.example/t/origins/reached", "localhost").await;
    assert!(bad.starts_with("HTTP/1.1 421"), "{bad}");
}
