//! Schedules on Postgres. Rows are locked, and those that another instance has locked are left to it.

use std::time::Duration;

use chrono::{DateTime, Utc};
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

const NOW: &str = "SELECT statement_timestamp() + $1 * INTERVAL '1 microsecond'";

/// Those that are due at `$1`, of the declared ones those in `$2`. Partial index: `schedules_due`.
const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM schedules
    WHERE next_run_at <= $1 AND NOT paused AND (retry_at IS NULL OR retry_at <= $1)
        AND (source = 'runtime' OR name = ANY($2))
    ORDER BY next_run_at, name LIMIT $3 FOR UPDATE SKIP LOCKED"
);

/// The time, the next that is due, and the next that is tried again; of the declared ones those in `$1`.
const NEXT: &str = "SELECT
    statement_timestamp() + $2 * INTERVAL '1 microsecond' AS now,
    (SELECT next_run_at FROM schedules
        WHERE next_run_at IS NOT NULL AND NOT paused AND retry_at IS NULL AND (source = 'runtime' OR name = ANY($1))
        ORDER BY next_run_at LIMIT 1) AS due,
    (SELECT retry_at FROM schedules
        WHERE retry_at IS NOT NULL AND NOT paused AND (source = 'runtime' OR name = ANY($1))
        ORDER BY retry_at LIMIT 1) AS retry";

const PRUNE: &str = "DELETE FROM schedule_ticks USING
    (SELECT schedule, tick_at FROM schedule_ticks
        WHERE taken_at < statement_timestamp() + ($1 - $2) * INTERVAL '1 microsecond'
        ORDER BY taken_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS old
    WHERE schedule_ticks.schedule = old.schedule AND schedule_ticks.tick_at = old.tick_at";

#[derive(FromQueryResult)]
struct Next {
    now: DateTime<Utc>,
    due: Option<DateTime<Utc>>,
    retry: Option<DateTime<Utc>>,
}

/// Schedules in a Postgres database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    db: Db,
    clock: Clock,
}

impl Postgres {
    pub(super) fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

impl ScheduleStore for Postgres {
    fn now<'a>(&'a self, tx: &'a Tx) -> BoxFuture<'a, Result<DateTime<Utc>>> {
        Box::pin(async { tx.sql(NOW).bind(self.clock.offset_us()).scalar().await })
    }

    fn claim<'a>(&'a self, tx: &'a Tx, declared: &'a [String], limit: u32) -> BoxFuture<'a, Result<Claimed>> {
        Box::pin(async move {
            let now = self.now(tx).await?;
            let rows = tx.sql(DUE).bind(now).bind(declared.to_vec()).bind(i64::from(limit)).all().await?;
            Ok(Claimed { now, rows })
        })
    }

    fn until_next<'a>(&'a self, declared: &'a [String]) -> BoxFuture<'a, Result<Option<Duration>>> {
        Box::pin(async move {
            let next = self.db.sql(NEXT).bind(declared.to_vec()).bind(self.clock.offset_us());
            let Next { now, due, retry } = next.one().await?;
            Ok(until(now, due, retry))
        })
    }

    fn prune(&self, retention: Duration, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let retention_us = i64::try_from(retention.as_micros()).unwrap_or(i64::MAX);
            let prune = self.db.sql(PRUNE).bind(self.clock.offset_us()).bind(retention_us);
            prune.bind(i64::from(limit)).execute().await
        })
    }
}
