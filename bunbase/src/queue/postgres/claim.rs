//! Taking jobs that belong to no group, and what both ways of taking share.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Postgres, micros};
use crate::{
    Result,
    queue::{Claim, Claimed, Claims, Priority},
};

/// The due jobs of one level in the order of the index, as far as they are asked for.
macro_rules! level {
    ($level:literal) => {
        concat!(
            "(SELECT id FROM job_queue WHERE queue = $2 AND priority = ",
            $level,
            " AND status IN ('pending', 'retrying') AND group_key IS NULL AND run_at <= ",
            now!(),
            " ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)"
        )
    };
}

/// Makes jobs this worker's own. What an update found is sorted again, since it returns rows in any order.
macro_rules! take {
    ($ids:literal) => {
        concat!(
            "UPDATE job_queue AS job SET status = 'running', attempt = job.attempt + 1, claims = job.claims + 1, worker = $4,
                leased_until = ",
            now!(),
            " + ",
            micros!("$5"),
            ", started_at = ",
            now!(),
            ", unique_key = CASE WHEN job.unique_scope = 'pending' THEN NULL ELSE job.unique_key END
            WHERE job.id = ANY(ARRAY(SELECT id FROM ",
            $ids,
            ")) AND job.status IN ('pending', 'retrying')
            RETURNING job.id, job.claims, job.queue, job.action, job.input, job.priority, job.run_at, job.attempt,
                job.max_attempts, job.group_key, job.door, job.origin, job.identity, job.traceparent, job.created_at"
        )
    };
}
pub(super) use take;

/// Claims up to `$3` due jobs of queue `$2` for worker `$4` under a lease of `$5`. The reaper, not this, takes back expired leases.
///
/// One range of the index `job_queue_due` a level, so that jobs which are not due, or wait in other queues, are never looked
/// at. The outer LIMIT stops reading, and thereby locking, before a level that is not needed. `= ANY(ARRAY(…))`, not a join: a
/// plan for any `$3` takes the result for a tenth of the table and would join by reading it all. There is always a first row, which
/// says of a job that is NULL whether groups wait and when the next job is due.
const CLAIM: &str = concat!(
    "WITH critical AS MATERIALIZED ",
    level!("3"),
    ", high AS MATERIALIZED ",
    level!("2"),
    ", normal AS MATERIALIZED ",
    level!("1"),
    ", low AS MATERIALIZED ",
    level!("0"),
    ", due AS MATERIALIZED (
        SELECT id FROM critical UNION ALL SELECT id FROM high UNION ALL SELECT id FROM normal UNION ALL SELECT id FROM low
        LIMIT $3),
    taken AS (",
    take!("due"),
    "), grouped AS MATERIALIZED (
        SELECT min(head.run_at) AS run_at FROM (VALUES (0), (1), (2), (3)) AS level (priority), LATERAL (
            SELECT job.run_at FROM job_queue AS job WHERE job.queue = $2 AND job.priority = level.priority
                AND job.status IN ('pending', 'retrying') AND job.group_key IS NOT NULL
            ORDER BY job.run_at LIMIT 1) AS head)
    SELECT taken.*, COALESCE(grouped.run_at <= ",
    now!(),
    ", FALSE) AS groups_due, CASE WHEN (SELECT count(*) FROM taken) < $3 THEN (
            SELECT (EXTRACT(EPOCH FROM LEAST(min(next.run_at), CASE WHEN grouped.run_at > ",
    now!(),
    " THEN grouped.run_at END) - ",
    now!(),
    ") * 1000000)::bigint
            FROM (VALUES (0), (1), (2), (3)) AS level (priority), LATERAL (
                SELECT job.run_at FROM job_queue AS job WHERE job.queue = $2 AND job.priority = level.priority
                    AND job.status IN ('pending', 'retrying') AND job.group_key IS NULL AND job.run_at > ",
    now!(),
    "
                ORDER BY job.run_at LIMIT 1) AS next) END AS next_us
    FROM grouped LEFT JOIN taken ON TRUE ORDER BY taken.priority DESC, taken.run_at, taken.id"
);

/// A job that was taken.
#[derive(FromQueryResult)]
pub(super) struct Taken {
    id: Uuid,
    claims: i32,
    queue: String,
    action: String,
    input: String,
    priority: i16,
    attempt: i32,
    max_attempts: i32,
    group_key: Option<String>,
    door: String,
    origin: Option<String>,
    identity: String,
    traceparent: String,
    created_at: DateTime<Utc>,
}

impl From<Taken> for Claimed {
    fn from(row: Taken) -> Self {
        Self {
            id: row.id,
            claims: row.claims,
            queue: row.queue,
            action: row.action,
            input: row.input,
            priority: Priority::of_level(row.priority),
            attempt: row.attempt.unsigned_abs(),
            max_attempts: row.max_attempts.unsigned_abs(),
            group: row.group_key,
            door: row.door,
            origin: row.origin,
            identity: row.identity,
            traceparent: row.traceparent,
            created_at: row.created_at,
        }
    }
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    taken: Option<Taken>,
    groups_due: bool,
    next_us: Option<i64>,
}

impl Postgres {
    pub(super) async fn claim_plain(&self, claim: &Claim) -> Result<Claims> {
        let rows = self
            .db
            .sql(CLAIM)
            .bind(self.offset_us())
            .bind(claim.queue.as_str())
            .bind(i64::from(claim.limit))
            .bind(claim.worker.as_str())
            .bind(micros(claim.lease))
            .all::<Row>()
            .await?;
        let mut claims = Claims::default();
        for row in rows {
            claims.groups_due = row.groups_due;
            claims.next_due = row.next_us.map(|us| Duration::from_micros(us.max(0).unsigned_abs()));
            claims.jobs.extend(row.taken.map(Claimed::from));
        }
        Ok(claims)
    }
}
