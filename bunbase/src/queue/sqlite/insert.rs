//! Storing jobs.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use super::{hex, later, text};
use crate::{
    Result,
    db::{Db, Sql, Tx},
    queue::{Due, Enqueued, NewJob, UniqueScope},
};

macro_rules! columns {
    () => {
        "(id, queue, action, input, status, priority, run_at, waiting_since, created_at, max_attempts, unique_key, unique_scope, \
          unique_until, group_key, group_limit, position, door, origin, identity, traceparent)"
    };
}

pub(super) const INSERT: &str = concat!(
    "INSERT INTO job_queue ",
    columns!(),
    " VALUES ($2, $3, $4, $5, 'pending', $6, $7, max($7, $1), $1, $8, NULL, NULL, NULL, $9, $10, $11, $12, $13, $14, $15)"
);

macro_rules! insert_many {
    () => {
        concat!(
            "INSERT INTO job_queue ",
            columns!(),
            " SELECT unhex(value ->> 'id'), value ->> 'queue', value ->> 'action', value ->> 'input', 'pending',
                value ->> 'priority', value ->> 'run_at', max(value ->> 'run_at', $1), $1, value ->> 'max_attempts',
                value ->> 'unique_key', value ->> 'unique_scope', value ->> 'unique_until', value ->> 'group_key',
                value ->> 'group_limit', value ->> 'position', value ->> 'door', value ->> 'origin', value ->> 'identity',
                value ->> 'traceparent'
            FROM json_each($2) WHERE TRUE ORDER BY key"
        )
    };
}

pub(super) const INSERT_MANY: &str = insert_many!();

/// Lets go of keys whose period is over, where a new job wants them.
pub(super) const EXPIRE: &str = "UPDATE job_queue SET unique_key = NULL, unique_scope = NULL, unique_until = NULL
    WHERE unique_key IN (SELECT value ->> 'unique_key' FROM json_each($2)) AND unique_until <= $1";

/// Stores those jobs whose unique keys are free. Touching the holder of a key makes the statement say who that is.
pub(super) const INSERT_UNIQUE: &str = concat!(
    insert_many!(),
    " ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO UPDATE SET unique_key = excluded.unique_key
    RETURNING id, unique_key"
);

/// A job as the statements find it in their JSON.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    queue: &'a str,
    action: &'a str,
    input: &'a str,
    priority: i16,
    run_at: String,
    max_attempts: u32,
    unique_key: Option<&'a str>,
    unique_scope: Option<&'static str>,
    unique_until: Option<String>,
    group_key: Option<&'a str>,
    group_limit: Option<u32>,
    position: Option<i64>,
    door: &'static str,
    origin: Option<&'a str>,
    identity: &'a str,
    traceparent: &'a str,
}

impl<'a> Row<'a> {
    fn new(job: &'a NewJob, now: DateTime<Utc>) -> Self {
        let scope = job.unique.as_ref().map(|unique| match unique.scope {
            UniqueScope::Pending => ("pending", None),
            UniqueScope::Unfinished => ("unfinished", None),
            UniqueScope::Period(period) => ("period", Some(text(later(now, period)))),
        });
        let (unique_scope, unique_until) = scope.unzip();
        Self {
            id: hex(job.id),
            queue: &job.queue,
            action: &job.action,
            input: &job.input,
            priority: job.priority.level(),
            run_at: text(run_at(job.due, now)),
            max_attempts: number(job.max_attempts),
            unique_key: job.unique.as_ref().map(|unique| unique.key.as_str()),
            unique_scope,
            unique_until: unique_until.flatten(),
            group_key: job.group.as_ref().map(|group| group.key.as_str()),
            group_limit: job.group.as_ref().map(|group| number(group.limit)),
            position: job.group.as_ref().and_then(|group| group.position),
            door: job.door,
            origin: job.origin.as_deref(),
            identity: &job.identity,
            traceparent: &job.traceparent,
        }
    }
}

#[derive(FromQueryResult)]
struct Holder {
    id: Uuid,
    unique_key: Option<String>,
}

/// Stores jobs and answers in their order.
pub(super) async fn insert(db: &Db, now: DateTime<Utc>, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    if jobs.iter().all(|job| job.unique.is_none()) {
        return insert_plain(db, now, jobs).await;
    }
    let tx = db.begin_tx().await?;
    let enqueued = insert_unique(&tx, now, jobs).await?;
    tx.commit().await?;
    Ok(enqueued)
}

pub(super) async fn insert_in(tx: &Tx, now: DateTime<Utc>, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    if jobs.iter().all(|job| job.unique.is_none()) {
        return insert_plain(tx.db(), now, jobs).await;
    }
    insert_unique(tx, now, jobs).await
}

async fn insert_plain(db: &impl ConnectionTrait, now: DateTime<Utc>, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    match jobs {
        [] => {}
        [job] => insert_one(db, now, job).await?,
        jobs => {
            Sql::fixed(db, INSERT_MANY).bind(now).bind(json(now, jobs)?).execute().await?;
        }
    }
    Ok(jobs.iter().map(|job| Enqueued { id: job.id, is_duplicate: false }).collect())
}

async fn insert_one(db: &impl ConnectionTrait, now: DateTime<Utc>, job: &NewJob) -> Result<()> {
    let group = job.group.as_ref();
    Sql::fixed(db, INSERT)
        .bind(now)
        .bind(job.id)
        .bind(job.queue.as_str())
        .bind(job.action.as_str())
        .bind(job.input.as_str())
        .bind(job.priority.level())
        .bind(run_at(job.due, now))
        .bind(number(job.max_attempts))
        .bind(group.map(|group| group.key.as_str()))
        .bind(group.map(|group| number(group.limit)))
        .bind(group.and_then(|group| group.position))
        .bind(job.door)
        .bind(job.origin.as_deref())
        .bind(job.identity.as_str())
        .bind(job.traceparent.as_str())
        .execute()
        .await?;
    Ok(())
}

async fn insert_unique(tx: &Tx, now: DateTime<Utc>, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    let rows = json(now, jobs)?;
    tx.sql(EXPIRE).bind(now).bind(rows.as_str()).execute().await?;
    let stored = tx.sql(INSERT_UNIQUE).bind(now).bind(rows).all::<Holder>().await?;
    let holders: HashMap<_, _> = stored.into_iter().filter_map(|row| Some((row.unique_key?, row.id))).collect();
    let answers = jobs.iter().map(|job| {
        let holder = job.unique.as_ref().and_then(|unique| holders.get(&unique.key).copied()).unwrap_or(job.id);
        Enqueued { id: holder, is_duplicate: holder != job.id }
    });
    Ok(answers.collect())
}

fn json(now: DateTime<Utc>, jobs: &[NewJob]) -> Result<String> {
    Ok(serde_json::to_string(&jobs.iter().map(|job| Row::new(job, now)).collect::<Vec<_>>())?)
}

fn run_at(due: Due, now: DateTime<Utc>) -> DateTime<Utc> {
    match due {
        Due::Now => now,
        Due::After(wait) => later(now, wait),
        Due::At(time) => time.trunc_subsecs(6),
    }
}

/// Returns a count as the column has it, at least 1.
fn number(count: u32) -> u32 {
    count.clamp(1, i32::MAX.unsigned_abs())
}
