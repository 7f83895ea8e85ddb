//! Plain reads, which are the same on both engines.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryTrait};
use uuid::Uuid;

use super::{
    DeadLetter, FailureFilter, Job, JobFilter, Lease, QueueStats, Stats,
    claim::without_nul,
    entity::{failure, job},
};
use crate::{
    Result,
    db::{
        Db,
        page::{Cursor, Keyset, Limit, Page},
    },
};

/// The most that one page shows.
const LONGEST_PAGE: u32 = 1000;

/// Jobs that wait, from the two indexes that hold them.
const WAITING: &str = "
    SELECT queue, priority, count(*) AS jobs, min(run_at) AS first_at FROM job_queue
    WHERE status IN ('pending', 'retrying') AND group_key IS NULL GROUP BY queue, priority
    UNION ALL
    SELECT queue, priority, count(*) AS jobs, min(run_at) AS first_at FROM job_queue
    WHERE status IN ('pending', 'retrying') AND group_key IS NOT NULL GROUP BY queue, priority
    ORDER BY queue, priority";

const RUNNING: &str =
    "SELECT queue, count(*) AS jobs FROM job_queue WHERE status = 'running' GROUP BY queue ORDER BY queue";

const DEAD: &str = "SELECT queue, count(*) AS jobs FROM job_failures GROUP BY queue ORDER BY queue";

const PROGRESS: &str = "UPDATE job_queue SET progress = $3 WHERE id = $1 AND claims = $2 AND status = 'running'";

pub(super) async fn get(db: &Db, id: Uuid) -> Result<Option<Job>> {
    Ok(job::Entity::find_by_id(id).one(db).await?)
}

pub(super) async fn list(db: &Db, filter: &JobFilter, limit: u32, cursor: Option<&Cursor>) -> Result<Page<Job>> {
    let select = job::Entity::find()
        .apply_if(filter.queue.as_deref(), |select, queue| select.filter(job::Column::Queue.eq(queue)))
        .apply_if(filter.action.as_deref(), |select, action| select.filter(job::Column::Action.eq(action)))
        .apply_if(filter.status, |select, status| select.filter(job::Column::Status.eq(status)))
        .apply_if(filter.group.as_deref(), |select, group| select.filter(job::Column::GroupKey.eq(group)));
    Keyset::new().desc(job::Column::Id).page(select, page(limit)?, cursor, db).await
}

pub(super) async fn failure(db: &Db, id: Uuid) -> Result<Option<DeadLetter>> {
    Ok(failure::Entity::find_by_id(id).one(db).await?)
}

pub(super) async fn failures(
    db: &Db,
    filter: &FailureFilter,
    limit: u32,
    cursor: Option<&Cursor>,
) -> Result<Page<DeadLetter>> {
    let select = failure::Entity::find()
        .apply_if(filter.ids.as_ref(), |select, ids| select.filter(failure::Column::Id.is_in(ids.iter().copied())))
        .apply_if(filter.queue.as_deref(), |select, queue| select.filter(failure::Column::Queue.eq(queue)))
        .apply_if(filter.action.as_deref(), |select, action| select.filter(failure::Column::Action.eq(action)))
        .apply_if(filter.failed_until, |select, until| select.filter(failure::Column::FailedAt.lte(until)));
    let order = Keyset::new().desc(failure::Column::FailedAt).desc(failure::Column::Id);
    order.page(select, page(limit)?, cursor, db).await
}

fn page(limit: u32) -> Result<Limit<20, LONGEST_PAGE>> {
    Limit::new(limit.clamp(1, LONGEST_PAGE)).map_err(crate::Error::internal)
}

#[derive(FromQueryResult)]
struct Waiting {
    queue: String,
    priority: i16,
    jobs: i64,
    first_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Count {
    queue: String,
    jobs: i64,
}

pub(super) async fn stats(db: &Db, now: DateTime<Utc>, known: &[String]) -> Result<Stats> {
    let mut queues: BTreeMap<String, QueueStats> =
        known.iter().map(|queue| (queue.clone(), QueueStats::default())).collect();
    for row in db.sql(WAITING).all::<Waiting>().await? {
        let stats = queues.entry(row.queue).or_default();
        if let Some(waiting) = usize::try_from(row.priority).ok().and_then(|level| stats.waiting.get_mut(level)) {
            *waiting += row.jobs.unsigned_abs();
        }
        let due = (now - row.first_at).to_std().ok();
        stats.oldest_due = stats.oldest_due.max(due);
    }
    for Count { queue, jobs } in db.sql(RUNNING).all::<Count>().await? {
        queues.entry(queue).or_default().running = jobs.unsigned_abs();
    }
    for Count { queue, jobs } in db.sql(DEAD).all::<Count>().await? {
        queues.entry(queue).or_default().dead_letters = jobs.unsigned_abs();
    }
    let named = queues.into_iter().map(|(queue, stats)| QueueStats { queue, ..stats });
    Ok(Stats { queues: named.collect() })
}

pub(super) async fn progress(db: &Db, job: Lease, progress: &str) -> Result<bool> {
    let statement = db.sql(PROGRESS).bind(job.id).bind(job.claims).bind(without_nul(progress));
    Ok(statement.execute().await? > 0)
}
