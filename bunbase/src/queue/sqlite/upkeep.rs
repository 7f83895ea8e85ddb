//! What the reaper does: expired leases, jobs that wait for too long, and what was kept for long enough.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Sqlite, earlier,
    finish::{Id, Lost, settle},
    json_ids,
};
use crate::{
    Result,
    queue::{Failure, Reaped},
};

/// Whether a lease has expired. A plain read, so that it goes to a reader.
pub(super) const HAS_EXPIRED: &str =
    "SELECT EXISTS (SELECT 1 FROM job_queue WHERE status = 'running' AND leased_until < $1)";

pub(super) const EXPIRED: &str = "SELECT id, queue, attempt, max_attempts, cancel_requested, errors FROM job_queue
    WHERE status = 'running' AND leased_until < $1 ORDER BY leased_until, id LIMIT $2";

/// Up to `$2` jobs that have waited since `$1`. Each level of each queue is a range of the index, and who waits for long is at its
/// beginning. A plain read, so that it goes to a reader.
macro_rules! waiting {
    ($index:literal, $groups:literal) => {
        concat!(
            "WITH RECURSIVE name (queue) AS (
                SELECT min(queue) FROM job_queue INDEXED BY ",
            $index,
            " WHERE status IN ('pending', 'retrying') AND group_key ",
            $groups,
            " UNION ALL
                SELECT (SELECT min(job.queue) FROM job_queue AS job INDEXED BY ",
            $index,
            " WHERE job.status IN ('pending', 'retrying') AND job.group_key ",
            $groups,
            " AND job.queue > name.queue) FROM name WHERE name.queue IS NOT NULL
            ), level (priority) AS (VALUES (0), (1), (2))
            SELECT job.id FROM name CROSS JOIN level CROSS JOIN job_queue AS job INDEXED BY ",
            $index,
            " WHERE job.queue = name.queue AND job.priority = level.priority AND job.status IN ('pending', 'retrying')
                AND job.group_key ",
            $groups,
            " AND job.run_at <= $1 AND job.waiting_since <= $1 LIMIT $2"
        )
    };
}

pub(super) const WAITING: &str = waiting!("job_queue_due", "IS NULL");
pub(super) const WAITING_GROUPED: &str = waiting!("job_queue_grouped", "IS NOT NULL");

pub(super) const RAISE: &str = "UPDATE job_queue SET priority = priority + 1, waiting_since = $2
    WHERE id IN (SELECT unhex(value) FROM json_each($3)) AND status IN ('pending', 'retrying') AND priority < 3
        AND waiting_since <= $1";

/// Deletes up to `$3` jobs that ended before `$2`. One that keeps its unique key for a period stays for that long.
pub(super) const PRUNE: &str = "DELETE FROM job_queue WHERE id IN (
    SELECT id FROM job_queue WHERE finished_at IS NOT NULL AND finished_at <= $2 AND (unique_key IS NULL OR unique_until <= $1)
    ORDER BY finished_at LIMIT $3)";

/// Deletes up to `$3` dead letters that failed before `$2`, which is before `$1`.
pub(super) const PRUNE_FAILURES: &str = "DELETE FROM job_failures WHERE id IN (
    SELECT id FROM job_failures WHERE failed_at <= $2 AND failed_at <= $1 ORDER BY failed_at, id LIMIT $3)";

impl Sqlite {
    pub(super) async fn take_back(&self, limit: u32) -> Result<Reaped> {
        let now = self.now();
        let mut reaped = Reaped::default();
        if !self.db.sql(HAS_EXPIRED).bind(now).scalar::<bool>().await? {
            return Ok(reaped);
        }
        let why = Failure::lease_expired();
        let tx = self.db.begin_tx().await?;
        let lost = tx.sql(EXPIRED).bind(now).bind(i64::from(limit)).all::<Lost>().await?;
        let settled = settle(&tx, now, lost.iter().map(|lost| (lost, &why))).await?;
        tx.commit().await?;
        let mut queues = BTreeSet::new();
        for (lost, settled) in lost.into_iter().zip(settled) {
            if settled.is_dead {
                reaped.dead += 1;
            } else if lost.cancel_requested {
                reaped.cancelled += 1;
            } else {
                reaped.retrying += 1;
                queues.insert(lost.queue);
            }
        }
        reaped.queues = queues.into_iter().collect();
        Ok(reaped)
    }

    pub(super) async fn raise_waiting(&self, after: Duration, limit: u32) -> Result<u64> {
        let now = self.now();
        let since = earlier(now, after);
        let mut raised = 0;
        for sql in [WAITING, WAITING_GROUPED] {
            let rows = self.db.sql(sql).bind(since).bind(i64::from(limit)).all::<Id>().await?;
            if !rows.is_empty() {
                let ids = json_ids(rows.into_iter().map(|row| row.id));
                raised += self.db.sql(RAISE).bind(since).bind(now).bind(ids).execute().await?;
            }
        }
        Ok(raised)
    }

    pub(super) async fn delete_old(&self, limit: u32) -> Result<u64> {
        let mut deleted = self.bounded(PRUNE, self.settings.retention.unwrap_or_default(), limit).await?;
        if let Some(retention) = self.settings.failure_retention {
            deleted += self.bounded(PRUNE_FAILURES, retention, limit).await?;
        }
        Ok(deleted)
    }

    async fn bounded(&self, sql: &str, age: Duration, limit: u32) -> Result<u64> {
        let now = self.now();
        self.db.sql(sql).bind(now).bind(earlier(now, age)).bind(i64::from(limit)).execute().await
    }
}
