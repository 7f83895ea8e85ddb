//! What is kept and what is cached, beside and inside transactions.

use std::time::Duration;

use bunbase::{Error, prelude::*, testing::TestApp};

bunbase::module!(name = "data_tx", prefix = "/t/data-tx");

const MINUTE: Duration = Duration::from_mins(1);

/// Does one thing through the context while its own transaction is open.
#[action(post = "/beside")]
async fn beside(ctx: Ctx, what: String) -> Result<()> {
    let kv = ctx.kv();
    ctx.transaction(async |_tx| match what.as_str() {
        "set" => kv.set("beside", &1, None).await,
        "increment" => kv.increment("beside", 1, None).await.map(drop),
        "delete" => kv.delete("beside").await.map(drop),
        "swap" => kv.set_if_absent("beside", &1, None).await.map(drop),
        "lock" => ctx.lock("beside", MINUTE).await.map(drop),
        "invalidate" => ctx.cache().invalidate(["beside"]).await,
        "remove" => ctx.cache().remove("beside").await,
        // Reading is fine.
        _ => kv.get::<i32>("beside").await.map(drop),
    })
    .await
}

/// Keeps a value, writes a row, and then fails if it is told to: with a key it happens once, or not at all.
#[action(post = "/once", idempotent)]
async fn once(ctx: Ctx, fail: Option<bool>) -> Result<i64> {
    ctx.sql("INSERT INTO data_row (n) VALUES (1)").execute().await?;
    let n = ctx.kv().increment("once", 1, None).await?;
    assert_eq!(ctx.kv().get::<i64>("once").await?, Some(n));
    assert_eq!(ctx.kv().namespace("once").list("", None, 10).await?.keys.len(), 0);
    if fail == Some(true) { Err(Error::forbidden("no")) } else { Ok(n) }
}

/// Returns how many rows there are, as far as the cache knows.
#[action(get = "/rows")]
async fn rows(ctx: Ctx) -> Result<i64> {
    count(&ctx).await
}

async fn count(ctx: &Ctx) -> Result<i64> {
    let cache = ctx.cache();
    let entry = cache.entry("rows", MINUTE).tags(["rows"]);
    entry.get_or_load(async || ctx.sql("SELECT count(*) FROM data_row").scalar().await).await
}

/// Adds a row, invalidates the count with it, and fails if it is told to.
#[action(post = "/add")]
async fn add(ctx: Ctx, fail: Option<bool>) -> Result<()> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO data_row (n) VALUES (2)").execute().await?;
        tx.invalidate(["rows"]);
        if fail == Some(true) { Err(Error::forbidden("no")) } else { Ok(()) }
    })
    .await
}

/// Adds a row as part of its own transaction, counts within that, and fails if it is told to.
#[action(post = "/add-once", idempotent)]
async fn add_once(ctx: Ctx, fail: Option<bool>) -> Result<i64> {
    ctx.sql("INSERT INTO data_row (n) VALUES (3)").execute().await?;
    let counted = count(&ctx).await?;
    ctx.cache().invalidate(["rows"]).await?;
    if fail == Some(true) { Err(Error::forbidden("no")) } else { Ok(counted) }
}

/// Takes a lock after it has written in its own transaction.
#[action(post = "/lock-late", idempotent)]
async fn lock_late(ctx: Ctx) -> Result<()> {
    ctx.sql("INSERT INTO data_row (n) VALUES (4)").execute().await?;
    ctx.lock("late", MINUTE).await.map(drop)
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    app.db().sql("CREATE TABLE data_row (n BIGINT NOT NULL)").execute().await.unwrap();
    app
}

const KEY: &str = "let-me-in-please-0123456789";

#[bunbase::test]
async fn beside_an_open_transaction_nothing_is_kept() {
    let app = start().await;
    for what in ["set", "increment", "delete", "swap", "lock", "invalidate", "remove"] {
        let refused = app.call(Beside::new(what.to_owned())).await;
        let error: Error = refused.map(|()| what).unwrap_err().into();
        assert_eq!(error.code(), "transaction_open", "{what}");
    }
    app.call(Beside::new("get".to_owned())).await.unwrap();
    assert_eq!(app.db().sql("SELECT count(*) FROM kv_store").scalar::<i64>().await.unwrap(), 0);
}

#[bunbase::test]
async fn an_idempotent_run_keeps_a_value_with_its_rows_or_not_at_all() {
    let app = start().await;
    let post = async |key: &str, body: &'static str| {
        let request =
            app.post("/t/data-tx/once").header("Idempotency-Key", key).header("content-type", "application/json");
        request.body(body).send().await.status()
    };
    assert_eq!(post(&format!("{KEY}-1"), r#"{"fail":true}"#).await, 403);
    assert_eq!(app.db().sql("SELECT count(*) FROM kv_store").scalar::<i64>().await.unwrap(), 0);
    assert_eq!(post(&format!("{KEY}-2"), "{}").await, 200);
    assert_eq!(post(&format!("{KEY}-2"), "{}").await, 200);
    assert_eq!(app.db().sql("SELECT value FROM kv_store").scalar::<String>().await.unwrap(), "1");
}

#[bunbase::test]
async fn what_is_invalidated_in_a_transaction_is_so_when_it_commits() {
    let app = start().await;
    assert_eq!(app.call(Rows::new()).await.unwrap(), 0);
    app.db().sql("INSERT INTO data_row (n) VALUES (0)").execute().await.unwrap();
    assert!(app.call(Add::new().fail(true)).await.is_err());
    assert_eq!(app.call(Rows::new()).await.unwrap(), 0, "it was rolled back, and so nothing is invalid");
    app.call(Add::new()).await.unwrap();
    assert_eq!(app.call(Rows::new()).await.unwrap(), 2, "as soon as the call is answered");
}

#[bunbase::test]
async fn what_is_not_committed_is_not_cached() {
    let app = start().await;
    assert_eq!(app.call(Rows::new()).await.unwrap(), 0);
    let post = async |key: &str, body: &'static str| {
        let request = app.post("/t/data-tx/add-once").header("Idempotency-Key", key);
        request.header("content-type", "application/json").body(body).send().await
    };
    post(&format!("{KEY}-3"), r#"{"fail":true}"#).await.assert_status(403);
    assert_eq!(app.call(Rows::new()).await.unwrap(), 0);
    let added = post(&format!("{KEY}-4"), "{}").await.assert_status(200);
    assert_eq!(added.text(), "1", "it sees its own row");
    assert_eq!(app.call(Rows::new()).await.unwrap(), 1);
}

#[bunbase::test]
async fn a_lock_that_would_wait_for_this_very_run_is_refused() {
    let app = start().await;
    let is_sqlite = app.db().backend() != bunbase::db::DbBackend::Postgres;
    let request = app.post("/t/data-tx/lock-late").header("Idempotency-Key", KEY);
    let answer = request.header("content-type", "application/json").body("{}").send().await;
    assert_eq!(answer.status(), if is_sqlite { 500 } else { 204 });
}
