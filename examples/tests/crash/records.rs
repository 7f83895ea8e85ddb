//! Records of runs, when the database goes away and when the process does.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bunbase::testing::TestDatabase;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    kills::{count, reached},
    postgres,
    process::Application,
};

/// How often records are written here.
const FLUSH: Duration = Duration::from_millis(500);

/// What a machine that is busy with other tests may take longer.
const SLACK: Duration = Duration::from_secs(3);

const VARIABLES: [(&str, &str); 3] = [
    ("BUNBASE__PERSISTENCE__FLUSH_INTERVAL_MS", "500"),
    ("BUNBASE__PERSISTENCE__LOG_LEVEL", "info"),
    ("BUNBASE__PERSISTENCE__INPUTS", "true"),
];

const FAILED: &str = "SELECT count(*) FROM action_runs WHERE action = 'judge' AND status = 'failed'";
const SUCCEEDED: &str = "SELECT count(*) FROM action_runs WHERE action = 'judge' AND status = 'succeeded'";

/// Returns whether the run for this number fails.
fn fails(n: i64) -> bool {
    n % 10 == 7
}

/// Sends requests, one after the other, until it is told to stop, or the server is gone.
struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<(i64, Instant)>>,
}

impl Load {
    fn start(url: &str, numbers: Range<i64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (http, url, stopped) = (reqwest::Client::new(), format!("{url}/judge"), stop.clone());
        let task = tokio::spawn(async move {
            let mut answered = Vec::new();
            for n in numbers {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(answer) = http.post(&url).json(&json!({ "n": n })).send().await else { break };
                assert_eq!(answer.status(), if fails(n) { 409 } else { 204 }, "whatever the database does");
                answered.push((n, Instant::now()));
            }
            answered
        });
        Self { stop, task }
    }

    /// Stops it, and returns what was answered, and when.
    async fn stop(self) -> Vec<(i64, Instant)> {
        self.stop.store(true, Ordering::Relaxed);
        self.end().await
    }

    /// Waits for its end, and returns what was answered, and when.
    async fn end(self) -> Vec<(i64, Instant)> {
        self.task.await.expect("every answer was right")
    }
}

/// Returns how many succeeded and how many failed.
fn outcomes(answered: &[(i64, Instant)]) -> (i64, i64) {
    let failed = answered.iter().filter(|(n, _)| fails(*n)).count();
    (i64::try_from(answered.len() - failed).expect("few"), i64::try_from(failed).expect("few"))
}

#[tokio::test]
async fn no_record_is_lost_while_the_database_is_away_and_none_is_there_twice() {
    let Some(cluster) = postgres::start("") else { return };
    let application = Application::at(&cluster.url());
    let (server, url) = application.server_with(&VARIABLES);
    let load = Load::start(&url, 0..i64::MAX);
    let db = application.db().await;
    reached(&db, FAILED, 30).await;
    db.close().await;
    cluster.crash().expect("it runs");
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.up().expect("it starts");
    let db = application.db().await;
    let before = count(&db, FAILED).await;
    // It is written again.
    reached(&db, FAILED, before + 1).await;
    let (succeeded, failed) = outcomes(&load.stop().await);
    server.signal("TERM");
    assert!(server.ended());
    assert_eq!((count(&db, SUCCEEDED).await, count(&db, FAILED).await), (succeeded, failed));
    let inputs = count(&db, "SELECT count(DISTINCT input) FROM action_runs WHERE action = 'judge'").await;
    assert_eq!(inputs, succeeded + failed);
    assert_eq!(count(&db, "SELECT count(*) FROM action_logs").await, succeeded + failed);
    eprintln!("{} runs through an outage of 3 s: all of them are recorded", succeeded + failed);
    db.close().await;
}

#[tokio::test]
async fn failures_are_kept_while_successes_are_dropped_for_want_of_room() {
    let Some(cluster) = postgres::start("") else { return };
    let application = Application::at(&cluster.url());
    // Room for about a thousand records, of which a quarter is for failures alone.
    let small = [("BUNBASE__PERSISTENCE__MAX_BUFFERED_BYTES", "300KB"), VARIABLES[0]];
    let (server, url) = application.server_with(&small);
    let mut answered = Load::start(&url, 0..500).end().await;
    cluster.crash().expect("it runs");
    answered.extend(Load::start(&url, 500..4000).end().await);
    cluster.up().expect("it starts");
    answered.extend(Load::start(&url, 4000..4100).end().await);
    server.signal("TERM");
    assert!(server.ended());
    let db = application.db().await;
    let (succeeded, failed) = outcomes(&answered);
    let (kept, kept_failures) = (count(&db, SUCCEEDED).await, count(&db, FAILED).await);
    eprintln!("{succeeded} successes of which {kept} are recorded, {failed} failures of which {kept_failures} are");
    assert_eq!(kept_failures, failed);
    assert!((500..succeeded - 1000).contains(&kept), "{kept}");
    db.close().await;
}

#[tokio::test]
async fn a_run_that_ends_during_the_shutdown_is_recorded() {
    for database in TestDatabase::each().await.expect("databases") {
        let application = Application::over(database);
        let (server, url) = application.server_with(&VARIABLES);
        let linger = tokio::spawn(async move {
            reqwest::Client::new().post(format!("{url}/linger")).json(&json!({ "millis": 1500 })).send().await
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.signal("TERM");
        assert_eq!(linger.await.expect("it ends").expect("an answer").status(), 204);
        assert!(server.ended());
        let db = application.db().await;
        assert_eq!(count(&db, "SELECT count(*) FROM action_runs WHERE action = 'linger'").await, 1);
        db.close().await;
    }
}

#[tokio::test]
async fn a_kill_loses_what_was_not_written_yet_and_nothing_older() {
    for database in TestDatabase::each().await.expect("databases") {
        let backend = database.backend();
        let application = Application::over(database);
        let (server, url) = application.server_with(&VARIABLES);
        let load = Load::start(&url, 0..i64::MAX);
        let db = application.db().await;
        reached(&db, FAILED, 30).await;
        // Between two flushes.
        tokio::time::sleep(FLUSH / 2).await;
        let killed = Instant::now();
        server.kill();
        let answered = load.end().await;
        let stored: Vec<(String,)> =
            db.sql("SELECT input FROM action_runs WHERE action = 'judge'").columns().await.expect("rows");
        let stored: BTreeSet<_> = stored.into_iter().map(|(input,)| input).collect();
        let lost: Vec<_> = answered.iter().filter(|(n, _)| !stored.contains(&json!({ "n": n }).to_string())).collect();
        let oldest = lost.iter().map(|(_, at)| killed.saturating_duration_since(*at)).max().unwrap_or_default();
        eprintln!(
            "{backend:?}: of {} runs that were answered {} are lost, the oldest {oldest:?} old",
            answered.len(),
            lost.len()
        );
        assert!(oldest <= FLUSH + SLACK, "{oldest:?}");
        assert!(lost.len() < answered.len());
        db.close().await;
    }
}
