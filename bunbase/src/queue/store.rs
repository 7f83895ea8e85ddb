//! What a database must do for the queue.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{
    Cancel, Claim, Claims, DeadLetter, Ended, Enqueued, Failed, FailureFilter, Held, Job, JobFilter, Lease, NewJob,
    Priority, Reaped, Requeued, Stats,
};
use crate::{
    Result,
    db::{
        Tx,
        page::{Cursor, Page},
    },
};

/// How long jobs that have ended are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Those that are done or cancelled. `None` deletes them as they end, but for one that keeps its unique key for a period.
    pub retention: Option<Duration>,
    /// Dead letters. `None` is for ever.
    pub failure_retention: Option<Duration>,
}

/// Where jobs are kept. Due times and leases are judged by the database's clock, moved by the [`Clock`](crate::clock::Clock)'s offset.
///
/// Every method that ends or extends a claim names the fencing token, and changes nothing for a claim that is no longer held.
/// A method that takes a `limit` does so much at most and says how much it did: call it until that is less than the limit.
///
/// # Errors
/// Those of the database.
pub trait JobStore: fmt::Debug + Send + Sync + 'static {
    /// Stores jobs in one statement, outside of any transaction. Answers in their order.
    fn insert<'a>(&'a self, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>>;

    /// Stores jobs as part of a transaction. Wake the workers when it has committed.
    fn insert_in<'a>(&'a self, tx: &'a Tx, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>>;

    /// Takes due jobs under a lease, most urgent first.
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<Claims>>;

    /// Ends jobs that are done. Returns those that were still held.
    fn complete<'a>(&'a self, done: &'a [Lease]) -> BoxFuture<'a, Result<Vec<Uuid>>>;

    /// Ends attempts that failed: to wait for the next one, or in the dead letters, or cancelled if that was asked for. Returns those
    /// that were still held.
    fn fail<'a>(&'a self, failed: &'a [Failed]) -> BoxFuture<'a, Result<Vec<Ended>>>;

    /// Ends runs that were cancelled. Returns those that were still held.
    fn cancelled<'a>(&'a self, jobs: &'a [Lease]) -> BoxFuture<'a, Result<Vec<Uuid>>>;

    /// Hands jobs back without charging an attempt; one that was asked to stop is cancelled. Returns those that were still held.
    fn release<'a>(&'a self, jobs: &'a [Lease]) -> BoxFuture<'a, Result<Vec<Uuid>>>;

    /// Extends the leases of jobs. What is not in the answer is lost.
    fn heartbeat<'a>(&'a self, jobs: &'a [Lease], lease: Duration) -> BoxFuture<'a, Result<Vec<Held>>>;

    /// Stores what a handler reports of its progress. Returns whether it was still held.
    fn progress<'a>(&'a self, job: Lease, progress: &'a str) -> BoxFuture<'a, Result<bool>>;

    /// Takes back jobs whose leases have expired: to wait for the next attempt, or in the dead letters when there is none.
    fn reap(&self, limit: u32) -> BoxFuture<'_, Result<Reaped>>;

    /// Raises jobs by one priority that have waited for `after` since they were due or raised. Returns how many.
    fn raise(&self, after: Duration, limit: u32) -> BoxFuture<'_, Result<u64>>;

    /// Deletes jobs and dead letters that were kept for long enough, `limit` of each. Returns how many.
    fn prune(&self, limit: u32) -> BoxFuture<'_, Result<u64>>;

    /// Returns a job, whether it has ended or not.
    fn get(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Job>>>;

    /// Lists jobs, newest first.
    fn list<'a>(
        &'a self,
        filter: &'a JobFilter,
        limit: u32,
        cursor: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<Page<Job>>>;

    /// Counts what waits, runs and is dead, in the queues that hold something and in those of `known`.
    fn stats<'a>(&'a self, known: &'a [String]) -> BoxFuture<'a, Result<Stats>>;

    /// Cancels a job: at once when it waits, otherwise by telling its worker.
    fn cancel(&self, id: Uuid) -> BoxFuture<'_, Result<Cancel>>;

    /// Says when a job that waits may run. Returns whether it waited.
    fn reschedule(&self, id: Uuid, at: DateTime<Utc>) -> BoxFuture<'_, Result<bool>>;

    /// Says how urgent a job is that waits. Returns whether it waited.
    fn prioritise(&self, id: Uuid, priority: Priority) -> BoxFuture<'_, Result<bool>>;

    /// Returns a dead letter.
    fn failure(&self, id: Uuid) -> BoxFuture<'_, Result<Option<DeadLetter>>>;

    /// Lists dead letters, the latest first.
    fn failures<'a>(
        &'a self,
        filter: &'a FailureFilter,
        limit: u32,
        cursor: Option<&'a Cursor>,
    ) -> BoxFuture<'a, Result<Page<DeadLetter>>>;

    /// Makes jobs of dead letters again, with all their attempts and their history. Returns how many, and where.
    fn retry<'a>(&'a self, filter: &'a FailureFilter, limit: u32) -> BoxFuture<'a, Result<Requeued>>;

    /// Deletes dead letters. Returns how many.
    fn discard<'a>(&'a self, filter: &'a FailureFilter, limit: u32) -> BoxFuture<'a, Result<u64>>;
}
