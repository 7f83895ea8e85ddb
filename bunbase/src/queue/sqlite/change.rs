//! What people change: jobs that wait, and dead letters.

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{
    Sqlite,
    finish::{Id, lasting_key},
    json_ids,
};
use crate::{
    Result,
    db::Tx,
    queue::{Cancel, FailureFilter, Priority, Requeued},
};

const CANCEL: &str = concat!(
    "UPDATE job_queue SET cancel_requested = TRUE,
        status = CASE WHEN status = 'running' THEN 'running' ELSE 'cancelled' END,
        finished_at = CASE WHEN status <> 'running' THEN $1 END,
        unique_key = CASE WHEN status = 'running' THEN unique_key ELSE ",
    lasting_key!(),
    " END
    WHERE id = $2 AND status IN ('pending', 'retrying', 'running')
    RETURNING status = 'running' AS runs"
);

const RESCHEDULE: &str = "UPDATE job_queue SET run_at = $3, waiting_since = max($3, $1)
    WHERE id = $2 AND status IN ('pending', 'retrying')";

const PRIORITISE: &str = "UPDATE job_queue SET priority = $3, waiting_since = max(run_at, $1)
    WHERE id = $2 AND status IN ('pending', 'retrying')";

/// The dead letters of a filter, up to `$5` of them, oldest first.
const MEANT: &str = "SELECT id FROM job_failures
    WHERE ($1 IS NULL OR id IN (SELECT unhex(value) FROM json_each($1))) AND ($2 IS NULL OR queue = $2)
        AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR failed_at <= $4)
    ORDER BY failed_at, id LIMIT $5";

/// Copies dead letters back; [`DISCARD`] removes them, in the same transaction. The fencing token goes on from where it was: the worker
/// that failed may still be there.
const RETRY: &str = "
    INSERT INTO job_queue (id, queue, action, input, status, priority, run_at, waiting_since, max_attempts, claims, group_key,
        group_limit, position, door, origin, identity, traceparent, errors, created_at)
    SELECT id, queue, action, input, 'pending', priority, $1, $1, max_attempts, claims, group_key, group_limit, position, door,
        origin, identity, traceparent, errors, created_at
    FROM job_failures WHERE id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY id
    RETURNING queue";

const DISCARD: &str = "DELETE FROM job_failures WHERE id IN (SELECT unhex(value) FROM json_each($1))";

impl Sqlite {
    pub(super) async fn ask_to_cancel(&self, id: Uuid) -> Result<Cancel> {
        #[derive(FromQueryResult)]
        struct Row {
            runs: bool,
        }
        let row = self.db.sql(CANCEL).bind(self.now()).bind(id).optional::<Row>().await?;
        Ok(row.map_or(Cancel::TooLate, |row| if row.runs { Cancel::Requested } else { Cancel::Done }))
    }

    pub(super) async fn move_to(&self, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
        let at = at.trunc_subsecs(6);
        Ok(self.db.sql(RESCHEDULE).bind(self.now()).bind(id).bind(at).execute().await? > 0)
    }

    pub(super) async fn set_priority(&self, id: Uuid, priority: Priority) -> Result<bool> {
        Ok(self.db.sql(PRIORITISE).bind(self.now()).bind(id).bind(priority.level()).execute().await? > 0)
    }

    pub(super) async fn retry_failures(&self, filter: &FailureFilter, limit: u32) -> Result<Requeued> {
        #[derive(FromQueryResult)]
        struct Row {
            queue: String,
        }
        let tx = self.db.begin_tx().await?;
        let ids = meant(&tx, filter, limit).await?;
        let rows = tx.sql(RETRY).bind(self.now()).bind(ids.as_str()).all::<Row>().await?;
        tx.sql(DISCARD).bind(ids).execute().await?;
        tx.commit().await?;
        let jobs = rows.len() as u64;
        let mut queues: Vec<_> = rows.into_iter().map(|row| row.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        Ok(Requeued { jobs, queues })
    }

    pub(super) async fn discard_failures(&self, filter: &FailureFilter, limit: u32) -> Result<u64> {
        let tx = self.db.begin_tx().await?;
        let ids = meant(&tx, filter, limit).await?;
        let discarded = tx.sql(DISCARD).bind(ids).execute().await?;
        tx.commit().await?;
        Ok(discarded)
    }
}

async fn meant(tx: &Tx, filter: &FailureFilter, limit: u32) -> Result<String> {
    let rows = tx
        .sql(MEANT)
        .bind(filter.ids.clone().map(json_ids))
        .bind(filter.queue.clone())
        .bind(filter.action.clone())
        .bind(filter.failed_until.map(|until| until.trunc_subsecs(6)))
        .bind(i64::from(limit))
        .all::<Id>()
        .await?;
    Ok(json_ids(rows.into_iter().map(|row| row.id)))
}
