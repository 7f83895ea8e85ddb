//! `kill -9` at random moments.

use std::time::{Duration, Instant};

use bunbase::{db::Db, testing::TestDatabase};
use serde_json::json;

use crate::process::{Application, Process};

/// How many processes are killed, and how many jobs there are meanwhile.
const KILLS: i64 = 200;
const JOBS: i64 = 10_000;
const WORKERS: usize = 3;

/// Far more than it takes, so that only what is stuck fails.
const PATIENCE: Duration = Duration::from_mins(4);

/// `xorshift64*` (S. Vigna, 2016): the same kills every time, as far as the machine allows.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

pub async fn count(db: &Db, sql: &str) -> i64 {
    // A reader of a SQLite file may meet the moment in which a killed process left its log half written.
    for _ in 0..100 {
        if let Ok(count) = db.sql(sql).scalar().await {
            return count;
        }
        tokio::task::yield_now().await;
    }
    db.sql(sql).scalar().await.expect("the database answers")
}

/// Waits until a count is reached.
pub async fn reached(db: &Db, sql: &str, wanted: i64) {
    let began = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(3));
    loop {
        look.tick().await;
        let now = count(db, sql).await;
        if now >= wanted {
            return;
        }
        if began.elapsed() > PATIENCE {
            let (dead, unfinished) = (count(db, DEAD).await, count(db, UNFINISHED).await);
            panic!("{now} of {wanted}: {sql}; {dead} dead letters, {unfinished} unfinished jobs");
        }
    }
}

const WORKED: &str = "SELECT count(*) FROM worked";
const DEAD: &str = "SELECT count(*) FROM job_failures";
const UNFINISHED: &str = "SELECT count(*) FROM job_queue WHERE status <> 'completed'";

async fn kill_again_and_again(database: TestDatabase, seed: u64) {
    let application = Application::over(database);
    let db = application.db().await;
    let (server, url) = application.server();
    let http = reqwest::Client::new();
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| application.worker()).collect();
    let mut random = Random(seed);
    let each = JOBS / KILLS;
    let mut killed = 0;
    for round in 0..KILLS {
        let body = json!({ "from": round * each, "count": each });
        let answer = http.post(format!("{url}/feed")).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 204, "{:?}", answer.text().await);
        // Not when all is done: what the one before held comes back when its lease is over, beside what is new.
        let progress = i64::try_from(random.below(u64::try_from(each).unwrap_or(1))).unwrap_or(0);
        let before = count(&db, WORKED).await;
        reached(&db, WORKED, (before + progress).min(round * each)).await;
        let victim = usize::try_from(random.below(WORKERS as u64)).unwrap_or(0);
        std::mem::replace(&mut workers[victim], application.worker()).kill();
        killed += 1;
    }
    reached(&db, "SELECT count(DISTINCT n) FROM told", JOBS).await;
    let began = Instant::now();
    while count(&db, UNFINISHED).await > 0 {
        assert!(began.elapsed() < PATIENCE, "{} jobs are stuck", count(&db, UNFINISHED).await);
        tokio::task::yield_now().await;
    }
    for worker in &workers {
        worker.signal("TERM");
    }
    assert!(workers.into_iter().all(Process::ended), "a worker that is asked to stop ends well");
    drop(server);

    assert_eq!(killed, KILLS);
    let all = async |sql: &str| count(&db, sql).await;
    assert_eq!(all("SELECT count(DISTINCT n) FROM fed").await, JOBS);
    assert_eq!(all("SELECT count(*) FROM job_queue WHERE door = 'job' AND status = 'completed'").await, JOBS);
    assert_eq!(all("SELECT count(*) FROM job_queue WHERE door = 'event' AND status = 'completed'").await, JOBS);
    assert_eq!(all("SELECT count(*) FROM job_failures").await, 0);
    assert_eq!(all("SELECT count(DISTINCT n) FROM worked").await, JOBS, "every effect has happened");
    assert_eq!(all(WORKED).await, JOBS, "and no effect twice");
    assert_eq!(all("SELECT count(*) FROM event_outbox").await, JOBS, "every effect has its event");
    assert_eq!(all("SELECT count(*) FROM told").await, JOBS, "every event was heard once");
    // That something was killed in the middle of its work, and not only between.
    let again = all("SELECT count(*) FROM job_queue WHERE claims > 1").await;
    assert!(again > 0, "no job was interrupted by {KILLS} kills");
}

#[tokio::test]
async fn two_hundred_kills_lose_nothing_and_repeat_nothing() {
    kill_again_and_again(TestDatabase::create().await.expect("a database"), 0x5EED_0001).await;
}
