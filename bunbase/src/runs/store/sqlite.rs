//! Into SQLite, by statements of so many rows that a batch takes few of them: their texts are always the same, so each is prepared once.

use std::sync::LazyLock;

use chrono::DateTime;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use super::hex;
use crate::{
    Result,
    db::{Db, Tx},
    runs::{
        RunRecord,
        buffer::{Entry, Ids},
        record::{LogLine, level_name},
    },
};

/// How many rows a statement has: a batch is cut into the largest first. SQLite takes 32,766 values of one statement.
const ROWS: [usize; 4] = [125, 25, 5, 1];

/// A statement for each number of rows.
struct Insert([String; ROWS.len()]);

static RUNS: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [
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
        "input",
        "output",
    ];
    Insert::new("action_runs", &columns, "id")
});

static LOGS: LazyLock<Insert> = LazyLock::new(|| {
    let columns = ["run_id", "line", "logged_at", "level", "target", "message", "fields", "trace_id"];
    Insert::new("action_logs", &columns, "run_id, line")
});

pub(super) async fn write(db: &Db, ids: Ids, batch: &[Entry]) -> Result<()> {
    let tx: Tx = db.begin_tx().await?;
    RUNS.execute(&tx, batch, |entry, values| run(ids.of(entry), &entry.record, values)).await?;
    let logs: Vec<_> = batch.iter().flat_map(|entry| lines(ids.of(entry), &entry.record)).collect();
    LOGS.execute(&tx, &logs, log).await?;
    tx.commit().await
}

impl Insert {
    /// A row that is there already stays as it is.
    fn new(table: &str, columns: &[&str], key: &str) -> Self {
        Self(ROWS.map(|count| {
            // Without numbers: SQLite looks through all that have one whenever a value is bound.
            let row = format!("({})", vec!["?"; columns.len()].join(", "));
            let (columns, rows) = (columns.join(", "), vec![row; count].join(", "));
            format!("INSERT INTO {table} ({columns}) VALUES {rows} ON CONFLICT ({key}) DO NOTHING")
        }))
    }

    async fn execute<T>(&'static self, tx: &Tx, mut rows: &[T], bind: impl Fn(&T, &mut Vec<Value>)) -> Result<()> {
        for (count, text) in ROWS.into_iter().zip(&self.0) {
            while let Some((some, rest)) = rows.split_at_checked(count) {
                let mut values = Vec::new();
                for row in some {
                    bind(row, &mut values);
                }
                tx.db().execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, text, values)).await?;
                rows = rest;
            }
        }
        Ok(())
    }
}

/// Binds a run's columns, in the order of the statement.
fn run(id: Uuid, record: &RunRecord, values: &mut Vec<Value>) {
    let (failure, details) = (record.failure.as_deref(), record.details.as_deref());
    values.extend([
        id.into(),
        record.action.into(),
        record.door.into(),
        hex(record.trace_id).into(),
        record.attempt.into(),
        record.status.as_str().into(),
        DateTime::from_timestamp_micros(record.started_us).unwrap_or_default().into(),
        record.duration_us().into(),
        record.http_status.into(),
        failure.map(|failure| &*failure.code).into(),
        failure.and_then(|failure| failure.text.as_deref()).into(),
        details.and_then(|details| details.input.as_deref()).into(),
        details.and_then(|details| details.output.as_deref()).into(),
    ]);
}

/// Returns what a run has logged, by its numbers.
fn lines(id: Uuid, record: &RunRecord) -> impl Iterator<Item = (Uuid, &RunRecord, u32, &LogLine)> {
    let lines = record.details.as_ref().map(|details| details.lines.as_slice()).unwrap_or_default();
    (1..).zip(lines).map(move |(number, line)| (id, record, number, line))
}

/// Binds the columns of a line, likewise.
fn log(&(id, record, number, line): &(Uuid, &RunRecord, u32, &LogLine), values: &mut Vec<Value>) {
    values.extend([
        id.into(),
        number.into(),
        line.logged_at.into(),
        level_name(line.level).into(),
        (&*line.target).into(),
        line.message.as_str().into(),
        line.fields.as_deref().into(),
        hex(record.trace_id).into(),
    ]);
}
