//! Schedules: one run a tick, by the application itself.
//!
//! A binary of its own: what an action declares is taken by every test of its binary that moves the clock past a tick.
#![allow(clippy::unwrap_used, reason = "a test fails where something is not there")]
#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

use std::time::Duration;

use bunbase::{Error, prelude::*, testing::TestApp};

bunbase::module!(name = "schedules", prefix = "/t/schedules");

/// Sweeps every hour.
#[action(every = "1h")]
async fn sweep(ctx: Ctx, depth: Option<i64>, #[default(4)] width: i64) -> Result<()> {
    let job = ctx.job().unwrap();
    let line = format!("{:?} {} {depth:?} {width} {}", ctx.identity(), ctx.door(), job.origin().unwrap());
    ctx.sql("INSERT INTO line (line) VALUES ($1)").bind(line).execute().await?;
    Ok(())
}

/// Sweeps at half past each full hour, by the clocks of Berlin.
#[action(cron("30 * * * *", zone = "Europe/Berlin"))]
async fn sweep_at_half_past(ctx: Ctx) -> Result<()> {
    let line = format!("half past {}", ctx.job().unwrap().origin().unwrap());
    ctx.sql("INSERT INTO line (line) VALUES ($1)").bind(line).execute().await?;
    Ok(())
}

/// Does not get anywhere for a day.
#[action(every = "2h", retry(attempts = 9, backoff = fixed, base = "24h", jitter = none))]
async fn stuck(ctx: Ctx) -> Result<()> {
    if ctx.attempt() == 1 { Err(Error::new(503, "away", "away")) } else { Ok(()) }
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    app.db().sql("CREATE TABLE line (line TEXT NOT NULL)").execute().await.unwrap();
    // Ten minutes past an even hour, so that no tick is near.
    let into = app.clock().now().timestamp().rem_euclid(7200).unsigned_abs();
    app.clock().advance(Duration::from_secs(7200 - into + 600));
    app.drain().await;
    assert_eq!(lines(&app, "").await.len(), 0);
    app
}

async fn lines(app: &TestApp, part: &str) -> Vec<String> {
    let lines: Vec<(String,)> = app.db().sql("SELECT line FROM line ORDER BY line").columns().await.unwrap();
    lines.into_iter().map(|(line,)| line).filter(|line| line.contains(part)).collect()
}

/// Moves the time on by hours, from tick to tick: to half past, to the full hour, and ten minutes on.
async fn pass(app: &TestApp, hours: u32) {
    for minutes in [20, 30, 10].repeat(hours as usize) {
        app.clock().advance(Duration::from_mins(minutes));
        app.drain().await;
    }
}

#[tokio::test]
async fn each_tick_is_one_run() {
    let app = start().await;
    pass(&app, 3).await;
    for (part, name) in [("cron", "schedules.sweep@"), ("half past", "schedules.sweep_at_half_past@")] {
        let mut lines = lines(&app, part).await;
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|line| line.contains(name)), "{lines:?}");
        lines.dedup();
        assert_eq!(lines.len(), 3, "each tick is another");
    }
    assert!(lines(&app, "half past").await.iter().all(|line| line.contains(":30:00")));
    assert!(
        app.runs::<Sweep>().await.iter().all(|run| (run.door.as_str(), run.status.as_str()) == ("cron", "succeeded"))
    );
}

#[tokio::test]
async fn a_tick_is_of_the_application_itself_and_has_no_input() {
    let app = start().await;
    pass(&app, 1).await;
    let lines = lines(&app, "cron").await;
    assert!(lines.len() == 1 && lines[0].starts_with("System cron None 4 schedules.sweep@"), "{lines:?}");
}

#[tokio::test]
async fn a_tick_is_taken_once_however_often_one_looks() {
    let app = start().await;
    app.clock().advance(Duration::from_mins(50));
    for _ in 0..3 {
        app.drain().await;
    }
    assert_eq!(lines(&app, "cron").await.len(), 1);
}

#[tokio::test]
async fn a_tick_is_left_out_while_the_run_of_the_one_before_has_not_ended() {
    let app = start().await;
    pass(&app, 6).await;
    assert_eq!(app.runs::<Stuck>().await.len(), 1, "it waits for its second attempt");
    let ticks = "SELECT count(*) FROM schedule_ticks WHERE schedule = 'schedules.stuck' AND job_id IS NULL";
    assert_eq!(app.db().sql(ticks).scalar::<i64>().await.unwrap(), 2, "two were left out");
    app.clock().advance(Duration::from_hours(24));
    app.drain().await;
    pass(&app, 2).await;
    let runs = app.runs::<Stuck>().await;
    let seen: Vec<_> = runs.iter().map(|run| (run.attempt, run.status.as_str())).collect();
    assert_eq!(seen, [(1, "failed"), (2, "succeeded"), (1, "failed")]);
}
