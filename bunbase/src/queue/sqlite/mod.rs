//! The queue on SQLite: one writer at a time, so a statement or a transaction that began IMMEDIATE is alone by itself.
//!
//! Times are bound, because SQLite has no clock of its own: `$1` is "now" wherever a statement asks for it. Batches are bound as
//! JSON. What may find nothing to do asks a reader first, so that an idle worker does not wait for the writer.

mod change;
mod claim;
mod finish;
mod groups;
mod insert;
#[cfg(test)]
mod tests;
mod upkeep;

use std::{fmt, time::Duration};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

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
pub(super) struct Sqlite {
    db: Db,
    clock: Clock,
    settings: Settings,
    walk: Walk,
}

impl Sqlite {
    pub(super) fn new(db: Db, clock: Clock, settings: Settings) -> Self {
        Self { db, clock, settings, walk: Walk::default() }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Returns a time that is so much later; what is too late is the end of the year 9999, the last that sorts as text.
fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    const LAST_US: i64 = 253_402_300_799_999_999;
    let last = DateTime::from_timestamp_micros(LAST_US).unwrap_or(DateTime::<Utc>::MAX_UTC);
    TimeDelta::from_std(by).ok().and_then(|by| now.checked_add_signed(by)).map_or(last, |time| time.min(last))
}

/// Returns a time that is so much earlier; what is too early is the epoch.
fn earlier(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let epoch = DateTime::UNIX_EPOCH;
    TimeDelta::from_std(by).ok().and_then(|by| now.checked_sub_signed(by)).map_or(epoch, |time| time.max(epoch))
}

/// Returns a time as the driver binds it: for times inside JSON.
fn text(time: DateTime<Utc>) -> String {
    time.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Returns an id for `unhex`.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// Returns leases as JSON: `[["…", 1], …]`.
fn json(leases: &[Lease]) -> String {
    leases
        .iter()
        .map(|lease| serde_json::json!([hex(lease.id), lease.claims]))
        .collect::<serde_json::Value>()
        .to_string()
}

/// Returns ids as JSON.
fn json_ids(ids: impl IntoIterator<Item = Uuid>) -> String {
    ids.into_iter().map(hex).collect::<serde_json::Value>().to_string()
}

impl JobStore for Sqlite {
    fn insert<'a>(&'a self, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>> {
        Box::pin(insert::insert(&self.db, self.now(), jobs))
    }

    fn insert_in<'a>(&'a self, tx: &'a Tx, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>> {
        Box::pin(insert::insert_in(tx, self.now(), jobs))
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
