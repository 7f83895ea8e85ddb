//! What guards let through, behind every door, and what they tell the document.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::mcp::{call, listed, problem, result};

async fn status(app: &TestApp, uri: &str, token: &str) -> (u16, String) {
    let answer = app.get(uri).bearer(token).send().await;
    (answer.status(), if answer.status() == 200 { String::new() } else { answer.code() })
}

#[bunbase::test]
async fn roles_and_permissions_are_asked_for() {
    let app = TestApp::start(app()).await;
    let editor = app.sign_in(grant("ann")).await;
    let admin = app.sign_in(Grant::user("bob").role("admin").permission("users:*")).await;
    let any = app.sign_in(Grant::user("eve").role("Admin").permission("*")).await;
    let refused = |code: &str| (403, code.to_owned());
    let passed = || (200, String::new());
    for (uri, [of_editor, of_admin, of_any]) in [
        ("/t/sessions/admin", [refused("role_missing"), passed(), refused("role_missing")]),
        ("/t/sessions/write", [passed(), refused("permission_missing"), passed()]),
        ("/t/sessions/delete", [refused("permission_missing"), passed(), passed()]),
    ] {
        assert_eq!(status(&app, uri, &editor).await, of_editor, "{uri}");
        assert_eq!(status(&app, uri, &admin).await, of_admin, "{uri}");
        assert_eq!(status(&app, uri, &any).await, of_any, "{uri}");
        app.get(uri).send().await.assert_status(401);
    }
    let detail = app.get("/t/sessions/admin").bearer(&editor).send().await.json::<Value>();
    assert_eq!(detail["detail"], "this needs the role `admin`");
}

#[bunbase::test]
async fn a_sign_in_of_long_ago_has_to_be_proved_again() {
    let app = TestApp::start(app()).await;
    let cookie = cookie_of(&app, "ann").await;
    send_with(app.post("/t/sessions/danger"), &cookie).await.assert_status(200);
    app.clock().advance(Duration::from_secs(301));
    let refused = send_with(app.post("/t/sessions/danger"), &cookie).await.assert_status(401);
    assert_eq!(refused.code(), "step_up_required");
    let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"300\"";
    assert_eq!(refused.headers("www-authenticate"), [challenge]);
    let proved = send_with(app.post("/t/sessions/prove"), &cookie).await.assert_status(204);
    send_with(app.post("/t/sessions/danger"), proved.set_cookie(COOKIE).unwrap()).await.assert_status(200);
    app.post("/t/sessions/prove").send().await.assert_status(401);
}

#[bunbase::test]
async fn one_of_several_guards_is_enough_and_the_closest_refusal_is_told() {
    let app = TestApp::start(app()).await;
    let uri = "/t/sessions/report";
    let admin = app.sign_in(Grant::user("bob").role("admin")).await;
    assert_eq!(status(&app, uri, &admin).await.0, 200);
    app.get(uri).header("x-api-key", "the-key-of-a-machine").send().await.assert_status(200);
    let editor = app.sign_in(grant("ann")).await;
    assert_eq!(status(&app, uri, &editor).await.0, 200);
    app.clock().advance(Duration::from_secs(61));
    assert_eq!(status(&app, uri, &editor).await, (403, "role_missing".to_owned()));
    assert_eq!(app.get(uri).send().await.assert_status(401).code(), "session_missing");
}

#[bunbase::test]
async fn a_job_and_an_event_have_the_rights_of_who_caused_them() {
    for (path, door) in [("/t/sessions/later", "job"), ("/t/sessions/announce", "event")] {
        let app = TestApp::start(app()).await;
        let editor = app.sign_in(grant("ann")).await;
        let reader = app.sign_in(Grant::user("bob")).await;
        for token in [&editor, &reader] {
            app.post(path).bearer(token).send().await.assert_status(202);
        }
        app.drain().await;
        let runs = app.runs::<Work>().await;
        let ended: Vec<_> = runs.iter().map(|run| (run.door.as_str(), run.error_code.as_deref())).collect();
        assert_eq!(ended, [(door, None), (door, Some("role_missing"))]);
    }
    let app = TestApp::start(app()).await;
    app.call(Work::new()).signed_in(Grant::user("ann").role("editor")).await.unwrap();
    assert!(app.call(Work::new()).as_user("ann").await.is_err());
    assert!(app.call(Work::new()).await.is_err());
}

#[bunbase::test]
async fn the_document_says_how_to_sign_in_and_how_it_is_refused() {
    let app = TestApp::start(app()).await;
    let document = app.document();
    let of = |uri: &str, method: &str| &document["paths"][uri][method];
    assert_eq!(of("/t/sessions/me", "get")["security"], json!([{ "session": [] }, { "session_token": [] }]));
    assert_eq!(of("/t/sessions/maybe", "get")["security"], json!([{ "session": [] }, { "session_token": [] }, {}]));
    assert_eq!(
        of("/t/sessions/report", "get")["security"],
        json!([{ "session": [] }, { "session_token": [] }, { "api_key": [] }])
    );
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["session"]["in"], "cookie");
    assert_eq!(schemes["session_token"]["scheme"], "bearer");
    let codes = |uri: &str, status: &str| of(uri, "get")["responses"][status].to_string();
    assert!(codes("/t/sessions/admin", "403").contains("role_missing"));
    assert!(codes("/t/sessions/report", "403").contains("role_missing"));
    assert!(codes("/t/sessions/report", "401").contains("api_key_missing"));
    assert!(codes("/t/sessions/me", "401").contains("session_ended"));
}

#[bunbase::test]
async fn a_tool_knows_who_is_signed_in_and_says_that_it_asks() {
    let app = TestApp::start(app()).await;
    let token = app.sign_in(grant("ann")).await;
    let answer = result(call(&app, "sessions_me", &json!({})).bearer(&token).send().await);
    assert_eq!(answer["structuredContent"]["user"], "ann", "{answer}");
    let refused = problem(call(&app, "sessions_me", &json!({})).send().await);
    assert_eq!((&refused["status"], &refused["code"]), (&json!(401), &json!("session_missing")));
    let meta = listed(&app, "sessions_me").await["_meta"].clone();
    assert_eq!(meta["bunbase/security"][0]["any_of"][1][0]["in"], "header Authorization: Bearer", "{meta}");
    assert!(meta["bunbase/refusals"].to_string().contains("session_ended"), "{meta}");
}
