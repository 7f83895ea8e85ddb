//! Looking at runs that were recorded.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{Result, db::Db};

macro_rules! columns {
    () => {
        "id, action, door, trace_id, attempt, status, started_at, duration_us, http_status, error_code, error, input, output"
    };
}

macro_rules! latest {
    ($condition:literal) => {
        concat!("SELECT ", columns!(), " FROM action_runs", $condition, " ORDER BY id DESC LIMIT $1")
    };
}

/// The runs that ended last: of all actions or of one, and those that failed or any. Each is answered by an index.
const LATEST: [[&str; 2]; 2] = [
    [latest!(""), latest!(" WHERE status <> 'succeeded'")],
    [latest!(" WHERE action = $2"), latest!(" WHERE action = $2 AND status <> 'succeeded'")],
];

/// What the recorded runs of each action took, the slowest on average first.
const SLOWEST: &str = "SELECT action, count(*) AS runs, CAST(sum(duration_us) / count(*) AS BIGINT) AS mean_us, max(duration_us) AS max_us
    FROM action_runs GROUP BY action ORDER BY mean_us DESC, action LIMIT $1";

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM action_runs WHERE id = $1");

const BY_TRACE: &str =
    concat!("SELECT ", columns!(), " FROM action_runs WHERE trace_id = $1 ORDER BY started_at, id LIMIT 1000");

const LINES: &str =
    "SELECT line, logged_at, level, target, message, fields FROM action_logs WHERE run_id = $1 ORDER BY line";

/// A run, as the table `action_runs` has it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct StoredRun {
    /// Its id.
    pub id: Uuid,
    /// The full name of the action.
    pub action: String,
    /// The door, by its name.
    pub door: String,
    /// The W3C trace id, as 32 digits.
    pub trace_id: String,
    /// The last attempt, from 1.
    pub attempt: i32,
    /// How it ended.
    pub status: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// The status of the answer over HTTP.
    pub http_status: Option<i32>,
    /// The stable code of the error.
    pub error_code: Option<String>,
    /// The text of the error.
    pub error: Option<String>,
    /// The input as JSON, where inputs are recorded.
    pub input: Option<String>,
    /// The answer as JSON, where answers are recorded.
    pub output: Option<String>,
}

/// What a run logged, as the table `action_logs` has it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct StoredLine {
    /// Its place among the lines of its run, from 1.
    pub line: i32,
    /// When.
    pub logged_at: DateTime<Utc>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// Where in the code.
    pub target: String,
    /// What it says.
    pub message: String,
    /// Its fields, as one JSON object.
    pub fields: Option<String>,
}

/// What the recorded runs of one action took.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct ActionTimes {
    /// The full name of the action.
    pub action: String,
    /// How many runs are recorded.
    pub runs: i64,
    /// How long they took on average, in microseconds.
    pub mean_us: i64,
    /// How long the longest took, in microseconds.
    pub max_us: i64,
}

/// Returns the actions whose recorded runs took longest on average. Where successes are sampled (`persistence.sample`), slow runs weigh
/// more than they should: those are all recorded.
///
/// # Errors
/// Those of the database.
pub async fn slowest(db: &Db, limit: u32) -> Result<Vec<ActionTimes>> {
    db.sql(SLOWEST).bind(i64::from(limit)).all().await
}

/// Returns the latest runs, the newest first: of one action, and only those that did not succeed, where that is said.
///
/// # Errors
/// Those of the database.
pub async fn latest(db: &Db, action: Option<&str>, unsuccessful: bool, limit: u32) -> Result<Vec<StoredRun>> {
    let statement = db.sql(LATEST[usize::from(action.is_some())][usize::from(unsuccessful)]).bind(i64::from(limit));
    match action {
        Some(action) => statement.bind(action).all().await,
        None => statement.all().await,
    }
}

/// Returns the run of this id, or the runs of this trace, in the order in which they began: both have 32 digits.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &Db, id: Uuid) -> Result<Vec<StoredRun>> {
    let runs: Vec<StoredRun> = db.sql(BY_ID).bind(id).all().await?;
    if !runs.is_empty() {
        return Ok(runs);
    }
    db.sql(BY_TRACE).bind(id.simple().to_string()).all().await
}

/// Returns what a run logged, in order.
///
/// # Errors
/// Those of the database.
pub async fn lines(db: &Db, run: Uuid) -> Result<Vec<StoredLine>> {
    db.sql(LINES).bind(run).all().await
}
