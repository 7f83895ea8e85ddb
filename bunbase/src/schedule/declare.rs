//! What the code declares, and what the table has of it.
//!
//! While a new version of the application is rolled out, instances of both run and some restart, so the table must not go back and
//! forth between the two. Versions have no order that could be known, so the instances say now and then what they declare:
//!
//! - A definition that differs from the stored one replaces it, and the one that it replaced is kept beside it.
//! - Whoever declares the replaced one leaves things as they are while others declare the stored one, and takes them back when
//!   those have been gone for [`GONE`]: the new version was rolled back.
//! - A schedule that nobody has declared for [`GONE`] is deleted. Until then it has no ticks either: an instance takes those
//!   of schedules that it declares itself.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    NewSchedule, Schedules,
    entry::{Row, columns},
};
use crate::{Error, Result, db::Tx};

/// How often an instance says what it declares.
pub(super) const EVERY: Duration = Duration::from_secs(15);

/// How long after the last time a declaration holds.
const GONE: TimeDelta = TimeDelta::seconds(60);

/// How old it may be before it is written again, so that many instances do not all write the same.
const FRESH: TimeDelta = TimeDelta::seconds(10);

const DECLARED: &str = concat!("SELECT ", columns!(), " FROM schedules WHERE source = 'code' ORDER BY name");
const SOURCE: &str = "SELECT source FROM schedules WHERE name = $1";
const INSERT: &str = "INSERT INTO schedules
    (name, source, action, input, rule, zone, missed, overlap, identity, next_run_at, declared_at, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) ON CONFLICT (name) DO NOTHING";
/// Only what is still as it was read: another instance may be at it.
const REPLACE: &str = "UPDATE schedules
    SET action = $3, input = $4, rule = $5, zone = $6, missed = $7, overlap = $8, identity = $9, next_run_at = $10,
        replaced = $11, declared_at = $12, updated_at = $12, failures = 0, retry_at = NULL, error = NULL
    WHERE name = $1 AND updated_at = $2";
const RENEW: &str = "UPDATE schedules SET declared_at = $2 WHERE name = $1 AND declared_at < $2";
const FORGET: &str = "DELETE FROM schedules WHERE name = $1 AND declared_at = $2";

impl Schedules {
    /// Brings the table up to date with what the code declares. Done at start, and again now and then while the instance runs.
    ///
    /// A schedule whose rule changed has its next tick by the new rule, and none that was taken before; whether it is paused
    /// stays. What changed otherwise leaves the next tick as it is.
    ///
    /// # Errors
    /// Those of the database; 409 `schedule_name_taken` when one that was made at run time has the name; 422 `schedule_name`.
    pub async fn declare(&self, declared: &[NewSchedule]) -> Result<()> {
        for schedule in declared {
            schedule.check()?;
        }
        let rows: Vec<Row> = self.db.sql(DECLARED).all().await?;
        if self.is_up_to_date(declared, &rows) {
            return Ok(());
        }
        self.db.transaction(async |tx: &Tx| self.declare_in(tx, declared).await).await
    }

    /// Returns whether the table has what is declared and nothing else, by somebody's word of just now. This machine's clock is
    /// good enough to be sure of that; where it is not, the transaction asks the database's.
    fn is_up_to_date(&self, declared: &[NewSchedule], rows: &[Row]) -> bool {
        let now = self.clock.now();
        let is_fresh = |row: &Row| row.declared_at.is_some_and(|at| (now - at).abs() < FRESH);
        let stored: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
        let has = |schedule: &NewSchedule| {
            stored
                .get(schedule.name.as_str())
                .is_some_and(|row| is_fresh(row) && row.definition() == schedule.definition())
        };
        rows.len() == declared.len() && declared.iter().all(has)
    }

