//! Taking jobs of groups: at most so many of a group at a time over all workers, or one after the other.

use sea_orm::FromQueryResult;

use super::{
    Postgres,
    claim::{Taken, take},
    micros,
};
use crate::{
    Result,
    db::Tx,
    queue::{Claim, Claimed, Claims, groups::Walk},
};

/// Held by whoever takes jobs of groups until it commits, so that the next one counts what it took. Taken by a statement of its own:
/// the snapshot of one that waited would be older than the lock. The number is "bbgroups" in ASCII.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(7089342504628482163)";

/// The most urgent due jobs of one level.
macro_rules! level {
    ($level:literal) => {
        concat!(
            "(SELECT id, queue, group_key, group_limit, position, priority, run_at FROM job_queue
                WHERE queue = $2 AND priority = ",
            $level,
            " AND status IN ('pending', 'retrying') AND group_key IS NOT NULL AND run_at <= ",
            now!(),
            " ORDER BY run_at, id LIMIT $6)"
        )
    };
}

/// Of the jobs in `head` takes those whose groups have room. In an ordered group that is the one whose turn it is, which need not be in
/// `head`, and only when nothing of the group runs; one that waits for its retry keeps its turn. What somebody else has locked is left
/// alone: nobody waits for a transaction of a user while they hold [`LOCK`].
macro_rules! take_free {
    () => {
        concat!(
            "turn AS MATERIALIZED (
                SELECT job.id, job.group_key, job.group_limit, job.position, job.priority, job.run_at
                FROM (SELECT DISTINCT group_key FROM head WHERE position IS NOT NULL) AS ordered, LATERAL (
                    SELECT * FROM job_queue AS first WHERE first.group_key = ordered.group_key
                        AND first.position IS NOT NULL AND first.status IN ('pending', 'retrying')
                    ORDER BY first.position, first.id LIMIT 1) AS job
                WHERE job.queue = $2 AND job.run_at <= ",
            now!(),
            "), candidate AS (
                SELECT id, group_key, group_limit, position, priority, run_at FROM head WHERE position IS NULL
                UNION ALL SELECT * FROM turn
            ), busy AS MATERIALIZED (
                SELECT job.group_key, count(*) AS running FROM job_queue AS job
                WHERE job.status = 'running' AND job.group_key = ANY(ARRAY(SELECT DISTINCT group_key FROM candidate))
                GROUP BY job.group_key
            ), ranked AS (
                SELECT candidate.*, COALESCE(busy.running, 0) AS running, row_number() OVER (
                    PARTITION BY candidate.group_key ORDER BY candidate.priority DESC, candidate.run_at, candidate.id) AS place
                FROM candidate LEFT JOIN busy ON busy.group_key = candidate.group_key
            ), free AS MATERIALIZED (
                SELECT id FROM ranked
                WHERE CASE WHEN position IS NULL THEN running + place <= group_limit ELSE running = 0 END
                ORDER BY priority DESC, run_at, id LIMIT $3
            ), unlocked AS MATERIALIZED (
                SELECT job.id FROM job_queue AS job
                WHERE job.id = ANY(ARRAY(SELECT id FROM free)) AND job.status IN ('pending', 'retrying')
                ORDER BY job.id FOR UPDATE SKIP LOCKED
            ), taken AS (",
            take!("unlocked"),
            ")"
        )
    };
}

/// Takes from the `$6` most urgent jobs. Says how many it looked at.
pub(super) const TAKE_URGENT: &str = concat!(
    "WITH head AS MATERIALIZED (SELECT * FROM ",
    level!("3"),
    " AS critical UNION ALL SELECT * FROM ",
    level!("2"),
    " AS high UNION ALL SELECT * FROM ",
    level!("1"),
    " AS normal UNION ALL SELECT * FROM ",
    level!("0"),
    " AS low LIMIT $6), ",
    take_free!(),
    " SELECT taken.*, seen.looked_at, NULL::text AS last FROM (SELECT count(*) AS looked_at FROM head) AS seen
    LEFT JOIN taken ON TRUE ORDER BY taken.priority DESC, taken.run_at, taken.id"
);

/// Takes from the next `$6` groups behind `$7`, in the order of their keys: the index is asked for the next greater key again and
/// again, so that it costs the same however many jobs the groups have. Says how many groups it looked at, and the last one.
pub(super) const TAKE_WALKING: &str = concat!(
    "WITH RECURSIVE walk AS (
        (SELECT group_key, 1::bigint AS n FROM job_queue
            WHERE queue = $2 AND status IN ('pending', 'retrying') AND group_key IS NOT NULL AND group_key > $7
            ORDER BY group_key LIMIT 1)
        UNION ALL
        SELECT next.group_key, walk.n + 1 FROM walk, LATERAL (
            SELECT job.group_key FROM job_queue AS job
            WHERE job.queue = $2 AND job.status IN ('pending', 'retrying') AND job.group_key IS NOT NULL
                AND job.group_key > walk.group_key
            ORDER BY job.group_key LIMIT 1) AS next
        WHERE walk.n < $6
    ), head AS MATERIALIZED (
        SELECT due.* FROM walk, LATERAL (
            SELECT job.id, job.queue, job.group_key, job.group_limit, job.position, job.priority, job.run_at
            FROM job_queue AS job WHERE job.queue = $2 AND job.group_key = walk.group_key
                AND job.status IN ('pending', 'retrying') AND job.run_at <= ",
    now!(),
    " ORDER BY job.priority DESC, job.run_at, job.id LIMIT $3) AS due
    ), ",
    take_free!(),
    " SELECT taken.*, seen.looked_at, seen.last FROM (SELECT count(*) AS looked_at, max(group_key) AS last FROM walk) AS seen
    LEFT JOIN taken ON TRUE ORDER BY taken.priority DESC, taken.run_at, taken.id"
);

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    taken: Option<Taken>,
    looked_at: i64,
    last: Option<String>,
}

impl Postgres {
    pub(super) async fn claim_grouped(&self, claim: &Claim) -> Result<Claims> {
        let mut claims = Claims { groups_due: true, ..Claims::default() };
        let tx = self.db.begin_tx().await?;
        tx.sql(LOCK).execute().await?;
        let (looked_at, _) = self.take(&tx, claim, TAKE_URGENT, None, &mut claims).await?;
        if looked_at >= Walk::LENGTH && claims.jobs.len() < claim.limit as usize {
            let behind = self.walk.behind(&claim.queue);
            let (looked_at, last) = self.take(&tx, claim, TAKE_WALKING, Some(behind), &mut claims).await?;
            self.walk.went(&claim.queue, looked_at, last);
        }
        tx.commit().await?;
        Ok(claims)
    }

    async fn take(
        &self,
        tx: &Tx,
        claim: &Claim,
        sql: &str,
        behind: Option<String>,
        claims: &mut Claims,
    ) -> Result<(i64, Option<String>)> {
        let wanted = i64::from(claim.limit) - i64::try_from(claims.jobs.len()).unwrap_or(i64::MAX);
        let mut statement = tx
            .sql(sql)
            .bind(self.offset_us())
            .bind(claim.queue.as_str())
            .bind(wanted)
            .bind(claim.worker.as_str())
            .bind(micros(claim.lease))
            .bind(Walk::LENGTH);
        if let Some(behind) = behind {
            statement = statement.bind(behind);
        }
        let mut seen = (0, None);
        for row in statement.all::<Row>().await? {
            seen = (row.looked_at, row.last);
            claims.jobs.extend(row.taken.map(Claimed::from));
        }
        Ok(seen)
    }
}
