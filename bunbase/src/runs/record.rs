//! One run, as it is remembered.

use std::{borrow::Cow, fmt, time::Duration};

use chrono::{DateTime, Utc};

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

/// One run of an action. Inputs and outputs are not part of it.
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
    /// When it began, by the application's clock.
    pub started_at: DateTime<Utc>,
    /// How long it took, all attempts and waits included.
    pub duration: Duration,
    /// The status of the answer over HTTP.
    pub http_status: Option<u16>,
    /// The stable code of the error.
    pub error_code: Option<Cow<'static, str>>,
    /// The text of the error, as the caller got it.
    pub error: Option<String>,
}
