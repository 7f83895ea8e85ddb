//! One run, as it is remembered.

use std::{borrow::Cow, fmt, time::Duration};

use chrono::{DateTime, Utc};
use tracing::Level;
use uuid::{Builder, Uuid};

use crate::clock::micros;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// It answered.
    Succeeded,
    /// It failed, or was refused.
    Failed,
    /// It took too long.
    TimedOut,
    /// It was asked to stop, or its client left.
    Cancelled,
    /// It panicked.
    Panicked,
}

impl RunStatus {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Succeeded, Self::Failed, Self::TimedOut, Self::Cancelled, Self::Panicked];

    /// Returns its name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One run of an action.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The full name of the action.
    pub action: &'static str,
    /// The door, by its name.
    pub door: &'static str,
    /// The W3C trace id.
    pub trace_id: [u8; 16],
    /// The last attempt: over HTTP, as a tool and in a call the run itself retries.
    pub attempt: u32,
    /// How it ended.
    pub status: RunStatus,
    /// When it began, by the application's clock, in microseconds of Unix time.
    pub started_us: i64,
    /// How long it took, all attempts and waits included.
    pub duration: Duration,
    /// The status of the answer over HTTP.
    pub http_status: Option<u16>,
    /// Why it did not succeed.
    pub failure: Option<Box<Failure>>,
    /// What it logged, and what it got and answered; most runs have none of it.
    pub details: Option<Box<Details>>,
}

/// The error of a run.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its stable code.
    pub code: Cow<'static, str>,
    /// Its text, as the caller got it.
    pub text: Option<String>,
}

/// What a run logged, got and answered, as far as the configuration asks for it.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Its input as JSON, without what is sensitive.
    pub input: Option<String>,
    /// Its answer as JSON, without what is sensitive.
    pub output: Option<String>,
    /// What it logged, in order.
    pub lines: Vec<LogLine>,
}

/// What a run logged at one place.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When, by the application's clock.
    pub logged_at: DateTime<Utc>,
    /// How important it is.
    pub level: Level,
    /// Where in the code; the module's path unless said.
    pub target: Cow<'static, str>,
    /// What it says.
    pub message: String,
    /// Its fields, as one JSON object.
    pub fields: Option<String>,
}

impl RunRecord {
    /// Returns about how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let failure = self.failure.as_ref().map_or(0, |failure| {
            let code = if let Cow::Owned(code) = &failure.code { code.len() } else { 0 };
            size_of::<Failure>() + code + text(&failure.text)
        });
        let details = self.details.as_ref().map_or(0, |details| {
            let lines: usize = details.lines.iter().map(LogLine::weight).sum();
            size_of::<Details>() + text(&details.input) + text(&details.output) + lines
        });
        size_of::<Self>() + failure + details
    }

    /// Returns when it ended, in milliseconds of Unix time.
    pub(super) fn ended_at(&self) -> i64 {
        self.started_us.saturating_add(self.duration_us()) / 1000
    }

    /// Returns how long it took, in microseconds.
    pub(super) fn duration_us(&self) -> i64 {
        micros(self.duration)
    }

    /// Returns whether it logged an error.
    pub(super) fn has_logged_an_error(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.lines.iter().any(|line| line.level == Level::ERROR))
    }
}

impl LogLine {
    /// Returns about how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.message.len() + self.fields.as_ref().map_or(0, String::len)
    }
}

/// Returns the id of a run that ended then, in milliseconds of Unix time: a UUID of version 7 (RFC 9562, section 5.7), whose 48 bits of time are by the
/// application's clock. The 32 in the middle of what follows are a number that counts runs (section 6.2, method 1), so that those of a millisecond are in order; the other
/// 42 are those of `rest`.
pub(super) fn id_of(ended_at: i64, mut rest: [u8; 10], number: u64) -> Uuid {
    rest[3..7].copy_from_slice(&number.to_be_bytes()[4..]);
    Builder::from_unix_timestamp_millis(u64::try_from(ended_at).unwrap_or(0), &rest).into_uuid()
}

/// Returns a level's name in the table.
pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
