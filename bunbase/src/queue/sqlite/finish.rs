//! How claims end, and how they last: every statement names the fencing token.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use uuid::Uuid;

use super::{Sqlite, hex, json, json_ids, later, text};
use crate::{
    Result,
    db::{Sql, Tx},
    queue::{Attempt, Ended, Failed, Failure, Held, Lease, history},
};

/// How many failed attempts a job remembers.
const LONGEST_HISTORY: usize = 20;

/// The claims that a statement is about, as far as they are still held.
macro_rules! held {
    () => {
        "status = 'running' AND (id, claims) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($2))"
    };
}

/// The key that a job keeps when it has ended: one for a period that is not over.
macro_rules! lasting_key {
    () => {
        "CASE WHEN unique_scope = 'period' AND unique_until > $1 THEN unique_key END"
    };
}
pub(super) use lasting_key;

pub(super) const COMPLETE: &str = concat!(
    "UPDATE job_queue SET status = 'completed', leased_until = NULL, finished_at = $1, unique_key = ",
    lasting_key!(),
    " WHERE ",
    held!(),
    " RETURNING id"
);

/// Deletes jobs that are done, but for those whose unique keys must stay.
pub(super) const DELETE: &str =
    concat!("DELETE FROM job_queue WHERE ", held!(), " AND (", lasting_key!(), ") IS NULL RETURNING id");

pub(super) const CANCELLED: &str = concat!(
    "UPDATE job_queue SET status = 'cancelled', leased_until = NULL, finished_at = $1, unique_key = ",
    lasting_key!(),
    " WHERE ",
    held!(),
    " RETURNING id"
);

pub(super) const RELEASE: &str = concat!(
    "UPDATE job_queue SET leased_until = NULL, attempt = attempt - 1,
        status = CASE WHEN cancel_requested THEN 'cancelled' WHEN attempt > 1 THEN 'retrying' ELSE 'pending' END,
        finished_at = CASE WHEN cancel_requested THEN $1 END,
        unique_key = CASE WHEN cancel_requested THEN ",
    lasting_key!(),
    " ELSE unique_key END WHERE ",
    held!(),
    " RETURNING id"
);

/// Names `$1` only so that every statement here binds it first.
pub(super) const HEARTBEAT: &str = concat!(
    "UPDATE job_queue SET leased_until = $3 WHERE $1 IS NOT NULL AND ",
    held!(),
    " RETURNING id, claims, cancel_requested"
);

pub(super) const FAILED: &str = concat!(
    "SELECT id, queue, attempt, max_attempts, cancel_requested, errors FROM job_queue WHERE $1 IS NOT NULL AND ",
    held!(),
    " ORDER BY id"
);

/// Copies jobs to the dead letters; the next statement removes them from the queue, in the same transaction.
pub(super) const BURY: &str = "
    INSERT INTO job_failures (id, queue, action, input, priority, attempts, max_attempts, claims, group_key, group_limit, position,
        door, origin, identity, traceparent, error_code, error, errors, created_at, failed_at)
    SELECT job.id, queue, action, input, priority, attempt, max_attempts, claims, group_key, group_limit, position, door, origin,
        identity, traceparent, value ->> 'code', value ->> 'message', value ->> 'history', created_at, $1
    FROM json_each($2) JOIN job_queue AS job ON job.id = unhex(value ->> 'id') ORDER BY job.id";

pub(super) const REMOVE: &str = "DELETE FROM job_queue WHERE id IN (SELECT unhex(value) FROM json_each($1))";

/// Lets jobs wait for their next attempt, or be cancelled when that was asked for.
pub(super) const WAIT: &str = concat!(
    "UPDATE job_queue SET status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'retrying' END, leased_until = NULL,
        errors = failed.value ->> 'history', run_at = failed.value ->> 'run_at', waiting_since = failed.value ->> 'run_at',
        finished_at = CASE WHEN cancel_requested THEN $1 END,
        unique_key = CASE WHEN cancel_requested THEN ",
    lasting_key!(),
    " ELSE unique_key END
    FROM json_each($2) AS failed WHERE job_queue.id = unhex(failed.value ->> 'id')"
);

#[derive(FromQueryResult)]
pub(super) struct Id {
    pub(super) id: Uuid,
}

#[derive(FromQueryResult)]
struct Beat {
    id: Uuid,
    claims: i32,
    cancel_requested: bool,
}

