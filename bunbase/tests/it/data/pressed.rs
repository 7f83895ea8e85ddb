//! A Redis that drops what it has, because it is full or because somebody empties it: what must not be lost is not.

use std::time::Duration;

use bunbase::{prelude::*, redis::testing::RedisServer, testing::TestApp};

bunbase::module!(name = "pressed", prefix = "/t/pressed");

const MINUTE: Duration = Duration::from_mins(1);

/// Something was booked.
#[event("pressed.booked")]
struct Booked {
    id: i64,
}

/// Writes far more than there is room for.
#[action]
async fn fill(ctx: Ctx) -> Result<()> {
    for number in 0..400 {
        ctx.kv().set_many((0..10).map(|part| (format!("fill-{number}-{part}"), "x".repeat(1000))), None).await?;
    }
    Ok(())
}

/// Books once for each key, and says so.
#[action(post = "/book", idempotent)]
async fn book(ctx: Ctx, id: i64) -> Result<i64> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO booking (id) VALUES ($1)").bind(id).execute().await?;
        tx.emit_event(&Booked { id }).await
    })
    .await?;
    ctx.sql("SELECT count(*) FROM booking").scalar().await
}

/// Notes what was booked.
#[action(event = Booked)]
async fn note(ctx: Ctx, id: i64) -> Result<()> {
    ctx.sql("INSERT INTO note (id) VALUES ($1)").bind(id).execute().await?;
    Ok(())
}

/// Takes the lock, and lets go of it.
#[action]
async fn take(ctx: Ctx) -> Result<u64> {
    let lock = ctx.lock("desk", MINUTE).await?;
    let fence = lock.fence();
    lock.release().await?;
    Ok(fence)
}

/// Loads what is not kept.
#[action]
async fn load(ctx: Ctx) -> Result<i64> {
    ctx.cache().get_or_load("sum", MINUTE, async || Ok(42)).await
}

/// Reads what was kept before, if it is still there.
#[action]
async fn kept(ctx: Ctx) -> Result<Option<String>> {
    ctx.kv().set_if_absent("mark", &"here", None).await?;
    ctx.kv().get("mark").await
}

async fn book_twice(app: &TestApp, id: i64, between: impl AsyncFnOnce()) {
    let request = || app.post("/t/pressed/book").header("idempotency-key", &format!("key-{id}")).json(&Book::new(id));
    let first = request().send().await.assert_status(200);
    between().await;
    let again = request().send().await.assert_status(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.bytes(), first.bytes());
    app.drain().await;
    for table in ["booking", "note"] {
        let count = format!("SELECT count(*) FROM {table} WHERE id = {id}");
        assert_eq!(app.db().sql(&count).scalar::<i64>().await.unwrap(), 1, "{table}");
    }
}

#[bunbase::test]
async fn keys_fences_and_events_outlive_what_redis_drops_and_what_is_flushed() {
    let Some(server) = RedisServer::start().await.unwrap() else { return };
    server.limit_memory(1 << 20).await.unwrap();
    let app = App::new().config("redis.url", server.url()).config("events.transport", "redis");
    let app = TestApp::start(app).await;
    for table in ["booking", "note"] {
        app.db().sql(&format!("CREATE TABLE {table} (id BIGINT NOT NULL)")).execute().await.unwrap();
    }
    let mut last = 0;
    let mut fences_grow = async || {
        let fence = app.call(Take::new()).await.unwrap();
        assert!(fence > last, "{fence} after {last}");
        last = fence;
    };
    fences_grow().await;
    assert_eq!(app.call(Load::new()).await.unwrap(), 42);
    book_twice(&app, 1, async || app.call(Fill::new()).await.unwrap()).await;
    let usage = server.redis().unwrap().usage().await.unwrap();
    assert!(usage.evicted_keys > 1000, "{usage:?}");
    fences_grow().await;
    assert_eq!(app.call(Load::new()).await.unwrap(), 42, "it is loaded again");
    assert_eq!(app.call(Kept::new()).await.unwrap().as_deref(), Some("here"));

    book_twice(&app, 2, async || server.flush().await.unwrap()).await;
    fences_grow().await;
    assert_eq!(app.call(Load::new()).await.unwrap(), 42);
    assert_eq!(app.call(Kept::new()).await.unwrap().as_deref(), Some("here"), "what is kept there may be set anew");
}
