//! Into SQLite, from one text of JSON: the statements are the same for every batch, so they are prepared once.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::Serialize;

use super::{hex, micros};
use crate::{
    Result,
    db::{Db, Sql, Tx},
    runs::{buffer::Entry, record::level_name},
};

const RUNS: &str = "INSERT INTO action_runs (id, action, door, trace_id, attempt, status, started_at, duration_us, http_status,
        error_code, error, input, output)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
    FROM json_each($1) WHERE TRUE ORDER BY key ON CONFLICT (id) DO NOTHING";

const LOGS: &str = "INSERT INTO action_logs (run_id, line, logged_at, level, target, message, fields, trace_id)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM json_each($1) WHERE TRUE ORDER BY key ON CONFLICT (run_id, line) DO NOTHING";

pub(super) async fn write(db: &Db, batch: &[Entry]) -> Result<()> {
    let runs = serde_json::to_string(&batch.iter().map(run).collect::<Vec<_>>())?;
    let logs: Vec<_> = batch.iter().flat_map(lines).collect();
    if logs.is_empty() {
        Sql::fixed(db, RUNS).bind(runs).execute().await?;
        return Ok(());
    }
    let logs = serde_json::to_string(&logs)?;
    let tx: Tx = db.begin_tx().await?;
    Sql::fixed(tx.db(), RUNS).bind(runs).execute().await?;
    Sql::fixed(tx.db(), LOGS).bind(logs).execute().await?;
    tx.commit().await
}

/// A run's columns, in the order of the statement.
fn run(entry: &Entry) -> impl Serialize + '_ {
    let Entry { id, record, .. } = entry;
    let details = record.details.as_deref();
    (
        hex(id.into_bytes()),
        record.action,
        record.door,
        hex(record.trace_id),
        record.attempt,
        record.status.as_str(),
        time(record.started_at),
        micros(record.duration),
        record.http_status,
        &record.error_code,
        &record.error,
        details.and_then(|details| details.input.as_deref()),
        details.and_then(|details| details.output.as_deref()),
    )
}

/// The columns of what a run has logged, likewise.
fn lines(entry: &Entry) -> impl Iterator<Item = impl Serialize + '_> {
    let lines = entry.record.details.as_ref().map(|details| details.lines.as_slice()).unwrap_or_default();
    (1_u32..).zip(lines).map(|(number, line)| {
        (
            hex(entry.id.into_bytes()),
            number,
            time(line.logged_at),
            level_name(line.level),
            &line.target,
            &line.message,
            &line.fields,
            hex(entry.record.trace_id),
        )
    })
}

/// Returns a time as the driver binds it, so that both compare.
fn time(at: DateTime<Utc>) -> String {
    at.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