/// A job whose attempt failed, as it is still stored.
#[derive(FromQueryResult)]
pub(super) struct Lost {
    id: Uuid,
    pub(super) queue: String,
    attempt: i32,
    max_attempts: i32,
    pub(super) cancel_requested: bool,
    errors: Option<String>,
}

/// What is to be stored of it.
#[derive(Serialize)]
struct Told {
    id: String,
    code: String,
    message: String,
    history: String,
    run_at: String,
}

impl Sqlite {
    pub(super) async fn end_completed(&self, done: &[Lease]) -> Result<Vec<Uuid>> {
        if self.settings.retention.is_some() {
            return self.end(COMPLETE, done).await;
        }
        let gone = self.end(DELETE, done).await?;
        if gone.len() == done.len() {
            return Ok(gone);
        }
        let kept = self.end(COMPLETE, done).await?;
        Ok([gone, kept].concat())
    }

    pub(super) async fn end_cancelled(&self, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        self.end(CANCELLED, jobs).await
    }

    pub(super) async fn hand_back(&self, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        self.end(RELEASE, jobs).await
    }

    async fn end(&self, sql: &'static str, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        let rows = Sql::fixed(&self.db, sql).bind(self.now()).bind(json(jobs)).all::<Id>().await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    pub(super) async fn extend(&self, jobs: &[Lease], lease: Duration) -> Result<Vec<Held>> {
        let now = self.now();
        let statement = self.db.sql(HEARTBEAT).bind(now).bind(json(jobs)).bind(later(now, lease));
        let rows = statement.all::<Beat>().await?;
        let held = rows
            .into_iter()
            .map(|Beat { id, claims, cancel_requested }| Held { lease: Lease { id, claims }, cancel_requested });
        Ok(held.collect())
    }

    pub(super) async fn end_failed(&self, failed: &[Failed]) -> Result<Vec<Ended>> {
        let leases: Vec<_> = failed.iter().map(|failed| failed.lease).collect();
        let why = |id: Uuid| failed.iter().find(|failed| failed.lease.id == id).map(|failed| &failed.failure);
        let now = self.now();
        let tx = self.db.begin_tx().await?;
        let lost = tx.sql(FAILED).bind(now).bind(json(&leases)).all::<Lost>().await?;
        let settled = settle(&tx, now, lost.iter().filter_map(|lost| Some((lost, why(lost.id)?)))).await?;
        tx.commit().await?;
        Ok(settled)
    }
}

/// Moves jobs on: to the dead letters those that are spent, and the others to wait, or out of the queue when they had been asked to
/// stop.
pub(super) async fn settle<'a>(
    tx: &Tx,
    now: DateTime<Utc>,
    failed: impl Iterator<Item = (&'a Lost, &'a Failure)>,
) -> Result<Vec<Ended>> {
    let (mut dead, mut waiting, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for (lost, failure) in failed {
        let told = lost.told(now, failure)?;
        let is_dead = !lost.cancel_requested && (failure.retry_after.is_none() || lost.attempt >= lost.max_attempts);
        if is_dead {
            dead.push((lost.id, told));
        } else {
            waiting.push(told);
        }
        settled.push(Ended { id: lost.id, is_dead });
    }
    if !dead.is_empty() {
        let (ids, dead): (Vec<_>, Vec<_>) = dead.into_iter().unzip();
        tx.sql(BURY).bind(now).bind(serde_json::to_string(&dead)?).execute().await?;
        tx.sql(REMOVE).bind(json_ids(ids)).execute().await?;
    }
    if !waiting.is_empty() {
        tx.sql(WAIT).bind(now).bind(serde_json::to_string(&waiting)?).execute().await?;
    }
    Ok(settled)
}

impl Lost {
    fn told(&self, now: DateTime<Utc>, failure: &Failure) -> Result<Told> {
        let (code, message) = (failure.stored_code(), failure.stored_message());
        let mut past = history(self.errors.as_deref());
        past.push(Attempt {
            attempt: self.attempt.unsigned_abs(),
            at: now,
            code: code.clone(),
            message: message.clone(),
        });
        let last = &past[past.len().saturating_sub(LONGEST_HISTORY)..];
        let history = serde_json::to_string(last)?;
        Ok(Told {
            id: hex(self.id),
            code,
            message,
            history,
            run_at: text(later(now, failure.retry_after.unwrap_or_default())),
        })
    }
}