    async fn declare_in(&self, tx: &Tx, declared: &[NewSchedule]) -> Result<()> {
        let now = self.store.now(tx).await?;
        let rows: Vec<Row> = tx.sql(DECLARED).all().await?;
        let mut stored: BTreeMap<String, Row> = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        // In one order, so that instances which do this at the same time do not wait for each other in a ring.
        let mut declared: Vec<_> = declared.iter().collect();
        declared.sort_by_key(|schedule| &schedule.name);
        for schedule in declared {
            match stored.remove(&schedule.name) {
                None => insert(tx, schedule, now).await?,
                Some(row) if row.definition() == schedule.definition() => {
                    if row.declared_at.is_none_or(|at| now - at >= FRESH) {
                        tx.sql(RENEW).bind(row.name.as_str()).bind(now).execute().await?;
                    }
                }
                Some(row) => replace(tx, schedule, &row, now).await?,
            }
        }
        for row in stored.into_values().filter(|row| is_gone(row, now)) {
            tracing::info!(schedule = row.name, "no instance declares the schedule any more; it is deleted");
            tx.sql(FORGET).bind(row.name.as_str()).bind(row.declared_at).execute().await?;
        }
        Ok(())
    }
}

/// Returns whether no instance that runs declares what is stored.
fn is_gone(row: &Row, now: DateTime<Utc>) -> bool {
    row.declared_at.is_none_or(|at| now - at > GONE)
}

async fn insert(tx: &Tx, schedule: &NewSchedule, now: DateTime<Utc>) -> Result<()> {
    let next = schedule.rule.next_after(now, schedule.zone);
    if insert_row(tx, schedule, Row::CODE, next, now).await? {
        return Ok(());
    }
    // Another instance was faster, or the name is taken.
    let source: String = tx.sql(SOURCE).bind(schedule.name.as_str()).scalar().await?;
    if source == Row::CODE {
        return Ok(());
    }
    let text =
        format!("the code declares the schedule `{}`, and one with that name was made at run time", schedule.name);
    Err(Error::new(409, "schedule_name_taken", text))
}

/// Inserts a schedule. Returns whether its name was free.
pub(super) async fn insert_row(
    tx: &Tx,
    schedule: &NewSchedule,
    source: &str,
    next: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let declared_at = (source == Row::CODE).then_some(now);
    let insert = tx.sql(INSERT).bind(schedule.name.as_str()).bind(source);
    let insert = insert.bind(schedule.action.as_str()).bind(schedule.input.as_str());
    let insert = insert.bind(schedule.rule.to_string()).bind(schedule.zone.to_string());
    let insert = insert.bind(schedule.missed.as_str()).bind(schedule.overlap.as_str());
    let insert = insert.bind(schedule.identity.as_str()).bind(next).bind(declared_at).bind(now);
    Ok(insert.execute().await? == 1)
}

async fn replace(tx: &Tx, schedule: &NewSchedule, row: &Row, now: DateTime<Utc>) -> Result<()> {
    let was_replaced = row.replaced.as_ref() == Some(&schedule.definition());
    if was_replaced && !is_gone(row, now) {
        tracing::debug!(schedule = row.name, "another version of the application declares the schedule otherwise");
        return Ok(());
    }
    tracing::info!(schedule = row.name, rule = %schedule.rule, was = row.rule, "the schedule is declared otherwise now");
    let rule_stays = row.rule == schedule.rule.to_string() && row.zone == schedule.zone.to_string();
    let next = if rule_stays {
        row.next_run_at
    } else {
        schedule.rule.next_after(row.last_tick_at.map_or(now, |last| last.max(now)), schedule.zone)
    };
    let replace = tx.sql(REPLACE).bind(row.name.as_str()).bind(row.updated_at);
    let replace = replace.bind(schedule.action.as_str()).bind(schedule.input.as_str());
    let replace = replace.bind(schedule.rule.to_string()).bind(schedule.zone.to_string());
    let replace = replace.bind(schedule.missed.as_str()).bind(schedule.overlap.as_str());
    let replace = replace.bind(schedule.identity.as_str()).bind(next).bind(row.definition()).bind(now);
    replace.execute().await?;
    Ok(())
}
