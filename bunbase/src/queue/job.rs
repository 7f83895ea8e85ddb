//! A job before it is stored, and what storing it answers.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter};
use uuid::Uuid;

/// How urgent a job is. A worker takes the most urgent first, and within one priority those that are due longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Priority {
    /// When there is nothing else to do.
    #[sea_orm(num_value = 0)]
    Low,
    /// The default.
    #[default]
    #[sea_orm(num_value = 1)]
    Normal,
    /// Before the others.
    #[sea_orm(num_value = 2)]
    High,
    /// Before everything.
    #[sea_orm(num_value = 3)]
    Critical,
}

impl Priority {
    /// All priorities, least urgent first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// Returns its number in the table: 0 is `low`, 3 is `critical`.
    pub const fn level(self) -> i16 {
        self as i16
    }

    /// Returns the priority of a number in the table; out of range is the nearest.
    pub const fn of_level(level: i16) -> Self {
        match level {
            ..=0 => Self::Low,
            1 => Self::Normal,
            2 => Self::High,
            3.. => Self::Critical,
        }
    }

    /// Returns its name in metrics, listings and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When a job may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Due {
    /// As soon as a worker is free. The default.
    #[default]
    Now,
    /// So long after it was stored, by the database's clock.
    After(Duration),
    /// At this time.
    At(DateTime<Utc>),
}

/// How long a unique key keeps others away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueScope {
    /// Until a worker takes the job.
    Pending,
    /// Until the job has ended, retries included.
    Unfinished,
    /// For so long after it was stored, whether it has ended or not. A job that ends in the dead letters lets go of it.
    Period(Duration),
}

/// A key that one job in the queue may hold at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The key; one namespace for all queues and actions, so callers put the action's name into it.
    pub key: String,
    /// How long it is held.
    pub scope: UniqueScope,
}

/// A set of jobs of which only so many run at a time, over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's key; one namespace for all queues.
    pub key: String,
    /// How many may run at a time, at least 1.
    pub limit: u32,
    /// With a position, jobs of the group run one at a time in the order of their positions: one that waits for its retry
    /// holds up those behind it, one that ends in the dead letters lets them go on.
    pub position: Option<i64>,
}

/// A job to be stored.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id, version 7: later jobs have greater ids.
    pub id: Uuid,
    /// The queue that it waits in.
    pub queue: String,
    /// The full name of the action.
    pub action: String,
    /// The action's input: one JSON object of all fields.
    pub input: String,
    /// How urgent it is.
    pub priority: Priority,
    /// When it may run.
    pub due: Due,
    /// How many attempts it has, at least 1.
    pub max_attempts: u32,
    /// Its unique key.
    pub unique: Option<Unique>,
    /// Its group.
    pub group: Option<Group>,
    /// The door that its run came by: `job`, `event`, `cron` or `webhook`.
    pub door: &'static str,
    /// What it came from: the event's id, the schedule and its tick, the webhook's delivery id.
    pub origin: Option<String>,
    /// Who caused it, as JSON.
    pub identity: String,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub traceparent: String,
}

/// What storing a job answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The job's id. Where another job held the unique key, that one's.
    pub id: Uuid,
    /// Whether another job held the unique key, so that none was added.
    pub is_duplicate: bool,
}
