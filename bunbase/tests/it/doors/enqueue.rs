//! Actions as jobs: what is stored, what comes of it, and what a transaction that fails leaves of it.

use std::time::Duration;

use bunbase::{
    Error,
    prelude::*,
    queue::Priority,
    testing::{TestApp, assert_enqueued},
};

use super::soon;

bunbase::module!(prefix = "/t/enqueue");

/// Notes a line, unless it is told to fail.
#[action(retry(attempts = 3, base = "10s", jitter = none))]
async fn note(ctx: Ctx, line: String, fail_until: Option<u32>, status: Option<u16>) -> Result<()> {
    if ctx.attempt() < fail_until.unwrap_or_default() {
        return Err(Error::new(status.unwrap_or(503), "told_to", "as it was told to"));
    }
    ctx.sql("INSERT INTO line (line, attempt) VALUES ($1, $2)")
        .bind(format!("{line} {:?} {}", ctx.identity(), ctx.door()))
        .bind(i64::from(ctx.attempt()))
        .execute()
        .await?;
    Ok(())
}

/// Stores jobs in a transaction that may fail.
#[action(post = "/store")]
async fn store(ctx: Ctx, lines: Vec<String>, fail: Option<bool>, outside: Option<bool>) -> Result<u64> {
    ctx.identify(Identity::user("7"));
    ctx.transaction(async |tx| {
        if outside == Some(true) {
            ctx.enqueue(Note::new("outside".to_owned())).await?;
        }
        let stored = tx.enqueue_all(lines.iter().cloned().map(Note::new)).await?;
        if fail == Some(true) { Err(Error::conflict("all of it")) } else { Ok(stored.len() as u64) }
    })
    .await
}

/// Stores one job as it is told.
#[action(post = "/one")]
async fn one(
    ctx: Ctx,
    line: String,
    fail_until: Option<u32>,
    status: Option<u16>,
    key: Option<String>,
) -> Result<bool> {
    let message = Note { line, fail_until, status };
    let mut job = ctx.enqueue(message).after(Duration::from_mins(1)).priority(Priority::High);
    if let Some(key) = key {
        job = job.unique_key(key);
    }
    Ok(job.await?.is_duplicate)
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    app.db().sql("CREATE TABLE line (line TEXT NOT NULL, attempt BIGINT NOT NULL)").execute().await.unwrap();
    app
}

async fn lines(app: &TestApp) -> Vec<(String, i64)> {
    app.db().sql("SELECT line, attempt FROM line ORDER BY line").columns().await.unwrap()
}

#[tokio::test]
async fn jobs_commit_with_their_transaction_or_leave_nothing() {
    let app = start().await;
    let two = || vec!["a".to_owned(), "b".to_owned()];
    app.call(Store::new(two()).fail(true)).await.unwrap_err();
    assert_eq!(app.enqueued::<Note>().await.len(), 0);
    assert_eq!(app.call(Store::new(two())).await.unwrap(), 2);
    assert_enqueued!(app, Note, |note| note.line == "b");
    assert_eq!(soon("the drain", app.drain()).await, 2);
    let user = r#"User { id: "7", roles: [], permissions: [], organisation: None } job"#;
    assert_eq!(lines(&app).await, [(format!("a {user}"), 1), (format!("b {user}"), 1)]);
}

#[tokio::test]
async fn enqueuing_beside_the_open_transaction_fails_at_once() {
    let app = start().await;
    let error = soon("the call", app.call(Store::new(Vec::new()).outside(true))).await.unwrap_err();
    assert!(format!("{error:?}").contains("enqueue through `tx.enqueue(…)`"), "{error:?}");
    assert_eq!(app.enqueued::<Note>().await.len(), 0);
}

#[tokio::test]
async fn a_job_waits_until_it_is_due_and_between_its_attempts() {
    let app = start().await;
    assert!(!app.call(One::new("late".to_owned()).fail_until(3)).await.unwrap());
    assert_eq!(app.drain().await, 0, "it is due in a minute");
    app.clock().advance(Duration::from_mins(1));
    assert_eq!(app.drain().await, 1);
    assert_eq!(app.drain().await, 0, "the second attempt is due in 10 s");
    app.clock().advance(Duration::from_secs(10));
    assert_eq!(app.drain().await, 1);
    app.clock().advance(Duration::from_secs(20));
    assert_eq!(app.drain().await, 1);
    assert_eq!(lines(&app).await, [("late Anonymous job".to_owned(), 3)]);
    let runs = app.runs::<Note>().await;
    let seen: Vec<_> = runs.iter().map(|run| (run.door.as_str(), run.attempt, run.status.as_str())).collect();
    assert_eq!(seen, [("job", 1, "failed"), ("job", 2, "failed"), ("job", 3, "succeeded")]);
}

#[tokio::test]
async fn what_cannot_get_better_goes_to_the_dead_letters_at_once() {
    let app = start().await;
    app.call(One::new("hopeless".to_owned()).fail_until(9).status(409)).await.unwrap();
    app.call(One::new("away".to_owned()).fail_until(9)).await.unwrap();
    let mut attempts = 0;
    for _ in 0..4 {
        app.clock().advance(Duration::from_mins(1));
        attempts += app.drain().await;
    }
    assert_eq!(attempts, 1 + 3);
    let dead: Vec<(String, i32, String)> =
        app.db().sql("SELECT input, attempts, error_code FROM job_failures ORDER BY attempts").columns().await.unwrap();
    assert!(dead[0].0.contains("hopeless") && dead[1].0.contains("away"), "{dead:?}");
    assert_eq!((dead[0].1, dead[1].1, dead[0].2.as_str()), (1, 3, "told_to"));
    assert_eq!(app.enqueued::<Note>().await.len(), 0);
}

#[tokio::test]
async fn a_unique_key_keeps_the_second_job_away_until_the_first_has_ended() {
    let app = start().await;
    let call = || One::new("only".to_owned()).key("k".to_owned());
    assert!(!app.call(call()).await.unwrap());
    assert!(app.call(call()).await.unwrap());
    app.clock().advance(Duration::from_mins(1));
    assert_eq!(app.drain().await, 1);
    assert!(!app.call(call()).await.unwrap());
}
