//! Taking jobs that belong to no group, and what both ways of taking share.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Sqlite, later};
use crate::{
    Result,
    db::Sql,
    queue::{Claim, Claimed, Claims, Priority},
};

/// The job of one level that is due first.
macro_rules! first {
    ($level:literal, $groups:literal) => {
        concat!(
            "(SELECT run_at FROM job_queue WHERE queue = $1 AND priority = ",
            $level,
            " AND status IN ('pending', 'retrying') AND group_key ",
            $groups,
            " ORDER BY run_at LIMIT 1) AS run_at"
        )
    };
}

macro_rules! first_of_all {
    ($groups:literal) => {
        concat!(
            "(SELECT min(run_at) FROM (SELECT ",
            first!("3", $groups),
            " UNION ALL SELECT ",
            first!("2", $groups),
            " UNION ALL SELECT ",
            first!("1", $groups),
            " UNION ALL SELECT ",
            first!("0", $groups),
            "))"
        )
    };
}

/// When the first job is due, and the first of a group. A plain read, so that it goes to a reader.
pub(super) const FIRST: &str =
    concat!("SELECT ", first_of_all!("IS NULL"), " AS plain_at, ", first_of_all!("IS NOT NULL"), " AS grouped_at");

/// The due jobs of one level in the order of the index, as far as they are asked for.
macro_rules! level {
    ($level:literal) => {
        concat!(
            "SELECT id FROM (SELECT id FROM job_queue INDEXED BY job_queue_due WHERE queue = $4 AND priority = ",
            $level,
            " AND status IN ('pending', 'retrying') AND group_key IS NULL AND run_at <= $1
            ORDER BY run_at, id LIMIT $5)"
        )
    };
}

/// Makes jobs worker `$2`'s own, under a lease until `$3`.
macro_rules! take {
    ($($ids:expr),+) => {
        concat!(
            "UPDATE job_queue SET status = 'running', attempt = attempt + 1, claims = claims + 1, worker = $2, leased_until = $3,
                started_at = $1, unique_key = CASE WHEN unique_scope = 'pending' THEN NULL ELSE unique_key END
            WHERE id IN (",
            $($ids),+,
            ")
            RETURNING id, claims, queue, action, input, priority, run_at, attempt, max_attempts, group_key, door, origin,
                identity, traceparent, created_at"
        )
    };
}
pub(super) use take;

/// Claims up to `$5` due jobs of queue `$4`. The reaper, not this, takes back expired leases. One range of the index a level; levels
/// behind the limit are not read.
pub(super) const CLAIM: &str =
    take!(level!("3"), " UNION ALL ", level!("2"), " UNION ALL ", level!("1"), " UNION ALL ", level!("0"), " LIMIT $5");

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

/// Puts what was taken in order, which SQLite's `RETURNING` does not.
pub(super) fn in_order(mut taken: Vec<Taken>) -> Vec<Claimed> {
    taken.sort_unstable_by_key(|row| (Reverse(row.priority), row.run_at, row.id));
    let jobs = taken.into_iter().map(|row| Claimed {
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
    });
    jobs.collect()
}

/// When the first jobs of a queue are due.
#[derive(FromQueryResult)]
pub(super) struct First {
    plain_at: Option<DateTime<Utc>>,
    pub(super) grouped_at: Option<DateTime<Utc>>,
}

impl Sqlite {
    pub(super) async fn claim_plain(&self, claim: &Claim) -> Result<Claims> {
        let mut claims = Claims::default();
        let now = self.now();
        let mut first = self.first(&claim.queue).await?;
        if first.plain_at.is_some_and(|at| at <= now) {
            let statement = Sql::fixed(&self.db, CLAIM)
                .bind(now)
                .bind(claim.worker.as_str())
                .bind(later(now, claim.lease))
                .bind(claim.queue.as_str())
                .bind(i64::from(claim.limit));
            claims.jobs = in_order(statement.all().await?);
            if claims.jobs.len() < claim.limit as usize {
                first = self.first(&claim.queue).await?;
            }
        }
        claims.groups_due = first.grouped_at.is_some_and(|at| at <= now);
        if claims.jobs.len() < claim.limit as usize {
            let next = [first.plain_at, first.grouped_at.filter(|at| *at > now)].into_iter().flatten().min();
            claims.next_due = next.map(|at| (at - now).to_std().unwrap_or_default());
        }
        Ok(claims)
    }

    pub(super) async fn first(&self, queue: &str) -> Result<First> {
        Sql::fixed(&self.db, FIRST).bind(queue).one().await
    }
}
