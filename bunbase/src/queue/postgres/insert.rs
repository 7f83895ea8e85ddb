//! Storing jobs: one statement, whether it is one job or a thousand.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::micros;
use crate::{
    Error, Result,
    db::Sql,
    queue::{Due, Enqueued, NewJob, UniqueScope},
};

macro_rules! columns {
    () => {
        "(id, queue, action, input, status, priority, run_at, waiting_since, created_at, max_attempts, unique_key, unique_scope, \
          unique_until, group_key, group_limit, position, door, origin, identity, traceparent)"
    };
}

/// Stores one job that has no unique key: a plain `INSERT` without a set to unfold, as quick as one can be.
pub(super) const INSERT: &str = concat!(
    "INSERT INTO job_queue ",
    columns!(),
    " VALUES ($2, $3, $4, $5, 'pending', $6, COALESCE($7, ",
    now!(),
    " + ",
    micros!("$8"),
    "), GREATEST($7, ",
    now!(),
    " + ",
    micros!("$8"),
    "), ",
    now!(),
    ", $9, NULL, NULL, NULL, $10, $11, $12, $13, $14, $15, $16)"
);

/// The jobs of a batch, from one array a column. The driver binds arrays without NULLs, so a text that may be missing has a
/// sign before it, and a number that may be has one that stands for none.
macro_rules! wanted {
    () => {
        concat!(
            "WITH wanted AS MATERIALIZED (
                SELECT n, id, queue, action, input, priority, max_attempts, door, identity, traceparent,
                    CASE WHEN at_us >= 0 THEN TIMESTAMPTZ 'epoch' + at_us * INTERVAL '1 microsecond'
                         ELSE ",
            now!(),
            " + after_us * INTERVAL '1 microsecond' END AS run_at,
                    CASE WHEN unique_key <> '' THEN substr(unique_key, 2) END AS unique_key,
                    NULLIF(unique_scope, '') AS unique_scope,
                    CASE WHEN unique_us >= 0 THEN ",
            now!(),
            " + unique_us * INTERVAL '1 microsecond' END AS unique_until,
                    CASE WHEN group_key <> '' THEN substr(group_key, 2) END AS group_key,
                    NULLIF(group_limit, 0) AS group_limit,
                    NULLIF(position, -9223372036854775808) AS position,
                    CASE WHEN origin <> '' THEN substr(origin, 2) END AS origin
                FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::bigint[],
                        $9::integer[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::integer[], $15::bigint[],
                        $16::text[], $17::text[], $18::text[], $19::text[]) WITH ORDINALITY
                    AS job (id, queue, action, input, priority, at_us, after_us, max_attempts, unique_key, unique_scope,
                        unique_us, group_key, group_limit, position, door, origin, identity, traceparent, n))"
        )
    };
}

macro_rules! insert_wanted {
    () => {
        concat!(
            "INSERT INTO job_queue ",
            columns!(),
            " SELECT id, queue, action, input, 'pending', priority, run_at, GREATEST(run_at, ",
            now!(),
            "), ",
            now!(),
            ", max_attempts, unique_key, unique_scope, unique_until, group_key, group_limit, position, door, origin,
                identity, traceparent FROM wanted"
        )
    };
}

/// Stores jobs of which none has a unique key.
pub(super) const INSERT_MANY: &str = concat!(wanted!(), insert_wanted!(), " ORDER BY n");

