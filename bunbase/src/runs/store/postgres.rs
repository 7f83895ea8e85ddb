//! Into Postgres by `COPY`: a third of what multi-row inserts cost both sides.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::{hex, micros};
use crate::{
    Result,
    db::{Db, Rows},
    runs::{buffer::Entry, record::level_name},
};

const RUNS: &str =
    "COPY action_runs (id, action, door, trace_id, attempt, status, started_at, duration_us, http_status, error_code,
    error, input, output) FROM STDIN";

const LOGS: &str = "COPY action_logs (run_id, line, logged_at, level, target, message, fields, trace_id) FROM STDIN";

/// Which of these are there already.
const WRITTEN: &str = "SELECT id FROM action_runs WHERE id = ANY($1)";

pub(super) async fn write(db: &Db, batch: &[Entry]) -> Result<()> {
    let again: Vec<Uuid> = batch.iter().filter(|entry| entry.is_again).map(|entry| entry.id).collect();
    let mut written = HashSet::new();
    if !again.is_empty() {
        let rows: Vec<(Uuid,)> = db.sql(WRITTEN).bind(again).columns().await?;
        written.extend(rows.into_iter().map(|(id,)| id));
    }
    let (mut runs, mut logs) = (Rows::new(RUNS), Rows::new(LOGS));
    for entry in batch.iter().filter(|entry| !written.contains(&entry.id)) {
        add(entry, &mut runs, &mut logs);
    }
    let tables: Vec<Rows> = [runs, logs].into_iter().filter(|rows| !rows.is_empty()).collect();
    if tables.is_empty() { Ok(()) } else { db.copy(&tables).await }
}

fn add(entry: &Entry, runs: &mut Rows, logs: &mut Rows) {
    let Entry { id, record, .. } = entry;
    let details = record.details.as_deref();
    let trace_id = hex(record.trace_id);
    runs.plain(id.hyphenated());
    runs.text(record.action);
    runs.text(record.door);
    runs.plain(&trace_id);
    runs.plain(i32::try_from(record.attempt).unwrap_or(i32::MAX));
    runs.plain(record.status);
    runs.plain(time(record.started_at));
    runs.plain(micros(record.duration));
    runs.maybe(record.http_status.map(|status| status.to_string()).as_deref());
    runs.maybe(record.error_code.as_deref());
    runs.maybe(record.error.as_deref());
    runs.maybe(details.and_then(|details| details.input.as_deref()));
    runs.maybe(details.and_then(|details| details.output.as_deref()));
    runs.end();
    for (number, line) in (1..).zip(details.map(|details| details.lines.as_slice()).unwrap_or_default()) {
        let number: i32 = number;
        logs.plain(id.hyphenated());
        logs.plain(number);
        logs.plain(time(line.logged_at));
        logs.plain(level_name(line.level));
        logs.text(&line.target);
        logs.text(&line.message);
        logs.maybe(line.fields.as_deref());
        logs.plain(&trace_id);
        logs.end();
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
