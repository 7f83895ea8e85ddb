//! How claims end, and how they last: every statement names the fencing token.

use std::{collections::HashSet, time::Duration};

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Postgres, arrays, micros};
use crate::{
    Result,
    db::Sql,
    queue::{Ended, Failed, Held, Lease},
};

/// Whether a job runs, hidden from the planner: it would see that the index `job_queue_leases` holds such jobs only, take it for empty,
/// as it is when the worker is idle, and keep a plan that reads everything that runs.
macro_rules! runs {
    () => {
        "job.status = (SELECT 'running')"
    };
}

/// The claims that a statement is about, as far as they are still held.
///
/// Not a join: on a table that is empty it looks best to go through all of it, and that plan would be kept for the million jobs that
/// come later. `IS TRUE` keeps the planner from making a join of it.
macro_rules! held {
    () => {
        concat!(
            "job.id = ANY($2::uuid[]) AND ",
            runs!(),
            " AND ((job.id, job.claims) IN (
                SELECT held.id, held.claims FROM unnest($2::uuid[], $3::integer[]) AS held (id, claims))) IS TRUE"
        )
    };
}

/// One such claim.
macro_rules! held_one {
    () => {
        concat!("job.id = $2::uuid AND job.claims = $3::integer AND ", runs!())
    };
}

macro_rules! complete {
    ($held:expr) => {
        concat!(
            "UPDATE job_queue AS job SET status = 'completed', leased_until = NULL, finished_at = ",
            now!(),
            ", unique_key = ",
            lasting_key!(),
            " WHERE ",
            $held,
            " RETURNING job.id"
        )
    };
}

macro_rules! complete_and_delete {
    ($held:expr) => {
        concat!("DELETE FROM job_queue AS job WHERE ", $held, " AND (", lasting_key!(), ") IS NULL RETURNING job.id")
    };
}

pub(super) const COMPLETE: &str = complete!(held!());

/// Those that need not stay for the sake of a unique key. There is hardly ever another, which is left to [`COMPLETE`]: to look for one
/// in the same statement would cost as much again.
pub(super) const COMPLETE_AND_DELETE: &str = complete_and_delete!(held!());

// For one job an array is dearer than it looks: a plan that knows how short it is seems so much better than the one that is kept
// that every execution makes its own.
pub(super) const COMPLETE_ONE: &str = complete!(held_one!());
pub(super) const COMPLETE_ONE_AND_DELETE: &str = complete_and_delete!(held_one!());

pub(super) const CANCELLED: &str = concat!(
    "UPDATE job_queue AS job SET status = 'cancelled', leased_until = NULL, finished_at = ",
    now!(),
    ", unique_key = ",
    lasting_key!(),
    " WHERE ",
    held!(),
    " RETURNING job.id"
);

pub(super) const RELEASE: &str = concat!(
    "UPDATE job_queue AS job SET leased_until = NULL, attempt = job.attempt - 1,
        status = CASE WHEN job.cancel_requested THEN 'cancelled' WHEN job.attempt > 1 THEN 'retrying' ELSE 'pending' END,
        finished_at = CASE WHEN job.cancel_requested THEN ",
    now!(),
    " END, unique_key = CASE WHEN job.cancel_requested THEN ",
    lasting_key!(),
    " ELSE job.unique_key END WHERE ",
    held!(),
    " RETURNING job.id"
);

pub(super) const HEARTBEAT: &str = concat!(
    "UPDATE job_queue AS job SET leased_until = ",
    now!(),
    " + ",
    micros!("$4"),
    " WHERE ",
    held!(),
    " RETURNING job.id, job.claims, job.cancel_requested"
);

/// What is told of one failed attempt, behind those that the job has: at most the last 20. Names `job`, and `why` with a code and a
/// message.
macro_rules! history {
    () => {
        concat!(
            "(SELECT (CASE WHEN jsonb_array_length(past) >= 20 THEN past - 0 ELSE past END || jsonb_build_object(
                'attempt', job.attempt, 'at', to_char(",
            now!(),
            " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'code', why.code, 'message', why.message))::text
            FROM (SELECT COALESCE(job.errors, '[]')::jsonb AS past) AS known)"
        )
    };
}
pub(super) use history;

/// Moves the jobs in `failed` on: to the dead letters those that are spent, and the others to wait, or out of the queue when they
/// had been asked to stop. All in one statement, so that a job is never in both tables or in none. The ids are named twice for the reason
/// that [`held`] has.
macro_rules! settle {
    () => {
        concat!(
            "gone AS (
                DELETE FROM job_queue AS job USING failed
                WHERE job.id = failed.id AND job.id = ANY(ARRAY(SELECT id FROM failed WHERE is_dead))
                RETURNING job.*, failed.code, failed.message, failed.history
            ), dead AS (
                INSERT INTO job_failures (id, queue, action, input, priority, attempts, max_attempts, claims, group_key,
                    group_limit, position, door, origin, identity, traceparent, error_code, error, errors, created_at,
                    failed_at)
                SELECT id, queue, action, input, priority, attempt, max_attempts, claims, group_key, group_limit, position,
                    door, origin, identity, traceparent, code, message, history, created_at, ",
            now!(),
            " FROM gone
            ), kept AS (
                UPDATE job_queue AS job SET status = CASE WHEN failed.is_stopped THEN 'cancelled' ELSE 'retrying' END,
                    leased_until = NULL, errors = failed.history,
                    run_at = ",
            now!(),
            " + failed.retry_us * INTERVAL '1 microsecond', waiting_since = ",
            now!(),
            " + failed.retry_us * INTERVAL '1 microsecond',
                    finished_at = CASE WHEN failed.is_stopped THEN ",
            now!(),
            " END, unique_key = CASE WHEN failed.is_stopped THEN ",
            lasting_key!(),
            " ELSE job.unique_key END
                FROM failed WHERE job.id = failed.id AND job.id = ANY(ARRAY(SELECT id FROM failed WHERE NOT is_dead))
            ) SELECT id, queue, is_dead, is_stopped FROM failed ORDER BY id"
        )
    };
}
pub(super) use settle;

