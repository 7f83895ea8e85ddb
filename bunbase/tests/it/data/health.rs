//! Redis goes away under a running application, and comes back.

use bunbase::{prelude::*, redis::testing::RedisServer, testing::TestApp};
use serde_json::Value;

bunbase::module!(name = "data_health", prefix = "/t/data-health");

/// Sets a value.
#[action(post = "/set")]
async fn set(ctx: Ctx) -> Result<()> {
    ctx.kv().set("a", &1, None).await
}

/// Loads a value.
#[action(get = "/load")]
async fn load(ctx: Ctx) -> Result<i64> {
    ctx.cache().get_or_load("a", std::time::Duration::from_mins(1), async || Ok(1)).await
}

async fn start(server: &RedisServer, on_failure: &str) -> TestApp {
    let app = App::new().config("redis.url", server.url()).config("redis.on_failure", on_failure);
    TestApp::start(app.config("health.max_age", "0s")).await
}

async fn redis_check(app: &TestApp) -> String {
    let report: Value = app.get("/_health").send().await.json();
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "redis").unwrap()["status"].as_str().unwrap().to_owned()
}

#[bunbase::test]
async fn what_redis_says_of_its_memory_is_shown() {
    let Some(server) = RedisServer::start().await.unwrap() else { return };
    let app = start(&server, "error").await;
    server.limit_memory(1 << 20).await.unwrap();
    let report: Value = app.get("/_health").send().await.json();
    let checks = report["checks"].as_array().unwrap();
    let details = &checks.iter().find(|check| check["name"] == "redis").unwrap()["details"];
    assert!(details["used_memory_bytes"].as_u64().unwrap() > 0, "{report}");
    assert!(details["max_memory_bytes"].as_u64().unwrap() > 1 << 20, "{report}");
    assert_eq!((&details["evicted_keys"], &details["expired_keys"]), (&0.into(), &0.into()), "{report}");
}

#[bunbase::test]
async fn with_errors_it_is_not_ready_until_redis_is_back() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let app = start(&server, "error").await;
    app.call(Set::new()).await.unwrap();
    assert_eq!(redis_check(&app).await, "ok");
    app.get("/_health/ready").send().await.assert_status(200);
    server.stop();
    let refused: bunbase::Error = app.call(Set::new()).await.unwrap_err().into();
    assert_eq!((refused.status(), refused.code()), (503, "redis_unavailable"));
    assert_eq!(app.call(Load::new()).await.unwrap(), 1, "the cache does without");
    assert_eq!(redis_check(&app).await, "error");
    app.get("/_health/ready").send().await.assert_status(503);
    server.start_again().await.unwrap();
    while app.get("/_health/ready").send().await.status() != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    app.call(Set::new()).await.unwrap();
}

#[bunbase::test]
async fn with_a_fallback_it_is_degraded_and_ready() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let app = start(&server, "fallback").await;
    app.call(Set::new()).await.unwrap();
    server.stop();
    app.call(Set::new()).await.unwrap();
    assert_eq!(app.db().sql("SELECT value FROM kv_store WHERE key = ':a'").scalar::<String>().await.unwrap(), "1");
    let report: Value = app.get("/_health").send().await.assert_status(200).json();
    assert_eq!(report["status"], "degraded");
    app.get("/_health/ready").send().await.assert_status(200);
}
