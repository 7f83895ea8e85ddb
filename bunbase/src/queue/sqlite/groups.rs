//! Taking jobs of groups: at most so many of a group at a time over all workers, or one after the other.

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{
    Sqlite,
    claim::{in_order, take},
    json_ids, later,
};
use crate::{
    Result,
    db::Tx,
    queue::{Claim, Claimed, Claims, groups::Walk},
};

/// The most urgent due jobs of one level.
macro_rules! level {
    ($level:literal) => {
        concat!(
            "SELECT * FROM (SELECT id, group_key, group_limit, position, priority, run_at
                FROM job_queue INDEXED BY job_queue_grouped WHERE queue = $2 AND priority = ",
            $level,
            " AND status IN ('pending', 'retrying') AND group_key IS NOT NULL AND run_at <= $1
            ORDER BY run_at, id LIMIT $4)"
        )
    };
}

/// Those jobs in `head` whose groups have room, up to `$3`, beside how much was looked at. In an ordered group that is the one whose
/// turn it is, which need not be in `head`, and only when nothing of the group runs; one that waits for its retry keeps its turn.
macro_rules! free {
    ($looked_at:literal, $last:literal) => {
        concat!(
            "turn AS (
                SELECT job.id, job.group_key, job.group_limit, job.position, job.priority, job.run_at
                FROM (SELECT DISTINCT group_key FROM head WHERE position IS NOT NULL) AS ordered
                JOIN job_queue AS job ON job.id = (
                    SELECT first.id FROM job_queue AS first INDEXED BY job_queue_turn
                    WHERE first.group_key = ordered.group_key AND first.position IS NOT NULL
                        AND first.status IN ('pending', 'retrying')
                    ORDER BY first.position, first.id LIMIT 1)
                WHERE job.queue = $2 AND job.run_at <= $1
            ), candidate AS (
                SELECT id, group_key, group_limit, position, priority, run_at FROM head WHERE position IS NULL
                UNION ALL SELECT * FROM turn
            ), ranked AS (
                SELECT candidate.*, (
                    SELECT count(*) FROM job_queue AS job
                    WHERE job.group_key = candidate.group_key AND job.status = 'running') AS running,
                    row_number() OVER (PARTITION BY candidate.group_key
                        ORDER BY candidate.priority DESC, candidate.run_at, candidate.id) AS place
                FROM candidate
            ), free AS (
                SELECT id FROM ranked
                WHERE CASE WHEN position IS NULL THEN running + place <= group_limit ELSE running = 0 END
                ORDER BY priority DESC, run_at, id LIMIT $3
            ) SELECT free.id, seen.looked_at, seen.last FROM (SELECT ",
            $looked_at,
            " AS looked_at, ",
            $last,
            " AS last) AS seen LEFT JOIN free ON TRUE"
        )
    };
}

/// Chooses from the `$4` most urgent jobs of queue `$2`.
const URGENT: &str = concat!(
    "WITH head AS MATERIALIZED (",
    level!("3"),
    " UNION ALL ",
    level!("2"),
    " UNION ALL ",
    level!("1"),
    " UNION ALL ",
    level!("0"),
    " LIMIT $4), ",
    free!("(SELECT count(*) FROM head)", "NULL")
);

/// Chooses from the next `$4` groups behind `$5`, in the order of their keys: the index is asked for the next greater key again and
/// again, so that it costs the same however many jobs the groups have.
const WALKING: &str = concat!(
    "WITH RECURSIVE walk (group_key, n) AS (
        SELECT min(group_key), 1 FROM job_queue INDEXED BY job_queue_groups
        WHERE queue = $2 AND status IN ('pending', 'retrying') AND group_key IS NOT NULL AND group_key > $5
        UNION ALL
        SELECT (SELECT min(job.group_key) FROM job_queue AS job INDEXED BY job_queue_groups
            WHERE job.queue = $2 AND job.status IN ('pending', 'retrying') AND job.group_key IS NOT NULL
                AND job.group_key > walk.group_key), n + 1
        FROM walk WHERE walk.group_key IS NOT NULL AND n < $4
    ), head AS MATERIALIZED (
        SELECT job.id, job.group_key, job.group_limit, job.position, job.priority, job.run_at
        FROM walk JOIN job_queue AS job ON job.id IN (
            SELECT due.id FROM job_queue AS due INDEXED BY job_queue_groups
            WHERE due.queue = $2 AND due.group_key = walk.group_key AND due.status IN ('pending', 'retrying')
                AND due.group_key IS NOT NULL AND due.run_at <= $1
            ORDER BY due.priority DESC, due.run_at, due.id LIMIT $3)
    ), ",
    free!("(SELECT count(group_key) FROM walk)", "(SELECT max(group_key) FROM walk)")
);

const TAKE: &str = take!("SELECT unhex(value) FROM json_each($4)");

#[derive(FromQueryResult)]
struct Chosen {
    id: Option<Uuid>,
    looked_at: i64,
    last: Option<String>,
}

impl Sqlite {
    pub(super) async fn claim_grouped(&self, claim: &Claim) -> Result<Claims> {
        let now = self.now();
        if self.first(&claim.queue).await?.grouped_at.is_none_or(|at| at > now) {
            return Ok(Claims::default());
        }
        let tx = self.db.begin_tx().await?;
        let chosen = self.choose(&tx, URGENT, claim, claim.limit, None).await?;
        let looked_at = chosen.first().map_or(0, |row| row.looked_at);
        let mut jobs = self.take(&tx, claim, chosen).await?;
        let wanted = claim.limit.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        if looked_at >= Walk::LENGTH && wanted > 0 {
            let chosen = self.choose(&tx, WALKING, claim, wanted, Some(self.walk.behind(&claim.queue))).await?;
            if let Some(seen) = chosen.first() {
                self.walk.went(&claim.queue, seen.looked_at, seen.last.clone());
            }
            jobs.extend(self.take(&tx, claim, chosen).await?);
        }
        tx.commit().await?;
        Ok(Claims { jobs, groups_due: true, next_due: None })
    }

    async fn choose(
        &self,
        tx: &Tx,
        sql: &str,
        claim: &Claim,
        limit: u32,
        behind: Option<String>,
    ) -> Result<Vec<Chosen>> {
        let statement = tx.sql(sql).bind(self.now()).bind(claim.queue.as_str()).bind(i64::from(limit));
        let mut statement = statement.bind(Walk::LENGTH);
        if let Some(behind) = behind {
            statement = statement.bind(behind);
        }
        statement.all().await
    }

    async fn take(&self, tx: &Tx, claim: &Claim, chosen: Vec<Chosen>) -> Result<Vec<Claimed>> {
        let now = self.now();
        let statement = tx.sql(TAKE).bind(now).bind(claim.worker.as_str()).bind(later(now, claim.lease));
        let ids = json_ids(chosen.into_iter().filter_map(|row| row.id));
        Ok(in_order(statement.bind(ids).all().await?))
    }
}
