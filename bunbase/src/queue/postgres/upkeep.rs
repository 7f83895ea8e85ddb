//! What the reaper does: expired leases, jobs that wait for too long, and what was kept for long enough.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Postgres,
    finish::{Settled, history, settle},
    micros,
};
use crate::{
    Result,
    queue::{Failure, Reaped},
};

/// Takes back up to `$2` jobs whose leases have expired; `$3` and `$4` say why. Several reapers take different ones.
const REAP: &str = concat!(
    "WITH failed AS MATERIALIZED (
        SELECT job.id, job.queue, why.code, why.message, 0::bigint AS retry_us, job.cancel_requested AS is_stopped,
            NOT job.cancel_requested AND job.attempt >= job.max_attempts AS is_dead, ",
    history!(),
    " AS history
        FROM job_queue AS job, (SELECT $3::text AS code, $4::text AS message) AS why
        WHERE job.status = 'running' AND job.leased_until < ",
    now!(),
    " ORDER BY job.leased_until LIMIT $2 FOR UPDATE OF job SKIP LOCKED
    ), ",
    settle!()
);

/// Raises up to `$3` jobs that have waited for `$2`, oldest first. Each level of each queue is a range of an index; who waits for
/// long is at its beginning.
macro_rules! raise {
    ($groups:literal) => {
        concat!(
            "WITH RECURSIVE name AS (
                (SELECT queue FROM job_queue WHERE status IN ('pending', 'retrying') AND group_key ",
            $groups,
            " ORDER BY queue LIMIT 1)
                UNION ALL
                SELECT next.queue FROM name, LATERAL (
                    SELECT job.queue FROM job_queue AS job
                    WHERE job.status IN ('pending', 'retrying') AND job.group_key ",
            $groups,
            " AND job.queue > name.queue ORDER BY job.queue LIMIT 1) AS next
            ), waiting AS MATERIALIZED (
                SELECT job.id FROM name, (VALUES (0), (1), (2)) AS level (priority), LATERAL (
                    SELECT waits.id, waits.run_at FROM job_queue AS waits
                    WHERE waits.queue = name.queue AND waits.priority = level.priority
                        AND waits.status IN ('pending', 'retrying') AND waits.group_key ",
            $groups,
            " AND waits.run_at <= ",
            now!(),
            " - ",
            micros!("$2"),
            " AND waits.waiting_since <= ",
            now!(),
            " - ",
            micros!("$2"),
            " ORDER BY waits.run_at, waits.id LIMIT $3) AS job
                ORDER BY job.run_at, job.id LIMIT $3
            ), held AS MATERIALIZED (
                SELECT job.id FROM job_queue AS job
                WHERE job.id = ANY(ARRAY(SELECT id FROM waiting)) AND job.status IN ('pending', 'retrying')
                    AND job.priority < 3 AND job.waiting_since <= ",
            now!(),
            " - ",
            micros!("$2"),
            " ORDER BY job.id FOR UPDATE SKIP LOCKED
            )
            UPDATE job_queue AS job SET priority = job.priority + 1, waiting_since = ",
            now!(),
            " WHERE job.id = ANY(ARRAY(SELECT id FROM held))"
        )
    };
}

const RAISE: &str = raise!("IS NULL");
const RAISE_GROUPED: &str = raise!("IS NOT NULL");

/// Deletes up to `$3` jobs that ended more than `$2` ago. One that keeps its unique key for a period stays for that long.
const PRUNE: &str = concat!(
    "DELETE FROM job_queue WHERE id = ANY(ARRAY(
        SELECT id FROM job_queue WHERE finished_at IS NOT NULL AND finished_at <= ",
    now!(),
    " - ",
    micros!("$2"),
    " AND (unique_key IS NULL OR unique_until <= ",
    now!(),
    ") ORDER BY finished_at LIMIT $3 FOR UPDATE SKIP LOCKED))"
);

/// Deletes up to `$3` dead letters that failed more than `$2` ago.
const PRUNE_FAILURES: &str = concat!(
    "DELETE FROM job_failures WHERE id = ANY(ARRAY(
        SELECT id FROM job_failures WHERE failed_at <= ",
    now!(),
    " - ",
    micros!("$2"),
    " ORDER BY failed_at, id LIMIT $3 FOR UPDATE SKIP LOCKED))"
);

impl Postgres {
    pub(super) async fn take_back(&self, limit: u32) -> Result<Reaped> {
        let why = Failure::lease_expired();
        let rows = self
            .db
            .sql(REAP)
            .bind(self.offset_us())
            .bind(i64::from(limit))
            .bind(why.code)
            .bind(why.message)
            .all::<Settled>()
            .await?;
        let mut reaped = Reaped::default();
        let mut queues = BTreeSet::new();
        for row in rows {
            if row.is_dead {
                reaped.dead += 1;
            } else if row.is_stopped {
                reaped.cancelled += 1;
            } else {
                reaped.retrying += 1;
                queues.insert(row.queue);
            }
        }
        reaped.queues = queues.into_iter().collect();
        Ok(reaped)
    }

    pub(super) async fn raise_waiting(&self, after: Duration, limit: u32) -> Result<u64> {
        Ok(self.bounded(RAISE, after, limit).await? + self.bounded(RAISE_GROUPED, after, limit).await?)
    }

    pub(super) async fn delete_old(&self, limit: u32) -> Result<u64> {
        let mut deleted = self.bounded(PRUNE, self.settings.retention.unwrap_or_default(), limit).await?;
        if let Some(retention) = self.settings.failure_retention {
            deleted += self.bounded(PRUNE_FAILURES, retention, limit).await?;
        }
        Ok(deleted)
    }

    async fn bounded(&self, sql: &str, age: Duration, limit: u32) -> Result<u64> {
        self.db.sql(sql).bind(self.offset_us()).bind(micros(age)).bind(i64::from(limit)).execute().await
    }
}
