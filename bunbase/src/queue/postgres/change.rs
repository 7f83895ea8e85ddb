//! What people change: jobs that wait, and dead letters.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::Postgres;
use crate::{
    Result,
    db::Sql,
    queue::{Cancel, FailureFilter, Priority, Requeued},
};

pub(super) const CANCEL: &str = concat!(
    "UPDATE job_queue AS job SET cancel_requested = TRUE,
        status = CASE WHEN job.status = 'running' THEN 'running' ELSE 'cancelled' END,
        finished_at = CASE WHEN job.status <> 'running' THEN ",
    now!(),
    " END, unique_key = CASE WHEN job.status = 'running' THEN job.unique_key ELSE ",
    lasting_key!(),
    " END
    WHERE job.id = $2 AND job.status IN ('pending', 'retrying', 'running')
    RETURNING job.status = 'running' AS runs"
);

pub(super) const RESCHEDULE: &str = concat!(
    "UPDATE job_queue SET run_at = $3, waiting_since = GREATEST($3, ",
    now!(),
    ") WHERE id = $2 AND status IN ('pending', 'retrying')"
);

pub(super) const PRIORITISE: &str = concat!(
    "UPDATE job_queue SET priority = $3, waiting_since = GREATEST(run_at, ",
    now!(),
    ") WHERE id = $2 AND status IN ('pending', 'retrying')"
);

/// The dead letters of a filter, up to `$6` of them, oldest first.
macro_rules! meant {
    () => {
        "(SELECT id FROM job_failures
            WHERE ($2::uuid[] IS NULL OR id = ANY($2)) AND ($3::text IS NULL OR queue = $3)
                AND ($4::text IS NULL OR action = $4) AND ($5::timestamptz IS NULL OR failed_at <= $5)
            ORDER BY failed_at, id LIMIT $6 FOR UPDATE SKIP LOCKED)"
    };
}

/// Moves dead letters back. The fencing token goes on from where it was: the worker that failed may still be there.
pub(super) const RETRY: &str = concat!(
    "WITH gone AS (
        DELETE FROM job_failures WHERE id = ANY(ARRAY",
    meant!(),
    ") RETURNING *
    ), added AS (
        INSERT INTO job_queue (id, queue, action, input, status, priority, run_at, waiting_since, max_attempts, claims, group_key,
            group_limit, position, door, origin, identity, traceparent, errors, created_at)
        SELECT id, queue, action, input, 'pending', priority, ",
    now!(),
    ", ",
    now!(),
    ", max_attempts, claims, group_key, group_limit, position, door, origin, identity, traceparent, errors, created_at
        FROM gone RETURNING queue
    ) SELECT queue, count(*) AS jobs FROM added GROUP BY queue ORDER BY queue"
);

/// Names `$1` only so that every statement here binds it first.
pub(super) const DISCARD: &str =
    concat!("DELETE FROM job_failures WHERE $1::bigint IS NOT NULL AND id = ANY(ARRAY", meant!(), ")");

#[derive(FromQueryResult)]
struct Count {
    queue: String,
    jobs: i64,
}

impl Postgres {
    pub(super) async fn ask_to_cancel(&self, id: Uuid) -> Result<Cancel> {
        #[derive(FromQueryResult)]
        struct Row {
            runs: bool,
        }
        let row = self.db.sql(CANCEL).bind(self.offset_us()).bind(id).optional::<Row>().await?;
        Ok(row.map_or(Cancel::TooLate, |row| if row.runs { Cancel::Requested } else { Cancel::Done }))
    }

    pub(super) async fn move_to(&self, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
        let at = at.max(DateTime::UNIX_EPOCH);
        Ok(self.db.sql(RESCHEDULE).bind(self.offset_us()).bind(id).bind(at).execute().await? > 0)
    }

    pub(super) async fn set_priority(&self, id: Uuid, priority: Priority) -> Result<bool> {
        Ok(self.db.sql(PRIORITISE).bind(self.offset_us()).bind(id).bind(priority.level()).execute().await? > 0)
    }

    pub(super) async fn retry_failures(&self, filter: &FailureFilter, limit: u32) -> Result<Requeued> {
        let mut requeued = Requeued::default();
        for Count { queue, jobs } in self.meant(RETRY, filter, limit).all::<Count>().await? {
            requeued.jobs += jobs.unsigned_abs();
            requeued.queues.push(queue);
        }
        Ok(requeued)
    }

    pub(super) async fn discard_failures(&self, filter: &FailureFilter, limit: u32) -> Result<u64> {
        self.meant(DISCARD, filter, limit).execute().await
    }

    fn meant<'a>(&'a self, sql: &'a str, filter: &FailureFilter, limit: u32) -> Sql<'a, crate::db::Db> {
        self.db
            .sql(sql)
            .bind(self.offset_us())
            .bind(filter.ids.clone())
            .bind(filter.queue.clone())
            .bind(filter.action.clone())
            .bind(filter.failed_until)
            .bind(i64::from(limit))
    }
}