/// Each job is looked up by its id, in the order of the arrays: what is locked in a subquery of its own is not joined in any other way.
pub(super) const FAIL: &str = concat!(
    "WITH failed AS MATERIALIZED (
        SELECT job.id, job.queue, why.code, why.message, GREATEST(why.retry_us, 0) AS retry_us,
            job.cancel_requested AS is_stopped,
            NOT job.cancel_requested AND (why.retry_us < 0 OR job.attempt >= job.max_attempts) AS is_dead, ",
    history!(),
    " AS history
        FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::bigint[])
            AS why (id, claims, code, message, retry_us), LATERAL (
                SELECT * FROM job_queue AS job WHERE job.id = why.id AND job.claims = why.claims AND ",
    runs!(),
    " FOR UPDATE) AS job
    ), ",
    settle!()
);

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Beat {
    id: Uuid,
    claims: i32,
    cancel_requested: bool,
}

/// A job that was moved on.
#[derive(FromQueryResult)]
pub(super) struct Settled {
    pub(super) id: Uuid,
    pub(super) queue: String,
    pub(super) is_dead: bool,
    pub(super) is_stopped: bool,
}

impl Postgres {
    pub(super) async fn end_completed(&self, done: &[Lease]) -> Result<Vec<Uuid>> {
        if self.settings.retention.is_some() {
            return self.end_alike(COMPLETE_ONE, COMPLETE, done).await;
        }
        let mut ended = self.end_alike(COMPLETE_ONE_AND_DELETE, COMPLETE_AND_DELETE, done).await?;
        if ended.len() < done.len() {
            let gone: HashSet<_> = ended.iter().copied().collect();
            let rest: Vec<_> = done.iter().filter(|lease| !gone.contains(&lease.id)).copied().collect();
            ended.extend(self.end_alike(COMPLETE_ONE, COMPLETE, &rest).await?);
        }
        Ok(ended)
    }

    /// Ends claims by one of two statements that do the same, for one claim and for many.
    async fn end_alike(&self, one: &'static str, many: &'static str, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        let [lease] = jobs else { return self.end(many, jobs).await };
        let statement = Sql::fixed(&self.db, one).bind(self.offset_us()).bind(lease.id).bind(lease.claims);
        Ok(statement.all::<Id>().await?.into_iter().map(|row| row.id).collect())
    }

    pub(super) async fn end_cancelled(&self, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        self.end(CANCELLED, jobs).await
    }

    pub(super) async fn hand_back(&self, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        self.end(RELEASE, jobs).await
    }

    async fn end(&self, sql: &'static str, jobs: &[Lease]) -> Result<Vec<Uuid>> {
        let (ids, claims) = arrays(jobs);
        let rows = Sql::fixed(&self.db, sql).bind(self.offset_us()).bind(ids).bind(claims).all::<Id>().await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    pub(super) async fn extend(&self, jobs: &[Lease], lease: Duration) -> Result<Vec<Held>> {
        let (ids, claims) = arrays(jobs);
        let statement = self.db.sql(HEARTBEAT).bind(self.offset_us()).bind(ids).bind(claims).bind(micros(lease));
        let rows = statement.all::<Beat>().await?;
        let held = rows
            .into_iter()
            .map(|Beat { id, claims, cancel_requested }| Held { lease: Lease { id, claims }, cancel_requested });
        Ok(held.collect())
    }

    pub(super) async fn end_failed(&self, failed: &[Failed]) -> Result<Vec<Ended>> {
        // As in `arrays`.
        let mut failed: Vec<_> = failed.iter().collect();
        failed.sort_unstable_by_key(|failed| failed.lease);
        let column = |text: fn(&Failed) -> String| failed.iter().copied().map(text).collect::<Vec<_>>();
        let wait = |failed: &Failed| failed.failure.retry_after.map_or(-1, micros);
        let rows = self
            .db
            .sql(FAIL)
            .bind(self.offset_us())
            .bind(failed.iter().map(|failed| failed.lease.id).collect::<Vec<_>>())
            .bind(failed.iter().map(|failed| failed.lease.claims).collect::<Vec<_>>())
            .bind(column(|failed| failed.failure.stored_code()))
            .bind(column(|failed| failed.failure.stored_message()))
            .bind(failed.iter().copied().map(wait).collect::<Vec<_>>())
            .all::<Settled>()
            .await?;
        Ok(rows.into_iter().map(|row| Ended { id: row.id, is_dead: row.is_dead }).collect())
    }
}
