//! Storing jobs: one by one beside plain inserts, in a transaction, in bulk.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    Result, Size,
    bed::{Bed, QUEUE, job},
};
use crate::{
    per_second,
    report::{Goal, Report},
};

/// How many of a kind run before the next kind has its turn.
const CHUNK: usize = 200;

/// A table with the columns, checks and indexes of the queue.
const LIKE: &str = "CREATE TABLE job_like (LIKE job_queue INCLUDING ALL)";

const ROWS: &str = "CREATE TABLE bench_row (id BIGINT PRIMARY KEY, note TEXT NOT NULL)";

/// As a program would write it that has made up its mind: every column bound but for the times and the status.
const INSERT: &str = "INSERT INTO job_like (id, queue, action, input, status, priority, run_at, waiting_since, created_at,
    max_attempts, door, identity, traceparent) VALUES ($1, $2, $3, $4, 'pending', $5, now(), now(), now(), $6, $7, $8, $9)";

const INSERT_SQLITE: &str = "INSERT INTO job_like (id, queue, action, input, status, priority, run_at, waiting_since,
    created_at, max_attempts, door, identity, traceparent) VALUES ($1, $2, $3, $4, 'pending', $5, $10, $10, $10, $6, $7, $8, $9)";

const INSERT_ROW: &str = "INSERT INTO bench_row (id, note) VALUES ($1, $2)";

/// One way of storing one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Insert,
    Enqueue,
    RowInTransaction,
    EnqueueInTransaction,
}

const WAYS: [Way; 4] = [Way::Insert, Way::Enqueue, Way::RowInTransaction, Way::EnqueueInTransaction];

/// Single statements, by one caller and by eight at a time.
pub(super) async fn singles(bed: &Bed, size: Size, report: &mut Report) -> Result<()> {
    prepare(bed).await?;
    // One count for everything that is stored, so that no two rows have one key.
    let rows = Arc::new(AtomicI64::new(0));
    for callers in [1, 8] {
        let mut times = [Duration::ZERO; WAYS.len()];
        let chunk = CHUNK * callers;
        let rounds = size.singles.div_ceil(chunk).max(1);
        // The first round warms up.
        for round in 0..=rounds {
            for (way, time) in WAYS.iter().zip(&mut times) {
                let took = store(bed, *way, callers, chunk, &rows).await?;
                if round > 0 {
                    *time += took;
                }
            }
        }
        let [insert, enqueue, row, both] = times.map(|time| per_second(rounds * chunk, time));
        let by = if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") };
        report.add(bed.backend, &format!("insert into a like table, {by}"), insert, "/s")?;
        report.add(bed.backend, &format!("enqueue, {by}"), enqueue, "/s")?;
        let what = format!("enqueue ÷ insert, {by}");
        report.target(bed.backend, &what, (enqueue / insert, "×"), Goal::AtLeast(0.95))?;
        report.add(bed.backend, &format!("transaction with a row, {by}"), row, "/s")?;
        report.add(bed.backend, &format!("transaction with a row and an enqueue, {by}"), both, "/s")?;
        bed.db.sql("DELETE FROM job_like").execute().await?;
        bed.clear().await?;
    }
    Ok(())
}

async fn prepare(bed: &Bed) -> Result<()> {
    bed.db.sql(ROWS).execute().await?;
    if bed.is_postgres() {
        bed.db.sql(LIKE).execute().await?;
        return Ok(());
    }
    let made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'job_queue' AND sql IS NOT NULL ORDER BY type DESC";
    for (statement,) in bed.db.sql(made).columns::<(String,)>().await? {
        bed.db.sql(&statement.replace("job_queue", "job_like")).execute().await?;
    }
    Ok(())
}

async fn store(bed: &Bed, way: Way, callers: usize, count: usize, rows: &Arc<AtomicI64>) -> Result<Duration> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let (bed, rows) = (bed.clone(), Arc::clone(rows));
        running.spawn(async move {
            for _ in 0..count / callers {
                one(&bed, way, rows.fetch_add(1, Ordering::Relaxed)).await?;
            }
            Result::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}

async fn one(bed: &Bed, way: Way, row: i64) -> Result<()> {
    match way {
        Way::Insert => {
            let job = job();
            let sql = if bed.is_postgres() { INSERT } else { INSERT_SQLITE };
            let mut statement = bed
                .db
                .sql(sql)
                .bind(job.id)
                .bind(job.queue)
                .bind(job.action)
                .bind(job.input)
                .bind(job.priority.level())
                .bind(i32::try_from(job.max_attempts)?)
                .bind(job.door)
                .bind(job.identity)
                .bind(job.traceparent);
            if !bed.is_postgres() {
                statement = statement.bind(bed.clock.now());
            }
            statement.execute().await?;
        }
        Way::Enqueue => {
            bed.store.insert(&[job()]).await?;
            bed.wake.jobs(QUEUE);
        }
        Way::RowInTransaction | Way::EnqueueInTransaction => {
            let tx = bed.db.begin_tx().await?;
            tx.sql(INSERT_ROW).bind(row).bind("a row of the application").execute().await?;
            if way == Way::EnqueueInTransaction {
                bed.store.insert_in(&tx, &[job()]).await?;
            }
            tx.commit().await?;
            if way == Way::EnqueueInTransaction {
                bed.wake.jobs(QUEUE);
            }
        }
    }
    Ok(())
}

/// Many jobs with one statement.
pub(super) async fn bulk(bed: &Bed, size: Size, report: &mut Report) -> Result<()> {
    let (jobs, batch) = size.bulk;
    bed.fill(batch * 5, batch).await?;
    let began = Instant::now();
    bed.fill(jobs, batch).await?;
    let rate = per_second(jobs, began.elapsed());
    report.add(bed.backend, &format!("enqueue in bulk, {batch} a statement"), rate, "/s")?;
    let began = Instant::now();
    let mut running = JoinSet::new();
    let bed = Arc::new(bed.clone());
    for _ in 0..2 {
        let bed = Arc::clone(&bed);
        running.spawn(async move { bed.fill(jobs / 2, batch).await });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let rate = per_second(jobs, began.elapsed());
    report.add(bed.backend, &format!("enqueue in bulk, {batch} a statement, 2 callers"), rate, "/s")?;
    bed.clear().await
}
