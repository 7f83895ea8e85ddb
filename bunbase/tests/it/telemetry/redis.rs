//! What Redis is asked for is part of the trace, without keys and values.

use bunbase::{prelude::*, redis::testing::RedisServer, testing::TestApp};

use super::receiver::{Behaviour, Receiver, attribute};

/// Keeps a value, and reads it.
#[action(post = "/keep")]
async fn keep(ctx: Ctx, value: String) -> Result<()> {
    ctx.kv().set("hunter2-key", &value, None).await?;
    let _: Option<String> = ctx.kv().get("hunter2-key").await?;
    Ok(())
}

#[tokio::test]
async fn each_command_to_redis_is_a_span_without_keys_and_values() {
    let Some(server) = RedisServer::start().await.unwrap() else { return };
    let receiver = Receiver::http(Behaviour::Takes);
    let app = App::new().config("redis.url", server.url()).config("otlp.endpoint", receiver.url());
    let app = TestApp::start(app).await;
    let value = serde_json::json!({ "value": "hunter2" });
    app.post("/t/telemetry/keep").json(&value).send().await.assert_status(204);
    app.stop_tracing().await;
    let spans = receiver.received().spans;
    let attempt = spans.iter().find(|span| span.name == "attempt").unwrap();
    let asked: Vec<_> = spans
        .iter()
        .filter(|span| attribute(&span.attributes, "db.system.name").as_deref() == Some("redis"))
        .map(|span| (span.name.as_str(), span.parent_span_id == attempt.span_id))
        .collect();
    assert_eq!(asked, [("EVALSHA", true), ("MGET", true)]);
    assert!(!format!("{spans:?}").contains("hunter2"));
}
