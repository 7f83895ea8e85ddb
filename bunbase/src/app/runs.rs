//! The command that looks at runs.

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::Value;
use uuid::Uuid;

use super::operate::{table, time};
use crate::{
    Error, Result,
    context::Services,
    runs::read::{self, StoredLine, StoredRun},
};

/// What `runs` does, besides listing them.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum RunsStep {
    /// Shows a run with what it logged; for a trace id all of its runs.
    Show {
        /// The run's id, or a trace id: what an answer has as `x-trace-id`.
        id: Uuid,
    },
}

/// Lists the latest runs.
pub(super) async fn list(services: &Services, action: Option<&str>, failed: bool, limit: u32) -> Result<String> {
    let runs = read::latest(&services.db, action, failed, limit).await?;
    let row = |run: &StoredRun| {
        [
            run.id.to_string(),
            time(run.started_at),
            run.door.clone(),
            run.status.clone(),
            run.attempt.to_string(),
            millis(run),
            run.error_code.clone().unwrap_or_else(|| "-".to_owned()),
            run.trace_id.clone(),
            run.action.clone(),
        ]
    };
    let head = ["ID", "STARTED", "DOOR", "STATUS", "ATTEMPT", "MS", "CODE", "TRACE", "ACTION"];
    Ok(table(head, runs.iter().map(row)))
}

/// Shows a run, or all runs of a trace.
pub(super) async fn show(services: &Services, id: Uuid) -> Result<String> {
    let runs = read::find(&services.db, id).await?;
    if runs.is_empty() {
        return Err(Error::not_found(format!(
            "no run and no trace has the id {id}; a run is recorded within seconds of its end"
        )));
    }
    let mut text = String::new();
    for (number, run) in runs.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        show_one(&mut text, run, &read::lines(&services.db, run.id).await?);
    }
    Ok(text)
}

fn show_one(text: &mut String, run: &StoredRun, lines: &[StoredLine]) {
    let mut line = |name: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    line("run", &run.id.to_string());
    line("action", &run.action);
    line("door", &run.door);
    line("trace", &run.trace_id);
    line("status", &run.status);
    line("attempt", &run.attempt.to_string());
    line("started", &run.started_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    line("took", &format!("{} ms", millis(run)));
    if let Some(status) = run.http_status {
        line("http", &status.to_string());
    }
    for (name, value) in
        [("code", &run.error_code), ("error", &run.error), ("input", &run.input), ("output", &run.output)]
    {
        if let Some(value) = value {
            line(name, value);
        }
    }
    for logged in lines {
        let at = logged.logged_at.format("%H:%M:%S%.3f");
        let _ = writeln!(text, "{at} {:>5} {}{}", logged.level, logged.message, fields(logged));
    }
}

/// Writes fields as the log does: ` name=value`.
fn fields(line: &StoredLine) -> String {
    let fields = line.fields.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let Some(Value::Object(fields)) = fields else { return String::new() };
    fields.iter().fold(String::new(), |all, (name, value)| format!("{all} {name}={value}"))
}

fn millis(run: &StoredRun) -> String {
    format!("{}.{:03}", run.duration_us / 1000, run.duration_us % 1000)
}
