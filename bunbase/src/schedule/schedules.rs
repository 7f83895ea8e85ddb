//! Schedules that are made, changed and looked at while the application runs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, FromQueryResult};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    Entry, NewSchedule,
    declare::insert_row,
    entry::{Row, columns},
    postgres::Postgres,
    sqlite::Sqlite,
    store::ScheduleStore,
};
use crate::{
    Error, Result,
    clock::Clock,
    db::{Db, Tx},
    observe::{Durations, Labels, Metrics},
};

const GET: &str = concat!("SELECT ", columns!(), " FROM schedules WHERE name = $1");
const LIST: &str = concat!("SELECT ", columns!(), " FROM schedules WHERE name > $1 ORDER BY name LIMIT $2");
/// What was missed or failed under the old rule is forgotten with it. Whether it is paused stays.
const REPLACE: &str = "UPDATE schedules
    SET action = $2, input = $3, rule = $4, zone = $5, missed = $6, overlap = $7, identity = $8, next_run_at = $9, updated_at = $10,
        failures = 0, retry_at = NULL, error = NULL
    WHERE name = $1 AND source = 'runtime'";
const PAUSE: &str = "UPDATE schedules
    SET paused = $2, next_run_at = $3, updated_at = $4, failures = 0, retry_at = NULL, error = NULL WHERE name = $1";
const DELETE: &str = "DELETE FROM schedules WHERE name = $1 AND source = 'runtime'";
const TICKS: &str =
    "SELECT tick_at, job_id, taken_at FROM schedule_ticks WHERE schedule = $1 ORDER BY tick_at DESC LIMIT $2";

/// The schedules of an application: those that its code declares, and those made at run time.
///
/// Cheap to clone. Methods that end in `_in` are part of a transaction; once it has committed, [`wake`](Self::wake) tells the ticker
/// of this process. Others find out by themselves, within their poll interval.
#[derive(Clone, Debug)]
pub struct Schedules {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) store: Arc<dyn ScheduleStore>,
    pub(super) changed: Arc<Notify>,
    /// How late ticks are taken.
    pub(super) lateness: Durations,
}

/// A tick that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct TakenTick {
    /// When it was due.
    pub tick_at: DateTime<Utc>,
    /// The job that was made of it; `None` when it was left out, because an earlier run had not ended.
    pub job_id: Option<Uuid>,
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
}

