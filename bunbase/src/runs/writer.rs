//! The task that writes what the buffer holds.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use super::{Recorder, RunRecord};
use crate::{Result, db::Db};

/// The most rows of one statement: 11 values each, and Postgres takes 65 535 in all; a long statement holds up SQLite's writer.
const POSTGRES_ROWS: usize = 1000;
const SQLITE_ROWS: usize = 200;

/// The columns, in the order of the values.
const COLUMNS: [&str; 11] = [
    "id",
    "action",
    "door",
    "trace_id",
    "attempt",
    "status",
    "started_at",
    "duration_us",
    "http_status",
    "error_code",
    "error",
];

/// When the writer writes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a record waits at most.
    pub flush_interval: Duration,
}

/// A running writer. Dropping it leaves the task to end with the runtime; [`stop`](Self::stop) writes everything first.
#[derive(Debug)]
pub struct Writer {
    stopping: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts writing what the recorder takes.
    pub fn start(recorder: Recorder, db: Db, settings: Settings) -> Self {
        let (stopping, mut stop) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                let last = tokio::select! {
                    () = tokio::time::sleep(settings.flush_interval) => false,
                    () = recorder.full() => false,
                    // An error is the sender's end, which is one as well.
                    _ = stop.wait_for(|stop| *stop) => true,
                };
                flush(&recorder, &db).await;
                if last {
                    return;
                }
            }
        });
        Self { stopping, task: Some(task) }
    }

    /// Writes what there is and ends. The second time it does nothing.
    pub async fn stop(&mut self) {
        self.stopping.send_replace(true);
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of run records ended badly");
        }
    }
}

/// Writes everything that waits. On failure the rest stays for the next time.
pub(crate) async fn flush(recorder: &Recorder, db: &Db) {
    let rows = if db.backend() == DbBackend::Postgres { POSTGRES_ROWS } else { SQLITE_ROWS };
    loop {
        let batch = recorder.take(rows);
        if batch.is_empty() {
            return;
        }
        let Err(error) = write(db, &batch).await else { continue };
        if error.status() == 503 {
            recorder.put_back(batch);
            tracing::warn!(%error, waiting = recorder.len(), "run records wait: the database does not take them");
            return;
        }
        // One row may be what the database refuses: the others shall not wait for it.
        for record in batch {
            if let Err(error) = write(db, std::slice::from_ref(&record)).await {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(action = record.action, cause, "a run record was refused by the database and is lost");
            }
        }
    }
}

async fn write(db: &Db, batch: &[RunRecord]) -> Result<()> {
    let mut values: Vec<Value> = Vec::with_capacity(batch.len() * COLUMNS.len());
    let mut rows = Vec::with_capacity(batch.len());
    for record in batch {
        let first = values.len() + 1;
        let places = (first..first + COLUMNS.len()).map(|place| format!("${place}")).collect::<Vec<_>>();
        rows.push(format!("({})", places.join(", ")));
        values.extend(row(record));
    }
    let sql = format!("INSERT INTO action_runs ({}) VALUES {}", COLUMNS.join(", "), rows.join(", "));
    db.execute_raw(Statement::from_sql_and_values(db.backend(), sql, values)).await?;
    Ok(())
}

fn row(record: &RunRecord) -> [Value; COLUMNS.len()] {
    let micros = i64::try_from(record.duration.as_micros()).unwrap_or(i64::MAX);
    let trace = record.trace_id.iter().fold(String::with_capacity(32), |text, byte| text + &format!("{byte:02x}"));
    [
        Uuid::now_v7().into(),
        record.action.into(),
        record.door.into(),
        trace.into(),
        i32::try_from(record.attempt).unwrap_or(i32::MAX).into(),
        record.status.as_str().into(),
        record.started_at.into(),
        micros.into(),
        record.http_status.map(i32::from).into(),
        record.error_code.as_ref().map(|code| code.clone().into_owned()).into(),
        record.error.clone().into(),
    ]
}
