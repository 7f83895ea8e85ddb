//! Schedules on SQLite. Transactions have the database for themselves, so nothing is locked by the row.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::FromQueryResult;

use super::{
    entry::columns,
    store::{Claimed, ScheduleStore, until},
};
use crate::{
    Result,
    clock::Clock,
    db::{Db, Tx},
};

/// Those that are due at `$1`, of the declared ones those in the list `$2`. Partial index: `schedules_due`.
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM schedules
    WHERE next_run_at <= $1 AND paused = 0 AND (retry_at IS NULL OR retry_at <= $1)
        AND (source = 'runtime' OR name IN (SELECT value FROM json_each($2)))
    ORDER BY next_run_at, name LIMIT $3"
);

/// The next that is due, beside the next that is tried again; of the declared ones those in the list `$1`.
const NEXT: &str = "SELECT
    (SELECT next_run_at FROM schedules
        WHERE next_run_at IS NOT NULL AND paused = 0 AND retry_at IS NULL
            AND (source = 'runtime' OR name IN (SELECT value FROM json_each($1)))
        ORDER BY next_run_at LIMIT 1) AS due,
    (SELECT retry_at FROM schedules
        WHERE retry_at IS NOT NULL AND paused = 0
            AND (source = 'runtime' OR name IN (SELECT value FROM json_each($1)))
        ORDER BY retry_at LIMIT 1) AS retry";

const PRUNE: &str = "DELETE FROM schedule_ticks WHERE rowid IN
    (SELECT rowid FROM schedule_ticks WHERE taken_at < $1 ORDER BY taken_at LIMIT $2)";

#[derive(FromQueryResult)]
struct Next {
    due: Option<DateTime<Utc>>,
    retry: Option<DateTime<Utc>>,
}

/// Schedules in a SQLite file.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    db: Db,
    clock: Clock,
}

impl Sqlite {
    pub(super) fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

impl ScheduleStore for Sqlite {
    fn now<'a>(&'a self, _tx: &'a Tx) -> BoxFuture<'a, Result<DateTime<Utc>>> {
        Box::pin(async { Ok(self.clock.now()) })
    }

    fn claim<'a>(&'a self, tx: &'a Tx, declared: &'a [String], limit: u32) -> BoxFuture<'a, Result<Claimed>> {
        Box::pin(async move {
            let now = self.clock.now();
            let declared = serde_json::to_string(declared)?;
            let rows = tx.sql(DUE).bind(now).bind(declared).bind(limit).all().await?;
            Ok(Claimed { now, rows })
        })
    }

    fn until_next<'a>(&'a self, declared: &'a [String]) -> BoxFuture<'a, Result<Option<Duration>>> {
        Box::pin(async move {
            let declared = serde_json::to_string(declared)?;
            let Next { due, retry } = self.db.sql(NEXT).bind(declared).one().await?;
            Ok(until(self.clock.now(), due, retry))
        })
    }

    fn prune(&self, retention: Duration, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let retention = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
            let Some(before) = self.clock.now().checked_sub_signed(retention) else { return Ok(0) };
            self.db.sql(PRUNE).bind(before).bind(limit).execute().await
        })
    }
}
