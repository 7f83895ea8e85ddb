//! What an action keeps, on the backend that the database makes the default, and on Redis.

use std::time::Duration;

use bunbase::{
    prelude::*,
    testing::{TestApp, TestDatabase},
};

bunbase::module!(name = "stores", prefix = "/t/stores");

const MINUTE: Duration = Duration::from_mins(1);

/// Counts a visit.
#[action(post = "/visit")]
async fn visit(ctx: Ctx, page: String) -> Result<i64> {
    ctx.kv().namespace("visits").increment(&page, 1, MINUTE).await
}

/// Loads what is not kept; answers the loads so far.
#[action(get = "/slow")]
async fn slow(ctx: Ctx) -> Result<i64> {
    ctx.cache().get_or_load("slow", MINUTE, async || ctx.kv().increment("loads", 1, None).await).await
}

/// Works alone.
#[action(post = "/alone")]
async fn alone(ctx: Ctx) -> Result<u64> {
    let lock = ctx.lock("alone", MINUTE).await?;
    let again = ctx.lock("alone", MINUTE).try_now().await?;
    assert!(again.is_none());
    let fence = lock.fence();
    lock.run(async { Ok(fence) }).await
}

async fn use_all(app: &TestApp) {
    assert_eq!(app.call(Visit::new("/".to_owned())).await.unwrap(), 1);
    assert_eq!(app.call(Visit::new("/".to_owned())).await.unwrap(), 2);
    assert_eq!(app.call(Slow::new()).await.unwrap(), 1);
    assert_eq!(app.call(Slow::new()).await.unwrap(), 1);
    let first = app.call(Alone::new()).await.unwrap();
    assert!(app.call(Alone::new()).await.unwrap() > first);
}

#[bunbase::test]
async fn without_redis_the_database_keeps_it() {
    let app = TestApp::start(App::new()).await;
    use_all(&app).await;
    let rows = "SELECT count(*) FROM kv_store WHERE key LIKE 'visits:%'";
    assert_eq!(app.db().sql(rows).scalar::<i64>().await.unwrap(), 1);
}

#[bunbase::test]
async fn in_memory_it_is_not_in_the_database() {
    let app = TestApp::start(App::new().config("kv.backend", "memory").config("cache.backend", "memory")).await;
    use_all(&app).await;
    assert_eq!(app.db().sql("SELECT count(*) FROM kv_store").scalar::<i64>().await.unwrap(), 0);
}

#[cfg(feature = "redis")]
#[bunbase::test]
async fn with_redis_it_is_there_and_tokens_come_from_the_database() {
    let Some(_) = bunbase::redis::testing::shared().await.unwrap() else { return };
    let url = std::env::var("BUNBASE_TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let prefix = bunbase::redis::testing::prefix();
    let app = App::new().config("redis.url", url).config("redis.prefix", prefix);
    let app = TestApp::start(app).await;
    use_all(&app).await;
    assert_eq!(app.db().sql("SELECT count(*) FROM kv_store").scalar::<i64>().await.unwrap(), 0);
    assert_eq!(app.db().sql("SELECT count(*) FROM locks").scalar::<i64>().await.unwrap(), 0);
    // Nothing stays on a server that others use too.
    assert!(app.call(Tidy::new()).await.is_ok());
}

/// Deletes what these tests keep for good.
#[action(post = "/tidy")]
async fn tidy(ctx: Ctx) -> Result<()> {
    ctx.kv().delete("loads").await?;
    Ok(())
}

#[bunbase::test]
async fn a_backend_without_its_address_is_refused_at_the_start() {
    let database = TestDatabase::sqlite().unwrap();
    drop(database);
    let started = tokio::spawn(TestApp::start(App::new().config("cache.backend", "redis"))).await;
    let panic = started.unwrap_err().into_panic();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("`redis.url` is not set"), "{text}");
}
