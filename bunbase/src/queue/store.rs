//! What a database must do for the queue, and what the queue asks of whoever runs the jobs.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Enqueued, NewJob, Priority};
use crate::{Result, db::Tx};

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The queue.
    pub queue: String,
    /// How many jobs at most.
    pub limit: u32,
    /// How long they are its own unless it says more.
    pub lease: Duration,
    /// Who it is: host, process and a random part, for people who look at the table.
    pub worker: String,
    /// Whether to look among the jobs of groups, which costs a lock, or among the others.
    pub grouped: bool,
}

/// A job that a worker holds. `claims` is its fencing token: what names an older one changes nothing.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The id.
    pub id: Uuid,
    /// How often it was claimed, this time included.
    pub claims: i32,
    /// The queue.
    pub queue: String,
    /// The full name of the action.
    pub action: String,
    /// The input.
    pub input: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many it has.
    pub max_attempts: u32,
    /// See [`NewJob::door`].
    pub door: String,
    /// See [`NewJob::origin`].
    pub origin: Option<String>,
    /// See [`NewJob::identity`].
    pub identity: String,
    /// See [`NewJob::traceparent`].
    pub traceparent: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// Why an attempt failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// The text, without secrets.
    pub message: String,
    /// How long to wait before the next attempt; `None` is to the dead letters at once.
    pub retry_after: Option<Duration>,
}

/// How a run of a job ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is done.
    Completed,
    /// It failed; whether there is another attempt is in the failure, and `max_attempts` has the last word.
    Failed(Failure),
    /// It was asked to stop, and did.
    Cancelled,
    /// It did not begin, or was stopped for the shutdown: it goes back without being charged an attempt.
    Released,
}

/// A job that its worker still holds, as a heartbeat found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The id.
    pub id: Uuid,
    /// The fencing token.
    pub claims: i32,
    /// Whether somebody asked for it to be cancelled.
    pub cancel_requested: bool,
}

/// Runs jobs for the queue, which does not know what they do.
pub trait JobHandler: Send + Sync + 'static {
    /// Runs one attempt. Must end soon after `cancelled` is; must not panic.
    fn run(&self, job: Claimed, cancelled: CancellationToken) -> BoxFuture<'static, Outcome>;
}

/// Where jobs are kept. Due times and leases are judged by the database's clock, moved by the [`Clock`](crate::clock::Clock)'s offset.
///
/// Every method that ends or extends a claim names the fencing token, and changes nothing for a claim that is no longer held.
pub trait JobStore: fmt::Debug + Send + Sync + 'static {
    /// Stores jobs in one statement, outside of any transaction. Answers in their order.
    fn insert<'a>(&'a self, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>>;

    /// Stores jobs as part of a transaction.
    fn insert_in<'a>(&'a self, tx: &'a Tx, jobs: &'a [NewJob]) -> BoxFuture<'a, Result<Vec<Enqueued>>>;

    /// Wakes the workers of a queue, here and in other processes. Jobs that are stored outside of a transaction do it by themselves.
    fn wake(&self, queue: &str);

    /// Takes due jobs under a lease, most urgent first.
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<Vec<Claimed>>>;

    /// Ends jobs that are done. Returns those that were still held.
    fn complete<'a>(&'a self, done: &'a [(Uuid, i32)]) -> BoxFuture<'a, Result<Vec<Uuid>>>;

    /// Ends attempts that failed: to wait for the next one, or in the dead letters. Returns whether it was still held.
    fn fail<'a>(&'a self, id: Uuid, claims: i32, failure: &'a Failure) -> BoxFuture<'a, Result<bool>>;

    /// Ends a run that was cancelled. Returns whether it was still held.
    fn cancelled(&self, id: Uuid, claims: i32) -> BoxFuture<'_, Result<bool>>;

    /// Hands jobs back without charging an attempt. Returns how many were still held.
    fn release<'a>(&'a self, jobs: &'a [(Uuid, i32)]) -> BoxFuture<'a, Result<u64>>;

    /// Extends the leases of jobs. What is not in the answer is lost.
    fn heartbeat<'a>(&'a self, jobs: &'a [(Uuid, i32)], lease: Duration) -> BoxFuture<'a, Result<Vec<Held>>>;

    /// Stores what a handler reports of its progress. Returns whether it was still held.
    fn progress<'a>(&'a self, id: Uuid, claims: i32, progress: &'a str) -> BoxFuture<'a, Result<bool>>;
}
