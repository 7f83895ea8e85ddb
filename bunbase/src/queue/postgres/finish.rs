//! How claims end, and how they last: every statement names the fencing token.

use std::time::Duration;

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Postgres, arrays, micros};
use crate::{
    Result,
    db::Sql,
    queue::{Ended, Failed, Held, Lease},
};

/// The claims that a statement is about, as far as they are still held.
macro_rules! held {
    () => {
        "unnest($2::uuid[], $3::integer[]) AS held (id, claims)
        WHERE job.id = held.id AND job.claims = held.claims AND job.status = 'running'"
    };
}

/// One such claim.
macro_rules! held_one {
    () => {
        "(SELECT $2::uuid AS id, $3::integer AS claims) AS held
        WHERE job.id = held.id AND job.claims = held.claims AND job.status = 'running'"
    };
}

macro_rules! complete {
    ($held:expr) => {
        concat!(
            "UPDATE job_queue AS job SET status = 'completed', leased_until = NULL, finished_at = ",
            now!(),
            ", unique_key = ",
            lasting_key!(),
            " FROM ",
            $held,
            " RETURNING job.id"
        )
    };
}

/// A job stays only while its unique key must.
macro_rules! complete_and_delete {
    ($held:expr) => {
        concat!(
            "WITH gone AS (
                DELETE FROM job_queue AS job USING ",
            $held,
            " AND (",
            lasting_key!(),
            ") IS NULL RETURNING job.id
            ), kept AS (
                UPDATE job_queue AS job SET status = 'completed', leased_until = NULL, finished_at = ",
            now!(),
            " FROM ",
            $held,
            " AND (",
            lasting_key!(),
            ") IS NOT NULL RETURNING job.id
            ) SELECT id FROM gone UNION ALL SELECT id FROM kept"
        )
    };
}

pub(super) const COMPLETE: &str = complete!(held!());
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
    " FROM ",
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
    " ELSE job.unique_key END FROM ",
    held!(),
    " RETURNING job.id"
);

pub(super) const HEARTBEAT: &str = concat!(
    "UPDATE job_queue AS job SET leased_until = ",
    now!(),
    " + ",
    micros!("$4"),
    " FROM ",
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
/// had been asked to stop. All in one statement, so that a job is never in both tables or in none.
macro_rules! settle {
    () => {
        concat!(
            "gone AS (
                DELETE FROM job_queue AS job USING failed WHERE job.id = failed.id AND failed.is_dead
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
                FROM failed WHERE job.id = failed.id AND NOT failed.is_dead
            ) SELECT id, queue, is_dead, is_stopped FROM failed ORDER BY id"
        )
    };
}
pub(super) use settle;

pub(super) const FAIL: &str = concat!(
    "WITH failed AS MATERIALIZED (
        SELECT job.id, job.queue, why.code, why.message, GREATEST(why.retry_us, 0) AS retry_us,
            job.cancel_requested AS is_stopped,
            NOT job.cancel_requested AND (why.retry_us < 0 OR job.attempt >= job.max_attempts) AS is_dead, ",
    history!(),
    " AS history
        FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::bigint[])
            AS why (id, claims, code, message, retry_us), job_queue AS job
        WHERE job.id = why.id AND job.claims = why.claims AND job.status = 'running'
        ORDER BY job.id FOR UPDATE OF job
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
        let is_kept = self.settings.retention.is_some();
        let [one] = done else {
            return self.end(if is_kept { COMPLETE } else { COMPLETE_AND_DELETE }, done).await;
        };
        let sql = if is_kept { COMPLETE_ONE } else { COMPLETE_ONE_AND_DELETE };
        let statement = Sql::fixed(&self.db, sql).bind(self.offset_us()).bind(one.id).bind(one.claims);
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
        let column = |text: fn(&Failed) -> String| failed.iter().map(text).collect::<Vec<_>>();
        let wait = |failed: &Failed| failed.failure.retry_after.map_or(-1, micros);
        let rows = self
            .db
            .sql(FAIL)
            .bind(self.offset_us())
            .bind(failed.iter().map(|failed| failed.lease.id).collect::<Vec<_>>())
            .bind(failed.iter().map(|failed| failed.lease.claims).collect::<Vec<_>>())
            .bind(column(|failed| failed.failure.stored_code()))
            .bind(column(|failed| failed.failure.stored_message()))
            .bind(failed.iter().map(wait).collect::<Vec<_>>())
            .all::<Settled>()
            .await?;
        Ok(rows.into_iter().map(|row| Ended { id: row.id, is_dead: row.is_dead }).collect())
    }
}
