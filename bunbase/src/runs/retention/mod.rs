//! How long records are kept: on Postgres months are made ahead of time and dropped as a whole, on SQLite rows are deleted.

mod months;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;

use super::record::id_of;
use crate::{
    Result,
    db::{Db, DbBackend},
};

/// The tables, and the column that says how old a row is and which month it belongs to.
const TABLES: [(&str, &str); 2] = [("action_runs", "started_at"), ("action_logs", "logged_at")];

/// How many rows one statement deletes: on SQLite the application's writes wait for as long as that takes.
const BATCH: u32 = 500;

/// How many statements one call makes at most for each table; the rest is left to the next.
const MOST_BATCHES: u32 = 2000;

/// Makes the parts of the months to come and lets go of what is older than `retention`; `None` keeps everything.
///
/// On Postgres a month is dropped when all of it is older, and rows that belong to no month are deleted. Any number of instances may call it at the same time. Returns how many rows
/// were deleted; those of dropped months are not counted.
///
/// # Errors
/// Those of the database. What was done until then stays done.
pub async fn tidy(db: &Db, now: DateTime<Utc>, retention: Option<Duration>) -> Result<u64> {
    let oldest = retention.and_then(|retention| now.checked_sub_signed(TimeDelta::from_std(retention).ok()?));
    if db.backend() == DbBackend::Postgres {
        months::tidy(db, now, oldest).await?;
    }
    let Some(oldest) = oldest else { return Ok(0) };
    let mut deleted = 0;
    if db.backend() == DbBackend::Postgres {
        for (table, column) in TABLES {
            let sql = format!(
                "DELETE FROM {table}_default WHERE ctid = ANY(ARRAY(
                    SELECT ctid FROM {table}_default WHERE {column} < $1 ORDER BY {column} LIMIT {BATCH}))"
            );
            deleted += delete(db, &sql, oldest).await?;
        }
    } else {
        // The tables are in the order of the runs' ids, and so of the time at which they ended. A run goes with what it logged.
        let runs = format!(
            "DELETE FROM action_runs WHERE id IN (SELECT id FROM action_runs WHERE id < $1 ORDER BY id LIMIT {BATCH})"
        );
        let logs = format!(
            "DELETE FROM action_logs WHERE (run_id, line) IN (
                SELECT run_id, line FROM action_logs WHERE run_id < $1 ORDER BY run_id, line LIMIT {BATCH})"
        );
        for sql in [runs, logs] {
            deleted += delete(db, &sql, id_of(oldest.timestamp_millis(), [0; 10], 0)).await?;
        }
    }
    Ok(deleted)
}

/// Deletes rows that are older, some at a time, until there are no more of them.
async fn delete(db: &Db, sql: &str, before: impl Into<Value> + Copy) -> Result<u64> {
    let mut deleted = 0;
    for _ in 0..MOST_BATCHES {
        // Each of them asks for the writer anew, behind all who wait for it by then.
        let rows = db.sql(sql).bind(before).execute().await?;
        deleted += rows;
        if rows < u64::from(BATCH) {
            break;
        }
    }
    Ok(deleted)
}
