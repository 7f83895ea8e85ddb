//! The queue on Postgres: rows are taken with `FOR UPDATE SKIP LOCKED`, batches are bound as arrays.
//!
//! In every statement here `$1` is the clock's offset in microseconds, and "now" the server's time plus that.

/// The time of the statement.
macro_rules! now {
    () => {
        "(statement_timestamp() + $1::bigint * INTERVAL '1 microsecond')"
    };
}

/// So many microseconds.
macro_rules! micros {
    ($number:literal) => {
        concat!("(", $number, "::bigint * INTERVAL '1 microsecond')")
    };
}

/// The key that a job keeps when it has ended: one for a period that is not over.
macro_rules! lasting_key {
    () => {
        concat!("CASE WHEN job.unique_scope = 'period' AND job.unique_until > ", now!(), " THEN job.unique_key END")
    };
}

mod change;
mod claim;
mod finish;
mod groups;
mod heads;
mod insert;
#[cfg(test)]
mod tests;
mod upkeep;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use self::heads::Heads;
use super::{
    Cancel, Claim, Claims, DeadLetter, Ended, Enqueued, Failed, FailureFilter, Held, Job, JobFilter, JobStore, Lease,
    NewJob, Priority, Reaped, Requeued, Settings, Stats, groups::Walk, listing,
};
use crate::{
    Result,
    clock::Clock,
    db::{
        Db, Tx,
        page::{Cursor, Page},
    },
};

/// See the module.
pub(super) struct Postgres {
    db: Db,
    clock: Clock,
    settings: Settings,
    walk: Walk,
    heads: Heads,
}

impl Postgres {
    pub(super) fn new(db: Db, clock: Clock, settings: Settings) -> Self {
        Self { db, clock, settings, walk: Walk::default(), heads: Heads::default() }
    }

    fn offset_us(&self) -> i64 {
        self.clock.offset_us()
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Returns a duration in microseconds; what is too long is the longest that the database takes, 30,000 years.
fn micros(duration: Duration) -> i64 {
    const LONGEST_US: i64 = 30_000 * 366 * 86_400 * 1_000_000;
    i64::try_from(duration.as_micros()).map_or(LONGEST_US, |us| us.min(LONGEST_US))
}

/// Sorts leases, so that statements which overlap take their locks in one order, and splits them into arrays.
fn arrays(leases: &[Lease]) -> (Vec<Uuid>, Vec<i32>) {
    let mut sorted = leases.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().map(|lease| (lease.id, lease.claims)).unzip()
}

impl JobStore for Postgres {
    fn insert<'a>(&'a self, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>> {
        Box::pin(insert::insert(&self.db, self.offset_us(), jobs))
    }

    fn insert_in<'a>(&'a self, tx: &'a Tx, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>> {
        Box::pin(insert::insert(tx.db(), self.offset_us(), jobs))
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<Claims>> {
        if claim.grouped { Box::pin(self.claim_grouped(claim)) } else { Box::pin(self.claim_plain(claim)) }
    }

    fn complete<'a>(&'a self, done: &'a [Lease]) -> BoxFuture<'a, Result<Vec<Uuid>>> {
        Box::pin(self.end_completed(done))
    }

    fn fail<'a>(&'a self, failed: &'a [Failed]) -> BoxFuture<'a, Result<Vec<Ended>>> {
        Box::pin(self.end_failed(failed))
    }

    fn cancelled<'a>(&'a self, jobs: &'a [Lease]) -> BoxFuture<'a, Result<Vec<Uuid>>> {
        Box::pin(self.end_cancelled(jobs))
    }

    fn release<'a>(&'a self, jobs: &'a [Lease]) -> BoxFuture<'a, Result<Vec<Uuid>>> {
        Box::pin(self.hand_back(jobs))
    }

    fn heartbeat<'a>(&'a self, jobs: &'a [Lease], lease: Duration) -> BoxFuture<'a, Result<Vec<Held>>> {
        Box::pin(self.extend(jobs, lease))
    }

    fn progress<'a>(&'a self, job: Lease, progress: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(listing::progress(&self.db, job, progress))
    }

    fn reap(&self, limit: u32) -> BoxFuture<'_, Result<Reaped>> {
        Box::pin(self.take_back(limit))
    }

    fn raise(&self, after: Duration, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.raise_waiting(after, limit))
    }

    fn prune(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.delete_old(limit))
    }

    fn get(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Job>>> {
        Box::pin(listing::get(&self.db, id))
    }

    fn list<'a>(
        &'a self,
        filter: &'a JobFilter,
        limit: u32,
        cursor: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<Page<Job>>> {
        Box::pin(listing::list(&self.db, filter, limit, cursor))
    }

    fn stats<'a>(&'a self, known: &'a [String]) -> BoxFuture<'a, Result<Stats>> {
        Box::pin(listing::stats(&self.db, self.clock.now(), known))
    }

    fn cancel(&self, id: Uuid) -> BoxFuture<'_, Result<Cancel>> {
        Box::pin(self.ask_to_cancel(id))
    }

    fn reschedule(&self, id: Uuid, at: DateTime<Utc>) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.move_to(id, at))
    }

    fn prioritise(&self, id: Uuid, priority: Priority) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.set_priority(id, priority))
    }

    fn failure(&self, id: Uuid) -> BoxFuture<'_, Result<Option<DeadLetter>>> {
        Box::pin(listing::failure(&self.db, id))
    }

    fn failures<'a>(
        &'a self,
        filter: &'a FailureFilter,
        limit: u32,
        cursor: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<Page<DeadLetter>>> {
        Box::pin(listing::failures(&self.db, filter, limit, cursor))
    }

    fn retry<'a>(&'a self, filter: &'a FailureFilter, limit: u32) -> BoxFuture<'a, Result<Requeued>> {
        Box::pin(self.retry_failures(filter, limit))
    }

    fn discard<'a>(&'a self, filter: &'a FailureFilter, limit: u32) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.discard_failures(filter, limit))
    }
}