impl Schedules {
    /// Returns the schedules in a database.
    pub fn new(db: Db, clock: Clock) -> Self {
        let store: Arc<dyn ScheduleStore> = match db.backend() {
            DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone())),
            _ => Arc::new(Sqlite::new(db.clone(), clock.clone())),
        };
        Self { db, clock, store, changed: Arc::default(), lateness: Durations::default() }
    }

    /// Has it measure how late it takes ticks.
    #[must_use]
    pub(crate) fn measured(self, metrics: &Metrics) -> Self {
        let help = "How long after they are due ticks of schedules are taken, in milliseconds";
        let lateness = metrics.histograms("bunbase_schedule_lateness_ms", help).of(Labels::new());
        Self { lateness, ..self }
    }

    /// Wakes the ticker of this process: a schedule has changed.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Makes a schedule.
    ///
    /// # Errors
    /// 409 `schedule_exists` when the name is taken; 422 `schedule_name`; those of the database.
    pub async fn create(&self, schedule: &NewSchedule) -> Result<()> {
        self.changing(async |tx: &Tx| self.create_in(tx, schedule).await).await
    }

    /// As [`create`](Self::create), in a transaction.
    pub async fn create_in(&self, tx: &Tx, schedule: &NewSchedule) -> Result<()> {
        if self.insert_in(tx, schedule).await? {
            return Ok(());
        }
        Err(Error::new(409, "schedule_exists", format!("there is a schedule `{}` already", schedule.name)))
    }

    /// Makes a schedule, or replaces the one of its name. One that is paused stays so.
    ///
    /// # Errors
    /// 409 `schedule_declared` when the code declares the name; 422 `schedule_name`; those of the database.
    pub async fn replace(&self, schedule: &NewSchedule) -> Result<()> {
        self.changing(async |tx: &Tx| self.replace_in(tx, schedule).await).await
    }

    /// As [`replace`](Self::replace), in a transaction.
    pub async fn replace_in(&self, tx: &Tx, schedule: &NewSchedule) -> Result<()> {
        if self.insert_in(tx, schedule).await? {
            return Ok(());
        }
        let now = self.store.now(tx).await?;
        let replace = tx.sql(REPLACE).bind(schedule.name.as_str());
        let replace = replace.bind(schedule.action.as_str()).bind(schedule.input.as_str());
        let replace = replace.bind(schedule.rule.to_string()).bind(schedule.zone.to_string());
        let replace = replace.bind(schedule.missed.as_str()).bind(schedule.overlap.as_str());
        let replace = replace.bind(schedule.identity.as_str()).bind(first_tick(schedule, now)).bind(now);
        if replace.execute().await? == 0 {
            return Err(declared(&schedule.name));
        }
        Ok(())
    }

    async fn insert_in(&self, tx: &Tx, schedule: &NewSchedule) -> Result<bool> {
        schedule.check()?;
        let now = self.store.now(tx).await?;
        insert_row(tx, schedule, Row::RUNTIME, first_tick(schedule, now), now).await
    }

    /// Pauses a schedule: its ticks are left out until it is resumed. Also one that the code declares, for all instances.
    ///
    /// # Errors
    /// 404 when there is none of that name; those of the database.
    pub async fn pause(&self, name: &str) -> Result<()> {
        self.changing(async |tx: &Tx| self.set_paused(tx, name, true).await).await
    }

    /// Lets a paused schedule go on, with its next tick from now. A single time that has passed meanwhile counts as missed.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, name: &str) -> Result<()> {
        self.changing(async |tx: &Tx| self.set_paused(tx, name, false).await).await
    }

    async fn set_paused(&self, tx: &Tx, name: &str, paused: bool) -> Result<()> {
        let row: Row = tx.sql(GET).bind(name).optional().await?.ok_or_else(|| unknown(name))?;
        if row.paused == paused {
            return Ok(());
        }
        let now = self.store.now(tx).await?;
        let (rule, zone) = row.rule()?;
        let next = if paused || rule.is_once() { row.next_run_at } else { rule.next_after(now, zone) };
        tx.sql(PAUSE).bind(name).bind(paused).bind(next).bind(now).execute().await?;
        Ok(())
    }

    /// Deletes a schedule that was made at run time. Jobs that it has led to stay.
    ///
    /// # Errors
    /// 404 when there is none of that name; 409 `schedule_declared` when the code declares it; those of the database.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.changing(async |tx: &Tx| self.delete_in(tx, name).await).await
    }

    /// As [`delete`](Self::delete), in a transaction.
    pub async fn delete_in(&self, tx: &Tx, name: &str) -> Result<()> {
        if tx.sql(DELETE).bind(name).execute().await? > 0 {
            return Ok(());
        }
        match tx.sql(GET).bind(name).optional::<Row>().await? {
            Some(_) => Err(declared(name)),
            None => Err(unknown(name)),
        }
    }

    /// Returns a schedule.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn get(&self, name: &str) -> Result<Option<Entry>> {
        Ok(self.db.sql(GET).bind(name).optional::<Row>().await?.map(Entry::from))
    }

    /// Returns up to `limit` schedules with their next ticks, in the order of their names, from the first behind `after`; that is
    /// empty for the beginning.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(&self, after: &str, limit: u32) -> Result<Vec<Entry>> {
        let rows: Vec<Row> = self.db.sql(LIST).bind(after).bind(i64::from(limit)).all().await?;
        Ok(rows.into_iter().map(Entry::from).collect())
    }

    /// Returns the latest ticks of a schedule that were taken, latest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ticks(&self, name: &str, limit: u32) -> Result<Vec<TakenTick>> {
        self.db.sql(TICKS).bind(name).bind(i64::from(limit)).all().await
    }

    /// Runs `f` in a transaction, and wakes the ticker when it has committed.
    async fn changing(&self, f: impl AsyncFnOnce(&Tx) -> Result<()>) -> Result<()> {
        self.db.transaction(f).await?;
        self.wake();
        Ok(())
    }
}

/// Returns the first tick of a schedule that is new: a single time counts although it has passed.
fn first_tick(schedule: &NewSchedule, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let from = if schedule.rule.is_once() { DateTime::<Utc>::MIN_UTC } else { now };
    schedule.rule.next_after(from, schedule.zone)
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!("there is no schedule `{name}`"))
}

fn declared(name: &str) -> Error {
    let text = format!("the code declares the schedule `{name}`: it can be paused, and changed there");
    Error::new(409, "schedule_declared", text)
}
