//! The room as a whole, on real databases of both kinds.

mod cluster;
mod declaring;
mod dynamic;
mod missed;
mod taking;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::FromQueryResult;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Entry, Missed, NewSchedule, OnTick, Overlap, Rule, Schedules, Settings, Tick, Ticker, Zone};
use crate::{
    Error, Result,
    clock::Clock,
    db::{self, Db, Tx, migrate::Plan, testing::TestDatabase},
};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// One process: its clock, its connections, and what its ticks did.
struct Instance {
    clock: Clock,
    db: Db,
    schedules: Schedules,
    recorder: Arc<Recorder>,
}

/// Writes each tick into the table `fired`, in the transaction that takes it.
#[derive(Default)]
struct Recorder {
    committed: watch::Sender<usize>,
    /// Ticks of this schedule fail, by an error or a panic.
    broken: Mutex<Option<(String, bool)>>,
    /// What was asked for, also what was rolled back.
    seen: Mutex<Vec<Tick>>,
}

impl OnTick for Recorder {
    fn fire<'a>(&'a self, tx: &'a Tx, tick: &'a Tick) -> BoxFuture<'a, Result<Option<Uuid>>> {
        Box::pin(async move {
            self.seen.lock().unwrap().push(tick.clone());
            let job = Uuid::now_v7();
            let insert = tx.sql("INSERT INTO fired (schedule, tick_at) VALUES ($1, $2)");
            insert.bind(tick.schedule.as_str()).bind(tick.at).execute().await?;
            let broken = self.broken.lock().unwrap().clone().filter(|(name, _)| *name == tick.schedule);
            match broken {
                Some((_, true)) => panic!("on purpose"),
                Some(_) => Err(Error::new(500, "unknown_action", "no such action")),
                None => Ok(Some(job)),
            }
        })
    }

    fn committed(&self) {
        self.committed.send_modify(|count| *count += 1);
    }
}

#[derive(Debug, FromQueryResult)]
struct Fired {
    schedule: String,
    tick_at: DateTime<Utc>,
}

/// Makes a database of each kind with the tables.
async fn each() -> Vec<TestDatabase> {
    let all = TestDatabase::each().await.unwrap();
    for database in &all {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let time = if db.backend() == db::DbBackend::Postgres { "TIMESTAMPTZ" } else { "TEXT" };
        let table = format!("CREATE TABLE fired (schedule TEXT NOT NULL, tick_at {time} NOT NULL)");
        db.sql(&table).execute().await.unwrap();
        db.close().await;
    }
    all
}

impl Instance {
    async fn of(database: &TestDatabase, clock: Clock) -> Self {
        let settings = db::Settings { max_connections: 3, busy_timeout: PATIENCE, ..database.settings() };
        let db = Db::open(&settings).await.unwrap();
        let schedules = Schedules::new(db.clone(), clock.clone());
        Self { clock, db, schedules, recorder: Arc::default() }
    }

    fn ticker(&self, declared: &[NewSchedule], settings: Settings) -> Ticker {
        Ticker::start(self.schedules.clone(), declared.to_vec(), self.recorder.clone(), settings)
    }

    /// Takes once what is due of these and of all made at run time, with a grace of a minute.
    async fn take(&self, declared: &[NewSchedule]) -> Result<usize> {
        let names: Vec<_> = declared.iter().map(|schedule| schedule.name.clone()).collect();
        Ok(self.schedules.take(&names, Duration::from_mins(1), &*self.recorder).await?.ticks)
    }

    /// Moves the clock to `at`, which is in its future.
    fn go_to(&self, at: DateTime<Utc>) {
        self.clock.advance((at - self.clock.now()).to_std().unwrap());
    }

    async fn fired(&self) -> Vec<(String, DateTime<Utc>)> {
        let fired = self.db.sql("SELECT schedule, tick_at FROM fired ORDER BY schedule, tick_at");
        let fired: Vec<Fired> = fired.all().await.unwrap();
        fired.into_iter().map(|fired| (fired.schedule, fired.tick_at)).collect()
    }

    async fn fired_of(&self, name: &str) -> Vec<DateTime<Utc>> {
        self.fired().await.into_iter().filter(|(schedule, _)| schedule == name).map(|(_, at)| at).collect()
    }

    /// Waits until so many ticks in all have fired.
    async fn fired_reaches(&self, count: usize) {
        let mut committed = self.recorder.committed.subscribe();
        let reached = async {
            loop {
                committed.mark_unchanged();
                let fired = self.fired().await.len();
                if fired >= count {
                    return;
                }
                committed.changed().await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        assert!(in_time, "{count} ticks were waited for, and these came: {:?}", self.fired().await);
    }

    async fn entry(&self, name: &str) -> Entry {
        self.schedules.get(name).await.unwrap().unwrap()
    }
}

fn schedule(name: &str, rule: &str) -> NewSchedule {
    NewSchedule::new(name, "reports.make", rule.parse().unwrap())
}

/// Returns the next full hour after the next, so that tests do not begin at a tick.
fn an_hour(clock: &Clock) -> DateTime<Utc> {
    let rule: Rule = "every 1h".parse().unwrap();
    rule.next_after(clock.now() + TimeDelta::minutes(30), Zone::UTC).unwrap()
}
