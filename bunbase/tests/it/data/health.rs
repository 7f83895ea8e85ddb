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

/// Returns the value of a metric; `None` where there is none.
fn metric(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(|value| value.parse().unwrap())
}

#[bunbase::test]
async fn redis_is_in_the_metrics_with_its_pool_its_operations_and_its_memory() {
    let Some(server) = RedisServer::start().await.unwrap() else { return };
    let app = start(&server, "error").await;
    app.call(Set::new()).await.unwrap();
    app.call(Set::new()).await.unwrap();
    // Something that expires, and is not looked at again before the server is asked.
    let redis = server.redis().unwrap();
    server.limit_memory(1 << 20).await.unwrap();
    server.expire_one().await.unwrap();
    let memory = redis.usage().await.unwrap();
    let text = app.get("/_metrics").send().await.assert_status(200).text().to_owned();
    let value = |name: &str| metric(&text, name).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
    assert_eq!(value("bunbase_redis_up"), 1);
    assert_eq!(value("bunbase_redis_pool_connections{state=\"busy\"}"), 0);
    assert!(value("bunbase_redis_pool_connections{state=\"idle\"}") >= 1, "{text}");
    assert_eq!(value("bunbase_redis_pool_waiting"), 0);
    assert!(value("bunbase_redis_operations_total") >= 2, "{text}");
    for reason in ["away", "busy", "refused"] {
        assert_eq!(value(&format!("bunbase_redis_errors_total{{reason=\"{reason}\"}}")), 0);
    }
    assert!(value("bunbase_redis_used_memory_bytes") > 0, "{text}");
    assert_eq!(value("bunbase_redis_max_memory_bytes"), memory.max_memory_bytes);
    assert_eq!(value("bunbase_kv_operations_total{operation=\"write\",result=\"ok\"}"), 2);
    assert_eq!(value("bunbase_kv_operations_total{operation=\"write\",result=\"error\"}"), 0);
    assert_eq!((value("bunbase_redis_evicted_keys_total"), value("bunbase_redis_expired_keys_total")), (0, 1));
    let operations = value("bunbase_redis_operations_total");
    let again = app.get("/_metrics").send().await.text().to_owned();
    assert_eq!(metric(&again, "bunbase_redis_operations_total"), Some(operations), "it is not asked each time");
}

#[bunbase::test]
async fn metrics_do_not_wait_for_a_redis_that_is_away() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let app = start(&server, "fallback").await;
    server.stop();
    app.call(Set::new()).await.unwrap();
    let text = app.get("/_metrics").send().await.assert_status(200).text().to_owned();
    assert_eq!(metric(&text, "bunbase_redis_up"), Some(0));
    assert!(metric(&text, "bunbase_redis_errors_total{reason=\"away\"}").unwrap() >= 1, "{text}");
    assert_eq!(metric(&text, "bunbase_redis_used_memory_bytes"), None, "nobody has said it");
    // One that takes connections and says nothing.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mute.sock");
    let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let app = TestApp::start(App::new().config("redis.url", format!("unix://{}", socket.display()))).await;
    let began = std::time::Instant::now();
    let text = app.get("/_metrics").send().await.assert_status(200).text().to_owned();
    // Connecting alone may take 5 s.
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(metric(&text, "bunbase_redis_used_memory_bytes"), None);
    assert!(text.contains("bunbase_db_pool_connections{state=\"idle\"}"), "the others are there: {text}");
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
