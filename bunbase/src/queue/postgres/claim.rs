//! Taking jobs that belong to no group, and what both ways of taking share.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{
    Postgres,
    heads::{BEGINNING, Busy, Places, Seen},
    micros,
};
use crate::{
    Result,
    db::{Db, Sql},
    queue::{Claim, Claimed, Claims, Priority},
};

/// The due jobs of one level in the order of the index, as far as they are asked for: nobody reads them all.
///
/// What is bound is hidden from the planner in subqueries. It could tell from the values that there is less to read than usual, and
/// would make a new plan for every claim, which takes longer than the claim.
macro_rules! level {
    ($level:literal, $place:literal) => {
        concat!(
            "(SELECT id FROM job_queue WHERE queue = (SELECT $2::text) AND priority = ",
            $level,
            " AND status IN ('pending', 'retrying') AND group_key IS NULL
            AND (run_at, id) >= ((SELECT ($6::timestamptz[])[",
            $place,
            "]), (SELECT ($7::uuid[])[",
            $place,
            "])) AND run_at <= (SELECT ",
            now!(),
            ") ORDER BY run_at, id LIMIT 1000 FOR UPDATE SKIP LOCKED)"
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

/// Claims up to `$3` due jobs of queue `$2` for worker `$4` under a lease of `$5`, from the places `$6` and `$7` on. The reaper, not
/// this, takes back expired leases.
///
/// One range of the index `job_queue_due` a level, so that jobs which are not due, or wait in other queues, are never looked
/// at. The outer LIMIT stops reading, and thereby locking, before a job that is not needed. The ids are `= ANY(ARRAY(…))` and not
/// joined: the planner takes any `LIMIT $3` for a tenth of the table and would join by reading all of it.
macro_rules! taken {
    () => {
        concat!(
            "WITH critical AS MATERIALIZED ",
            level!("3", "4"),
            ", high AS MATERIALIZED ",
            level!("2", "3"),
            ", normal AS MATERIALIZED ",
            level!("1", "2"),
            ", low AS MATERIALIZED ",
            level!("0", "1"),
            ", due AS MATERIALIZED (
                SELECT id FROM critical UNION ALL SELECT id FROM high UNION ALL SELECT id FROM normal UNION ALL SELECT id FROM low
                LIMIT $3),
            taken AS (",
            take!("due"),
            ")"
        )
    };
}

/// Claims, and nothing else: for a queue that is busy, where somebody has just looked around.
pub(super) const CLAIM_BUSY: &str = concat!(
    taken!(),
    " SELECT taken.*, ",
    now!(),
    " AS now FROM taken ORDER BY taken.priority DESC, taken.run_at, taken.id"
);

/// Claims, and looks around. There is always a first row, which says of a job that is NULL whether groups wait and when the next job is
/// due.
pub(super) const CLAIM: &str = concat!(
    taken!(),
    ", grouped AS MATERIALIZED (
        SELECT min(head.run_at) AS run_at FROM (VALUES (0), (1), (2), (3)) AS level (priority), LATERAL (
            SELECT job.run_at FROM job_queue AS job WHERE job.queue = (SELECT $2::text) AND job.priority = level.priority
                AND job.status IN ('pending', 'retrying') AND job.group_key IS NOT NULL
            ORDER BY job.run_at LIMIT 1) AS head)
    SELECT taken.*, ",
    now!(),
    " AS now, COALESCE(grouped.run_at <= ",
    now!(),
    ", FALSE) AS groups_due, CASE WHEN (SELECT count(*) FROM taken) < $3 THEN (
            SELECT (EXTRACT(EPOCH FROM LEAST(min(next.run_at), CASE WHEN grouped.run_at > ",
    now!(),
    " THEN grouped.run_at END) - ",
    now!(),
    ") * 1000000)::bigint
            FROM (VALUES (0), (1), (2), (3)) AS level (priority), LATERAL (
                SELECT job.run_at FROM job_queue AS job WHERE job.queue = (SELECT $2::text) AND job.priority = level.priority
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
    run_at: DateTime<Utc>,
    attempt: i32,
    max_attempts: i32,
    group_key: Option<String>,
    door: String,
    origin: Option<String>,
    identity: String,
    traceparent: String,
    created_at: DateTime<Utc>,
}

impl Taken {
    fn seen(&self) -> Seen {
        (self.priority, self.run_at, self.id)
    }
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
            run_at: row.run_at,
            created_at: row.created_at,
        }
    }
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    taken: Option<Taken>,
    now: DateTime<Utc>,
    groups_due: bool,
    next_us: Option<i64>,
}

#[derive(FromQueryResult)]
struct BusyRow {
    #[sea_orm(nested)]
    taken: Taken,
    now: DateTime<Utc>,
}

impl Postgres {
    pub(super) async fn claim_plain(&self, claim: &Claim) -> Result<Claims> {
        let Some(busy) = self.heads.busy(&claim.queue) else { return self.claim_looking(claim, claim.limit).await };
        let mut claims = self.claim_busy(claim, busy).await?;
        let missing = claim.limit.saturating_sub(u32::try_from(claims.jobs.len()).unwrap_or(u32::MAX));
        if missing > 0 {
            let more = self.claim_looking(claim, missing).await?;
            claims.jobs.extend(more.jobs);
            claims = Claims { jobs: claims.jobs, ..more };
        }
        Ok(claims)
    }

    /// Claims from the beginning, and looks around.
    async fn claim_looking(&self, claim: &Claim, limit: u32) -> Result<Claims> {
        let rows = self.bind(CLAIM, claim, limit, [BEGINNING; 4]).all::<Row>().await?;
        let mut claims = Claims::default();
        let (mut now, mut last) = (BEGINNING.0, None);
        for row in rows {
            now = row.now;
            claims.groups_due = row.groups_due;
            claims.next_due = row.next_us.map(|us| Duration::from_micros(us.max(0).unsigned_abs()));
            last = row.taken.as_ref().map(Taken::seen);
            claims.jobs.extend(row.taken.map(Claimed::from));
        }
        let last = last.filter(|_| claims.jobs.len() >= limit as usize);
        self.heads.looked(&claim.queue, last, now, claims.groups_due);
        Ok(claims)
    }

    /// Claims from where the last claim ended. What it says of groups is what the last look around saw.
    async fn claim_busy(&self, claim: &Claim, busy: Busy) -> Result<Claims> {
        let rows = self.bind(CLAIM_BUSY, claim, claim.limit, busy.places).all::<BusyRow>().await?;
        let last = rows.last().filter(|_| rows.len() >= claim.limit as usize);
        self.heads.went_on(&claim.queue, last.map(|row| (row.taken.seen(), row.now)));
        let jobs = rows.into_iter().map(|row| row.taken.into()).collect();
        Ok(Claims { jobs, groups_due: busy.groups_due, next_due: None })
    }

    fn bind(&self, sql: &'static str, claim: &Claim, limit: u32, places: Places) -> Sql<'_, Db> {
        let (times, ids): (Vec<_>, Vec<_>) = places.into_iter().unzip();
        Sql::fixed(&self.db, sql)
            .bind(self.offset_us())
            .bind(claim.queue.as_str())
            .bind(i64::from(limit))
            .bind(claim.worker.as_str())
            .bind(micros(claim.lease))
            .bind(times)
            .bind(ids)
    }
}
