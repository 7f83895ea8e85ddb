//! Into Postgres by `COPY` in its binary format: a third of what multi-row inserts cost both sides.

use std::collections::HashSet;

use uuid::Uuid;

use crate::{
    Result,
    db::{Cells, Db, Rows},
    runs::{
        RunRecord,
        buffer::{Entry, Ids},
        record::level_name,
    },
};

const RUNS: &str =
    "COPY action_runs (id, attempt, started_at, duration_us, trace_id, action, door, status, http_status, error_code,
    error, input, output) FROM STDIN (FORMAT binary)";

const LOGS: &str = "COPY action_logs (run_id, line, logged_at, trace_id, level, target, message, fields)
    FROM STDIN (FORMAT binary)";

/// How many bytes the row of a success takes, about.
const RUN: usize = 160;

/// Which of these are there already.
const WRITTEN: &str = "SELECT id FROM action_runs WHERE id = ANY($1)";

pub(super) async fn write(db: &Db, ids: Ids, batch: &[Entry]) -> Result<()> {
    let again: Vec<Uuid> = batch.iter().filter(|entry| entry.is_again).map(|entry| ids.of(entry)).collect();
    let mut written = HashSet::new();
    if !again.is_empty() {
        let rows: Vec<(Uuid,)> = db.sql(WRITTEN).bind(again).columns().await?;
        written.extend(rows.into_iter().map(|(id,)| id));
    }
    let (mut runs, mut logs) = (Rows::new(RUNS, 13), Rows::new(LOGS, 8));
    runs.reserve(batch.len() * RUN);
    for entry in batch {
        let id = ids.of(entry);
        if !written.contains(&id) {
            add(id, &entry.record, &mut runs, &mut logs);
        }
    }
    let tables: Vec<Rows> = [runs, logs].into_iter().filter(|rows| !rows.is_empty()).collect();
    if tables.is_empty() { Ok(()) } else { db.copy(tables).await }
}

fn add(id: Uuid, record: &RunRecord, runs: &mut Rows, logs: &mut Rows) {
    let (failure, details) = (record.failure.as_deref(), record.details.as_deref());
    let mut cells = Cells::<88>::new();
    cells
        .uuid(id)
        .int(i32::try_from(record.attempt).unwrap_or(i32::MAX))
        .micros(record.started_us)
        .bigint(record.duration_us())
        .hex(record.trace_id);
    let row = runs
        .row()
        .cells(&cells)
        .word(record.action)
        .word(record.door)
        .word(record.status.as_str())
        .maybe_int(record.http_status.map(i32::from));
    if failure.is_none() && details.is_none() {
        // As most are.
        row.nulls::<4>();
        return;
    }
    row.maybe_text(failure.map(|failure| &*failure.code))
        .maybe_text(failure.and_then(|failure| failure.text.as_deref()))
        .maybe_text(details.and_then(|details| details.input.as_deref()))
        .maybe_text(details.and_then(|details| details.output.as_deref()));
    for (number, line) in (1..).zip(details.map(|details| details.lines.as_slice()).unwrap_or_default()) {
        logs.row()
            .cells(Cells::<76>::new().uuid(id).int(number).time(line.logged_at).hex(record.trace_id))
            .word(level_name(line.level))
            .text(&line.target)
            .text(&line.message)
            .maybe_text(line.fields.as_deref());
    }
}