/// Stores those jobs whose unique keys are free, and says who holds the others. A key whose period is over is taken over;
/// the insert names `expired` so that it runs after it.
///
/// `holder` is NULL when the key was taken after the statement began: its snapshot does not show who did, so it is asked again. The
/// order of the keys is that of the locks: two batches with the same keys wait for each other instead of both being stuck.
pub(super) const INSERT_UNIQUE: &str = concat!(
    wanted!(),
    ", expired AS (
        UPDATE job_queue AS job SET unique_key = NULL, unique_scope = NULL, unique_until = NULL
        WHERE job.unique_key = ANY(ARRAY(SELECT unique_key FROM wanted WHERE unique_key IS NOT NULL ORDER BY unique_key))
            AND job.unique_until <= ",
    now!(),
    " RETURNING job.id),
    added AS (",
    insert_wanted!(),
    " WHERE (SELECT count(*) FROM expired) >= 0 ORDER BY unique_key, n
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING RETURNING id, unique_key)
    SELECT wanted.id, COALESCE(
        CASE WHEN wanted.unique_key IS NULL THEN wanted.id END,
        (SELECT added.id FROM added WHERE added.unique_key = wanted.unique_key),
        (SELECT job.id FROM job_queue AS job WHERE job.unique_key = wanted.unique_key
            AND (job.unique_until IS NULL OR job.unique_until > ",
    now!(),
    "))) AS holder FROM wanted ORDER BY n"
);

/// How often it is asked who holds a key. Each time somebody else has just taken it or let go of it.
const UNIQUE_ATTEMPTS: u32 = 20;

/// Stores jobs and answers in their order.
pub(super) async fn insert(db: &impl ConnectionTrait, offset_us: i64, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    if jobs.iter().any(|job| job.unique.is_some()) {
        return insert_unique(db, offset_us, jobs).await;
    }
    match jobs {
        [] => {}
        [job] => insert_one(db, offset_us, job).await?,
        jobs => {
            let jobs: Vec<_> = jobs.iter().collect();
            bind_all(db, INSERT_MANY, offset_us, &jobs).execute().await?;
        }
    }
    Ok(jobs.iter().map(|job| Enqueued { id: job.id, is_duplicate: false }).collect())
}

/// Asks until the holder of every key is known.
async fn insert_unique(db: &impl ConnectionTrait, offset_us: i64, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        holder: Option<Uuid>,
    }

    let mut holders: HashMap<Uuid, Uuid> = HashMap::with_capacity(jobs.len());
    for _ in 0..UNIQUE_ATTEMPTS {
        let asked: Vec<_> = jobs.iter().filter(|job| !holders.contains_key(&job.id)).collect();
        if asked.is_empty() {
            break;
        }
        let rows = bind_all(db, INSERT_UNIQUE, offset_us, &asked).all::<Row>().await?;
        holders.extend(rows.into_iter().filter_map(|row| Some((row.id, row.holder?))));
    }
    let answers = jobs.iter().map(|job| {
        let holder = *holders.get(&job.id)?;
        Some(Enqueued { id: holder, is_duplicate: holder != job.id })
    });
    // In a transaction that keeps its first snapshot the holder never shows.
    answers.collect::<Option<_>>().ok_or_else(|| {
        Error::unavailable("a unique key is held by a job that cannot be seen yet; try again", Duration::from_secs(1))
    })
}

async fn insert_one(db: &impl ConnectionTrait, offset_us: i64, job: &NewJob) -> Result<()> {
    let (at, after_us) = due(job.due);
    let group = job.group.as_ref();
    Sql::fixed(db, INSERT)
        .bind(offset_us)
        .bind(job.id)
        .bind(job.queue.as_str())
        .bind(job.action.as_str())
        .bind(job.input.as_str())
        .bind(job.priority.level())
        .bind(at)
        .bind(after_us)
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

fn bind_all<'a, C: ConnectionTrait>(db: &'a C, sql: &'static str, offset_us: i64, jobs: &[&NewJob]) -> Sql<'a, C> {
    /// A column as an array.
    macro_rules! column {
        ($job:ident => $value:expr) => {
            jobs.iter().map(|$job| $value).collect::<Vec<_>>()
        };
    }
    Sql::fixed(db, sql)
        .bind(offset_us)
        .bind(column!(job => job.id))
        .bind(column!(job => job.queue.clone()))
        .bind(column!(job => job.action.clone()))
        .bind(column!(job => job.input.clone()))
        .bind(column!(job => job.priority.level()))
        .bind(column!(job => due(job.due).0.map_or(-1, |at| at.timestamp_micros())))
        .bind(column!(job => due(job.due).1))
        .bind(column!(job => number(job.max_attempts)))
        .bind(column!(job => signed(job.unique.as_ref().map(|unique| unique.key.as_str()))))
        .bind(column!(job => job.unique.as_ref().map_or("", |unique| scope(unique.scope).0).to_owned()))
        .bind(column!(job => job.unique.as_ref().map_or(-1, |unique| scope(unique.scope).1)))
        .bind(column!(job => signed(job.group.as_ref().map(|group| group.key.as_str()))))
        .bind(column!(job => job.group.as_ref().map_or(0, |group| number(group.limit))))
        .bind(column!(job => job.group.as_ref().and_then(|group| group.position).unwrap_or(i64::MIN)))
        .bind(column!(job => job.door.to_owned()))
        .bind(column!(job => signed(job.origin.as_deref())))
        .bind(column!(job => job.identity.clone()))
        .bind(column!(job => job.traceparent.clone()))
}

/// Returns the time, or none and so many microseconds from now.
fn due(due: Due) -> (Option<DateTime<Utc>>, i64) {
    match due {
        Due::Now => (None, 0),
        Due::After(wait) => (None, micros(wait)),
        // No job is due before the epoch: claims begin there.
        Due::At(time) => (Some(time.max(DateTime::UNIX_EPOCH)), 0),
    }
}

/// Returns a scope's name, and its period in microseconds or -1.
fn scope(scope: UniqueScope) -> (&'static str, i64) {
    match scope {
        UniqueScope::Pending => ("pending", -1),
        UniqueScope::Unfinished => ("unfinished", -1),
        UniqueScope::Period(period) => ("period", micros(period)),
    }
}

fn signed(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!("={text}"))
}

/// Returns a count as the column has it, at least 1.
fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX).max(1)
}
