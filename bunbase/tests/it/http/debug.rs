//! The endpoints for debugging: who may use them, and what they tell.

use bunbase::{config::Value as Setting, prelude::*, testing::TestApp};
use serde_json::Value;

const TOKEN: &str = "a token of at least 32 bytes, for all of it";

async fn start(access: impl Into<Setting>) -> TestApp {
    TestApp::start(App::new().config("debug.access", access).config("admin.token", TOKEN)).await
}

#[tokio::test]
async fn they_are_off_unless_asked_for_and_then_behind_what_was_asked_for() {
    let paths = ["/_debug/log", "/_debug/runtime"];
    let off = TestApp::start(App::new()).await;
    let behind = start("token").await;
    for path in paths {
        assert_eq!(off.get(path).send().await.assert_status(404).code(), "no_route");
        behind.get(path).send().await.assert_status(401);
        behind.get(path).bearer(TOKEN).send().await.assert_status(200);
    }
    let moved = App::new().config("debug.access", "public").config("debug.path", "/internal/debug/");
    TestApp::start(moved).await.get("/internal/debug/runtime").send().await.assert_status(200);
}

#[tokio::test]
async fn the_runtime_is_told_of() {
    let app = start("public").await;
    let state: Value = app.get("/_debug/runtime").send().await.assert_status(200).json();
    assert!(state["workers"].as_array().is_some_and(|workers| !workers.is_empty()), "{state}");
    assert!(state["alive_tasks"].is_u64() && state["workers"][0]["busy_ms"].is_number(), "{state}");
}

/// A test has a log of its own.
#[tokio::test]
async fn the_level_of_a_log_of_the_applications_own_is_left_alone() {
    let app = start("public").await;
    let answer = app.post("/_debug/log/level").body("debug").send().await.assert_status(409);
    assert_eq!(answer.code(), "log_level_fixed");
    app.post("/_debug/log/level").body("x".repeat(5000)).send().await.assert_status(413);
    app.post("/_debug/log/level").body(vec![0xff]).send().await.assert_status(400);
}

#[cfg(feature = "profiling")]
#[tokio::test]
async fn a_profile_is_made_on_request() {
    let app = start("public").await;
    let svg = app.get("/_debug/cpu?seconds=1").send().await.assert_status(200);
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    assert!(svg.text().contains("<svg"));
    for query in ["seconds=0", "seconds=100", "seconds=x", "seconds=1&format=png"] {
        let refused = app.get(&format!("/_debug/cpu?{query}")).send().await.assert_status(422);
        assert_eq!(refused.code(), "query");
        let trace = refused.header("x-trace-id").map(str::to_owned);
        assert_eq!(refused.json::<Value>()["trace_id"].as_str(), trace.as_deref(), "{refused}");
    }
}

#[cfg(feature = "heap-profiling")]
#[tokio::test]
async fn a_heap_that_nobody_watches_says_what_to_do() {
    let app = start("public").await;
    let refused = app.get("/_debug/heap").send().await.assert_status(409);
    assert!(refused.text().contains("_RJEM_MALLOC_CONF"), "{refused}");
}
