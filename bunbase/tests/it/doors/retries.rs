//! Attempts of one run: how many, after what, and what is left of those that failed.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bunbase::{Error, clock::Clock, error::Retry, prelude::*, testing::TestApp};
use serde_json::json;

use super::soon;

bunbase::module!(prefix = "/t/retries");

/// How often the handler has begun.
#[derive(Clone, Default)]
struct Begun(Arc<AtomicU32>);

/// Fails with a status until an attempt.
#[action(post = "/fail", retry(attempts = 3, base = "1h", max = "4h", jitter = none), timeout = "30d")]
async fn fail(ctx: Ctx, status: u16, until: u32, never: Option<bool>) -> Result<u32> {
    ctx.state::<Begun>()?.0.fetch_add(1, Ordering::SeqCst);
    if ctx.attempt() >= until {
        return Ok(ctx.attempt());
    }
    let error = Error::new(status, "told_to", "as it was told to");
    Err(if never == Some(true) { error.retry(Retry::Never) } else { error })
}

/// Panics at the first attempt.
#[action(post = "/panic", retry(attempts = 2, base = "1ms", jitter = none))]
async fn stumble(ctx: Ctx) -> Result<u32> {
    assert!(ctx.attempt() > 1, "the first attempt panics");
    Ok(ctx.attempt())
}

/// Has less time than its wait.
#[action(post = "/hurry", retry(attempts = 3, base = "1h", max = "2h", jitter = none), timeout = "10s")]
async fn hurry(ctx: Ctx) -> Result<()> {
    ctx.state::<Begun>()?.0.fetch_add(1, Ordering::SeqCst);
    Err(Error::new(503, "away", "away"))
}

/// Writes a row and fails, then writes another and does not.
#[action(post = "/write", idempotent, retry(attempts = 2, base = "1ms", jitter = none))]
async fn write(ctx: Ctx) -> Result<()> {
    ctx.sql("INSERT INTO attempt (n) VALUES ($1)").bind(i64::from(ctx.attempt())).execute().await?;
    if ctx.attempt() == 1 { Err(Error::new(503, "away", "away")) } else { Ok(()) }
}

/// Loses the connection during its first commit, as far as anybody knows.
#[action(post = "/doubt", retry(attempts = 2, base = "10s", jitter = none))]
async fn doubt(ctx: Ctx) -> Result<()> {
    match ctx.state::<Begun>()?.0.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Error::new(500, "commit_unknown", "it may have happened").retry(Retry::Never)),
        _ => Ok(()),
    }
}

/// Has a job doubt.
#[action(post = "/doubt/later")]
async fn doubt_later(ctx: Ctx) -> Result<()> {
    ctx.enqueue(Doubt::new()).await?;
    Ok(())
}

async fn start(begun: &Begun) -> (TestApp, Clock) {
    let clock = Clock::system();
    let app = TestApp::start(App::new().state(begun.clone()).clock(clock.clone())).await;
    (app, clock)
}

/// Moves the time on by hours until something has happened.
async fn as_hours_pass<T>(clock: &Clock, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            value = &mut work => return value,
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => clock.advance(std::time::Duration::from_hours(1)),
        }
    }
}

#[tokio::test]
async fn a_server_error_is_tried_again_after_its_wait() {
    let begun = Begun::default();
    let (app, clock) = start(&begun).await;
    let answer = as_hours_pass(&clock, app.post("/t/retries/fail").json(&json!({"status": 503, "until": 3})).send());
    assert_eq!(soon("the third attempt", answer).await.assert_status(200).text(), "3");
    assert_eq!(begun.0.load(Ordering::SeqCst), 3);
    let answer = as_hours_pass(&clock, app.post("/t/retries/fail").json(&json!({"status": 500, "until": 9})).send());
    assert_eq!(soon("the last attempt", answer).await.assert_status(500).code(), "told_to");
    assert_eq!(begun.0.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn the_callers_errors_and_those_that_say_never_are_not_tried_again() {
    let begun = Begun::default();
    let (app, _clock) = start(&begun).await;
    for body in [json!({"status": 409, "until": 3}), json!({"status": 503, "until": 3, "never": true})] {
        let status = u16::try_from(body["status"].as_u64().unwrap()).unwrap();
        soon("the answer", app.post("/t/retries/fail").json(&body).send()).await.assert_status(status);
    }
    assert_eq!(begun.0.load(Ordering::SeqCst), 2);
    app.post("/t/retries/fail").json(&json!({"status": 503})).send().await.assert_status(422);
    assert_eq!(begun.0.load(Ordering::SeqCst), 2, "a wrong input does not reach the handler");
}

#[tokio::test]
async fn a_commit_that_nobody_knows_of_is_tried_again_as_a_job_and_only_then() {
    let begun = Begun::default();
    let (app, clock) = start(&begun).await;
    app.post("/t/retries/doubt").send().await.assert_status(500);
    assert_eq!(begun.0.swap(0, Ordering::SeqCst), 1, "its caller might have it happen twice");
    app.post("/t/retries/doubt/later").send().await.assert_status(204);
    assert_eq!(app.drain().await, 1);
    clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(app.drain().await, 1);
    assert_eq!(begun.0.load(Ordering::SeqCst), 2);
    let dead: i64 = app.db().sql("SELECT count(*) FROM job_failures").scalar().await.unwrap();
    assert_eq!(dead, 0);
}

#[tokio::test]
async fn a_panic_is_tried_again() {
    let (app, _clock) = start(&Begun::default()).await;
    assert_eq!(soon("the answer", app.post("/t/retries/panic").send()).await.assert_status(200).text(), "2");
}

#[tokio::test]
async fn what_cannot_be_over_in_time_is_not_waited_for() {
    let begun = Begun::default();
    let (app, _clock) = start(&begun).await;
    assert_eq!(soon("the answer", app.post("/t/retries/hurry").send()).await.assert_status(503).code(), "away");
    assert_eq!(begun.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nothing_is_left_of_an_attempt_that_failed() {
    let (app, _clock) = start(&Begun::default()).await;
    app.db().sql("CREATE TABLE attempt (n BIGINT NOT NULL)").execute().await.unwrap();
    soon("the answer", app.post("/t/retries/write").send()).await.assert_status(204);
    let left: Vec<i64> = {
        let (count, last) = (
            app.db().sql("SELECT count(*) FROM attempt").scalar().await.unwrap(),
            app.db().sql("SELECT max(n) FROM attempt").scalar().await.unwrap(),
        );
        vec![count, last]
    };
    assert_eq!(left, [1, 2]);
}
