//! The commands that look after jobs, dead letters and schedules.

use std::fmt::Write as _;

use clap::Subcommand;
use uuid::Uuid;

use crate::{
    Error, Result,
    context::Services,
    invoke::Jobs,
    queue::{Cancel, FailureFilter, JobFilter, Priority},
};

/// What `jobs` does.
#[derive(Debug, Subcommand)]
pub(super) enum JobsStep {
    /// Lists jobs, newest first; the default.
    List {
        /// Of this queue.
        #[arg(long)]
        queue: Option<String>,
        /// Of this action.
        #[arg(long)]
        action: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Counts what waits, runs and is dead, by queue.
    Stats,
    /// Shows a job or a dead letter, with the attempts that failed.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Cancels a job.
    Cancel {
        /// Its id.
        id: Uuid,
    },
    /// Lists dead letters, the latest first.
    Failures {
        /// Of this action.
        #[arg(long)]
        action: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Makes jobs of dead letters again.
    Retry(Which),
    /// Deletes dead letters.
    Discard(Which),
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Those with these ids.
    ids: Vec<Uuid>,
    /// Those of this action.
    #[arg(long)]
    action: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl Which {
    fn filter(self) -> Result<FailureFilter> {
        if self.ids.is_empty() && self.action.is_none() && !self.all {
            return Err(Error::new(400, "usage", "say which dead letters: ids, `--action NAME`, or `--all`"));
        }
        let ids = Some(self.ids).filter(|ids| !ids.is_empty());
        Ok(FailureFilter { ids, action: self.action, ..FailureFilter::default() })
    }
}

/// Does what `jobs` says, and returns what to print.
pub(super) async fn jobs(services: &Services, step: JobsStep) -> Result<String> {
    let jobs = Jobs::of(services);
    match step {
        JobsStep::List { queue, action, limit } => {
            let filter = JobFilter { queue, action, ..JobFilter::default() };
            let page = jobs.list(&filter, limit, None).await?;
            let row = |job: &crate::queue::Job| {
                let attempts = format!("{}/{}", job.attempt, job.max_attempts);
                [
                    job.id.to_string(),
                    job.status.to_string(),
                    job.priority.to_string(),
                    attempts,
                    time(job.run_at),
                    job.queue.clone(),
                    job.action.clone(),
                ]
            };
            let head = ["ID", "STATUS", "PRIORITY", "ATTEMPT", "DUE", "QUEUE", "ACTION"];
            Ok(table(head, page.items.iter().map(row)))
        }
        JobsStep::Stats => {
            let stats = jobs.stats().await?;
            let row = |queue: &crate::queue::QueueStats| {
                let [low, normal, high, critical] = queue.waiting.map(|count| count.to_string());
                let oldest = queue.oldest_due.map_or_else(|| "-".to_owned(), |age| format!("{age:.0?}"));
                let (running, dead) = (queue.running.to_string(), queue.dead_letters.to_string());
                [queue.queue.clone(), low, normal, high, critical, running, oldest, dead]
            };
            let [low, normal, high, critical] = Priority::ALL.map(Priority::as_str);
            let head = ["QUEUE", low, normal, high, critical, "RUNNING", "OLDEST", "DEAD"];
            Ok(table(head, stats.queues.iter().map(row)))
        }
        JobsStep::Show { id } => show(jobs, id).await,
        JobsStep::Cancel { id } => Ok(match jobs.cancel(id).await? {
            Cancel::Done => "cancelled\n",
            Cancel::Requested => "it runs; its worker has been asked to stop\n",
            Cancel::TooLate => return Err(no_job(id)),
        }
        .to_owned()),
        JobsStep::Failures { action, limit } => {
            let filter = FailureFilter { action, ..FailureFilter::default() };
            let page = jobs.failures(&filter, limit, None).await?;
            let row = |dead: &crate::queue::DeadLetter| {
                [
                    dead.id.to_string(),
                    time(dead.failed_at),
                    dead.action.clone(),
                    dead.error_code.clone(),
                    dead.error.clone(),
                ]
            };
            Ok(table(["ID", "FAILED", "ACTION", "CODE", "ERROR"], page.items.iter().map(row)))
        }
        JobsStep::Retry(which) => Ok(format!("{} are jobs again\n", jobs.retry(&which.filter()?).await?)),
        JobsStep::Discard(which) => Ok(format!("{} deleted\n", jobs.discard(&which.filter()?).await?)),
    }
}

async fn show(jobs: Jobs<'_>, id: Uuid) -> Result<String> {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let history = if let Some(job) = jobs.get(id).await? {
        line("action", &job.action);
        line("status", job.status.as_str());
        line("attempt", &format!("{}/{}", job.attempt, job.max_attempts));
        line("queue", &format!("{} ({})", job.queue, job.priority));
        line("door", &job.door);
        line("due", &time(job.run_at));
        line("progress", job.progress.as_deref().unwrap_or("-"));
        job.history()
    } else if let Some(dead) = jobs.failure(id).await? {
        line("action", &dead.action);
        line("status", "failed");
        line("attempt", &format!("{}/{}", dead.attempts, dead.max_attempts));
        line("queue", &dead.queue);
        line("door", &dead.door);
        line("failed", &time(dead.failed_at));
        dead.history()
    } else {
        return Err(no_job(id));
    };
    for attempt in history {
        line(
            &format!("attempt {}", attempt.attempt),
            &format!("{} {}: {}", time(attempt.at), attempt.code, attempt.message),
        );
    }
    Ok(text)
}

fn no_job(id: Uuid) -> Error {
    Error::not_found(format!("no job that has not ended has the id {id}"))
}

/// Lists the schedules with their next runs.
pub(super) async fn schedules(services: &Services) -> Result<String> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = services.schedules.list(&after, 100).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        for entry in &page {
            let next = match entry.next_run_at {
                _ if entry.paused => "paused".to_owned(),
                Some(at) => time(at),
                None => "-".to_owned(),
            };
            let last = entry.last_tick_at.map_or_else(|| "-".to_owned(), time);
            let (rule, zone) = (entry.rule.clone(), entry.zone.clone());
            rows.push([entry.name.clone(), rule, zone, next, last, entry.action.clone()]);
        }
    }
    Ok(table(["NAME", "RULE", "ZONE", "NEXT", "LAST", "ACTION"], rows.into_iter()))
}

/// Writes a time to the second.
pub(super) fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Lays out rows under a head, each column as wide as its widest cell.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
