//! What people and programs see of stored jobs: their status and history, filters, numbers.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a job is in its life. One that is out of attempts is not in the queue any more, but among the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Status {
    /// It was not attempted yet.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// A worker holds it.
    #[sea_orm(string_value = "running")]
    Running,
    /// An attempt failed, and it waits for the next.
    #[sea_orm(string_value = "retrying")]
    Retrying,
    /// It is done.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// It was cancelled before it was done.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl Status {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Retrying, Self::Completed, Self::Cancelled];

    /// Returns its name in the table and in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one, from 1. It begins again when a dead letter is retried.
    pub attempt: u32,
    /// When it failed.
    pub at: DateTime<Utc>,
    /// The stable code.
    pub code: String,
    /// The text.
    pub message: String,
}

/// Reads the column `errors`. What this version cannot read is left out rather than a reason to show nothing.
pub(super) fn history(errors: Option<&str>) -> Vec<Attempt> {
    let entries: Vec<serde_json::Value> = errors.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect()
}

/// Which jobs to list. Nothing said is all of them.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Those of this queue.
    pub queue: Option<String>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those with this status.
    pub status: Option<Status>,
    /// Those of this group.
    pub group: Option<String>,
}

/// Which dead letters are meant. Nothing said is all of them.
#[derive(Clone, Debug, Default)]
pub struct FailureFilter {
    /// These.
    pub ids: Option<Vec<Uuid>>,
    /// Those of this queue.
    pub queue: Option<String>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those that failed at this time or before it: what a list showed, without what came since.
    pub failed_until: Option<DateTime<Utc>>,
}

impl FailureFilter {
    /// The one with this id.
    pub fn one(id: Uuid) -> Self {
        Self { ids: Some(vec![id]), ..Self::default() }
    }
}

/// How full the queues are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Each queue that was asked for or holds a job, by name.
    pub queues: Vec<QueueStats>,
}

/// How full one queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Its name.
    pub queue: String,
    /// How many jobs wait, due or not, for each of [`Priority::ALL`](super::Priority::ALL).
    pub waiting: [u64; 4],
    /// How many run.
    pub running: u64,
    /// For how long the job has been due that waits longest; `None` when none is due.
    pub oldest_due: Option<Duration>,
    /// How many dead letters came from it.
    pub dead_letters: u64,
}

/// What asking for a job to be cancelled came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It waited, and is cancelled.
    Done,
    /// It runs, and its worker is told with the next heartbeat.
    Requested,
    /// There is no such job, or it has ended.
    TooLate,
}

/// Dead letters that are jobs again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requeued {
    /// How many.
    pub jobs: u64,
    /// Their queues, for whoever wakes the workers.
    pub queues: Vec<String>,
}

/// What became of jobs whose leases had expired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// How many wait for another attempt.
    pub retrying: u64,
    /// How many are dead letters.
    pub dead: u64,
    /// How many had been asked to stop, and count as cancelled.
    pub cancelled: u64,
    /// The queues of those that wait, for whoever wakes the workers.
    pub queues: Vec<String>,
}

impl Reaped {
    /// Returns how many jobs that is.
    pub fn jobs(&self) -> u64 {
        self.retrying + self.dead + self.cancelled
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveEnum;

    use super::*;

    #[test]
    fn a_status_has_one_name_everywhere() {
        for status in Status::ALL {
            assert_eq!(status.to_value(), status.as_str());
        }
    }

    #[test]
    fn a_history_survives_entries_that_it_cannot_read() {
        let json = r#"[{"attempt":1,"at":"2026-01-01T00:00:00.000001Z","code":"boom","message":"no"},{"new":true}]"#;
        let read = history(Some(json));
        assert_eq!((read.len(), read[0].code.as_str()), (1, "boom"));
        assert!(history(Some("nonsense")).is_empty() && history(None).is_empty());
    }
}
