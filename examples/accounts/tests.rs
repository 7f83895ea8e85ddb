//! The example's own tests: `cargo test -p bunbase-examples --example accounts`.

use std::time::Duration;

use bunbase::testing::{TestApp, TestResponse};
use serde_json::{Value, json};

use crate::accounts::MakeAdmin;

const COOKIE: &str = "bunbase_session";
const PASSWORD: &str = "correct horse battery";

async fn start() -> TestApp {
    // Cheap, so that the test is fast.
    TestApp::start(crate::app().config("password.memory", "64KiB").config("password.passes", 1)).await
}

async fn sign_up(app: &TestApp, email: &str, password: &str) -> TestResponse {
    app.post("/accounts/sign-up").json(&json!({ "email": email, "password": password, "name": "Ann" })).send().await
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> TestResponse {
    app.post("/accounts/sign-in").json(&json!({ "email": email, "password": password })).send().await
}

/// Signs somebody in, and returns the cookie.
async fn cookie_of(app: &TestApp, email: &str) -> String {
    let answer = sign_in(app, email, PASSWORD).await.assert_status(200);
    answer.set_cookie(COOKIE).expect("a cookie").to_owned()
}

async fn get(app: &TestApp, path: &str, cookie: &str) -> TestResponse {
    app.get(path).cookie(COOKIE, cookie).send().await
}

#[bunbase::test]
async fn somebody_signs_up_in_and_out() {
    let app = start().await;
    app.get("/accounts/me").send().await.assert_status(401);
    let account = sign_up(&app, "Ann@Example.com", PASSWORD).await.assert_status(201);
    assert_eq!(account.json::<Value>()["email"], "ann@example.com");
    assert!(!account.text().contains("argon2"), "{account}");
    let cookie = cookie_of(&app, "ANN@example.com").await;
    let me = get(&app, "/accounts/me", &cookie).await.assert_status(200);
    assert_eq!(me.json::<Value>(), account.json::<Value>());
    let out = app.post("/accounts/sign-out").cookie(COOKIE, &cookie).header("sec-fetch-site", "same-origin");
    out.send().await.assert_status(204);
    assert_eq!(get(&app, "/accounts/me", &cookie).await.assert_status(401).code(), "session_ended");
}

#[bunbase::test]
async fn a_wrong_password_and_a_wrong_address_are_one_answer() {
    let app = start().await;
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    let without_trace = |answer: TestResponse| {
        let mut body: Value = answer.assert_status(401).json();
        body.as_object_mut().expect("a problem").remove("trace_id");
        body
    };
    let wrong = without_trace(sign_in(&app, "ann@example.com", "battery horse correct").await);
    assert_eq!(wrong, without_trace(sign_in(&app, "bob@example.com", PASSWORD).await));
    assert_eq!(wrong["code"], "credentials_wrong");
}

#[bunbase::test]
async fn passwords_that_are_guessed_and_addresses_that_are_taken_are_refused() {
    let app = start().await;
    for weak in ["short", "password123", "ann@example.com"] {
        assert_eq!(sign_up(&app, "ann@example.com", weak).await.assert_status(422).code(), "password_weak", "{weak}");
    }
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    assert_eq!(sign_up(&app, "ANN@example.com", PASSWORD).await.assert_status(409).code(), "email_taken");
    // Nobody makes themselves an administrator.
    let more = json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve", "role": "admin" });
    app.post("/accounts/sign-up").json(&more).send().await.assert_status(422);
}

#[bunbase::test]
async fn whoever_guesses_is_stopped_wherever_they_come_from() {
    let app = start().await;
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    let guess = |number: u8| {
        let body = json!({ "email": "ann@example.com", "password": format!("guess number {number}") });
        app.post("/accounts/sign-in").peer([203, 0, 113, number]).json(&body).send()
    };
    for number in 0..10 {
        guess(number).await.assert_status(401);
    }
    guess(10).await.assert_status(429);
    app.clock().advance(Duration::from_mins(17));
    sign_in(&app, "ann@example.com", PASSWORD).await.assert_status(200);
}

#[bunbase::test]
async fn an_administrator_is_one_who_has_signed_in_since() {
    let app = start().await;
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    let cookie = cookie_of(&app, "ann@example.com").await;
    assert_eq!(get(&app, "/accounts/admin", &cookie).await.assert_status(403).code(), "role_missing");
    app.call(MakeAdmin::new("ann@example.com".to_owned())).await.expect("there is such an account");
    get(&app, "/accounts/admin", &cookie).await.assert_status(401);
    let cookie = cookie_of(&app, "ann@example.com").await;
    let all = get(&app, "/accounts/admin", &cookie).await.assert_status(200).json::<Value>();
    assert_eq!(all[0]["email"], "ann@example.com");
    assert!(app.call(MakeAdmin::new("bob@example.com".to_owned())).await.is_err());
}

#[bunbase::test]
async fn a_machine_is_let_in_by_its_key() {
    let app = start().await;
    let ask = |key: &str| app.get("/accounts/report").header("x-api-key", key).send();
    assert_eq!(ask("let-the-machine-in").await.assert_status(200).json::<Value>()["accounts"], 0);
    assert_eq!(ask("let-me-in").await.assert_status(401).code(), "api_key_unknown");
    // A key is no session.
    app.get("/accounts/admin").header("x-api-key", "let-the-machine-in").send().await.assert_status(401);
}

#[bunbase::test]
async fn a_change_of_the_password_signs_out_all_other_devices() {
    let app = start().await;
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    let (phone, laptop) = (cookie_of(&app, "ann@example.com").await, cookie_of(&app, "ann@example.com").await);
    let change = async |current: &str, cookie: &str| {
        let body = json!({ "current": current, "new": "staple battery horse" });
        let request = app.put("/accounts/password").cookie(COOKIE, cookie).header("sec-fetch-site", "same-origin");
        request.json(&body).send().await
    };
    change("wrong horse battery", &phone).await.assert_status(401);
    let changed = change(PASSWORD, &phone).await.assert_status(200);
    get(&app, "/accounts/me", changed.set_cookie(COOKIE).expect("a cookie")).await.assert_status(200);
    for cookie in [&phone, &laptop] {
        get(&app, "/accounts/me", cookie).await.assert_status(401);
    }
    sign_in(&app, "ann@example.com", PASSWORD).await.assert_status(401);
    let cookie = sign_in(&app, "ann@example.com", "staple battery horse").await.assert_status(200);
    let cookie = cookie.set_cookie(COOKIE).expect("a cookie").to_owned();
    app.clock().advance(Duration::from_mins(16));
    assert_eq!(change("staple battery horse", &cookie).await.assert_status(401).code(), "step_up_required");
}

#[bunbase::test]
async fn of_two_changes_at_once_one_counts_and_nobody_else_stays_signed_in() {
    let app = start().await;
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    let (owner, thief) = (cookie_of(&app, "ann@example.com").await, cookie_of(&app, "ann@example.com").await);
    let change = async |new: &str, cookie: &str| {
        let request = app.put("/accounts/password").cookie(COOKIE, cookie).header("sec-fetch-site", "same-origin");
        request.json(&json!({ "current": PASSWORD, "new": new })).send().await
    };
    let new = ["staple battery horse", "horse staple battery"];
    let answers =
        tokio::join!(change(new[0], &owner), change(new[1], &thief), sign_in(&app, "ann@example.com", PASSWORD));
    let (changed, signed_in) = ([answers.0, answers.1], answers.2);
    let mut statuses = changed.each_ref().map(|answer| answer.status());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    for (password, answer) in new.iter().zip(&changed) {
        sign_in(&app, "ann@example.com", password).await.assert_status(answer.status());
    }
    sign_in(&app, "ann@example.com", PASSWORD).await.assert_status(401);
    // Whoever was signing in by the old password meanwhile is not signed in by it now.
    for cookie in signed_in.set_cookie(COOKIE).into_iter().chain([owner.as_str(), thief.as_str()]) {
        get(&app, "/accounts/me", cookie).await.assert_status(401);
    }
}

#[bunbase::test]
async fn passwords_are_in_no_record() {
    let app = TestApp::start(crate::app().config("persistence.inputs", true).config("password.memory", "64KiB")).await;
    sign_up(&app, "ann@example.com", PASSWORD).await.assert_status(201);
    sign_in(&app, "ann@example.com", "battery horse correct").await.assert_status(401);
    app.runs::<crate::accounts::SignIn>().await;
    let rows: Vec<(String,)> =
        app.db().sql("SELECT input FROM action_runs WHERE input IS NOT NULL").columns().await.expect("it answers");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|(input,)| input.contains("ann@") && !input.contains("horse")), "{rows:?}");
}

#[bunbase::test]
async fn the_page_may_load_nothing_but_its_own() {
    let app = start().await;
    let page = app.get("/").send().await.assert_status(200);
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'self'")));
    for path in ["/page.js", "/page.css"] {
        assert!(page.text().contains(path));
        app.get(path).send().await.assert_status(200);
    }
}
