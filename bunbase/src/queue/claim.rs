//! A job in a worker's hands: how it is asked for, what it brings along, how it ends.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Priority;

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The queue.
    pub queue: String,
    /// How many jobs at most, 1 to 1000.
    pub limit: u32,
    /// How long they are its own unless it says more.
    pub lease: Duration,
    /// Who it is: host, process and a random part, for people who look at the table.
    pub worker: String,
    /// Whether to look among the jobs of groups, which costs a lock, or among the others.
    pub grouped: bool,
}

/// What a worker gets.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The jobs, most urgent first.
    pub jobs: Vec<Claimed>,
    /// Whether a job of a group is due in this queue. Its group may be full.
    pub groups_due: bool,
    /// With fewer jobs than were asked for: how long until the next one is due. `None` when none waits.
    pub next_due: Option<Duration>,
}

/// What names one claim: a job and its fencing token. What names an older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// The job's id.
    pub id: Uuid,
    /// How often it was claimed, this time included. Never goes down.
    pub claims: i32,
}

/// A job that a worker holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The id.
    pub id: Uuid,
    /// See [`Lease::claims`].
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
    /// The group that it belongs to.
    pub group: Option<String>,
    /// See [`NewJob::door`](super::NewJob::door).
    pub door: String,
    /// See [`NewJob::origin`](super::NewJob::origin).
    pub origin: Option<String>,
    /// See [`NewJob::identity`](super::NewJob::identity).
    pub identity: String,
    /// See [`NewJob::traceparent`](super::NewJob::traceparent).
    pub traceparent: String,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

impl Claimed {
    /// Returns what names this claim.
    pub fn lease(&self) -> Lease {
        Lease { id: self.id, claims: self.claims }
    }
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

/// The longest text of a failure that is stored, in bytes.
const LONGEST_MESSAGE_BYTES: usize = 4096;

impl Failure {
    /// What the history says of a job whose worker did not end it, and did not say that it goes on.
    pub(super) fn lease_expired() -> Self {
        Self {
            code: "lease_expired".to_owned(),
            message: "the worker neither ended the job nor extended its lease".to_owned(),
            retry_after: Some(Duration::ZERO),
        }
    }

    /// Returns the code as both databases take it.
    pub(super) fn stored_code(&self) -> String {
        without_nul(&self.code)
    }

    /// Returns the text as both databases take it, cut where it is too long: a failure that cannot be stored would come back for ever.
    pub(super) fn stored_message(&self) -> String {
        without_nul(&self.message[..self.message.floor_char_boundary(LONGEST_MESSAGE_BYTES)])
    }
}

/// Postgres keeps no U+0000 in a text.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// An attempt that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which one.
    pub lease: Lease,
    /// Why.
    pub failure: Failure,
}

/// Where a job is after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The job.
    pub id: Uuid,
    /// Whether it is among the dead letters now.
    pub is_dead: bool,
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
    /// Which claim.
    pub lease: Lease,
    /// Whether somebody asked for it to be cancelled.
    pub cancel_requested: bool,
}

/// Runs jobs for the queue, which does not know what they do.
pub trait JobHandler: Send + Sync + 'static {
    /// Runs one attempt. Must end soon after `cancelled` is; a panic counts as a failure.
    fn run(&self, job: Claimed, cancelled: CancellationToken) -> BoxFuture<'static, Outcome>;
}
