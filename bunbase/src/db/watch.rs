//! What is seen of statements: how long they take, which of them are slow, which repeat.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    Settings,
    scan::{self, Operation},
};
use crate::observe::{
    Counter, Durations, Labels, Metrics, labels,
    trace::{self, Kind},
};

/// What watches the statements of a database.
#[derive(Debug)]
pub(super) struct Watch {
    slow: Option<Duration>,
    explains: bool,
    measures: OnceLock<Measures>,
    place: Place,
}

/// Which database it is, as spans say it.
#[derive(Debug)]
struct Place {
    system: &'static str,
    namespace: Option<String>,
    server: Option<(String, Option<u16>)>,
}

/// Handles of the metrics, with their labels resolved.
#[derive(Clone, Debug)]
struct Measures {
    durations: [Durations; OPERATIONS.len() * SERVERS.len()],
    waits: Durations,
    timeouts: Counter,
}

const OPERATIONS: [&str; 5] = ["select", "insert", "update", "delete", "other"];
const SERVERS: [&str; 2] = ["primary", "replica"];

/// Who answered a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Primary = 0,
    Replica = 1,
}

/// A statement that has ended.
pub(super) struct Seen<'a> {
    pub(super) sql: &'a str,
    pub(super) server: Server,
    pub(super) took: Duration,
    /// How many rows it answered or changed, where that is known.
    pub(super) rows: Option<u64>,
    pub(super) run: Option<&'a Run>,
    pub(super) failed: bool,
}

/// The run that a statement belongs to, as the log names it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    action: &'static str,
    /// The trace id as a number.
    trace: u128,
    repeats: Option<Arc<Repeats>>,
}

/// How often a run has run each statement.
#[derive(Debug)]
struct Repeats {
    most: u32,
    counts: Mutex<HashMap<String, u32>>,
    is_told: AtomicBool,
}

impl Run {
    /// A run of an action. `most` is how often it may repeat a statement before the log says so; 0 counts nothing.
    pub(crate) fn new(action: &'static str, trace: u128, most: u32) -> Self {
        let repeats = || Repeats { most, counts: Mutex::default(), is_told: AtomicBool::new(false) };
        Self { action, trace, repeats: (most > 0).then(|| Arc::new(repeats())) }
    }

    fn repeat(&self, sql: &str) {
        let Some(repeats) = &self.repeats else { return };
        if repeats.is_told.load(Ordering::Relaxed) {
            return;
        }
        let sql = scan::masked(sql);
        let mut counts = repeats.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(sql.clone()).or_default();
        *count += 1;
        if *count > repeats.most && !repeats.is_told.swap(true, Ordering::Relaxed) {
            let (count, trace) = (*count, self.trace());
            tracing::warn!(
                target: "bunbase::db", action = self.action, trace_id = %trace, count, sql,
                "one run has run the same statement so often, maybe once for each row of another; join them, or ask for all at once"
            );
        }
    }

    fn trace(&self) -> impl fmt::Display + use<> {
        let trace = self.trace;
        fmt::from_fn(move |f| write!(f, "{trace:032x}"))
    }
}

impl Watch {
    pub(super) fn new(settings: &Settings) -> Self {
        let place = Place::of(&settings.url);
        Self { slow: settings.slow_query, explains: settings.explain_slow, measures: OnceLock::new(), place }
    }

    /// Registers what is measured of all statements, from now on.
    pub(super) fn measure(&self, metrics: &Metrics) {
        if !metrics.is_on() {
            return;
        }
        let help = "How long statements take, in milliseconds, without the wait for a connection";
        let times = metrics.histograms("bunbase_db_query_duration_ms", help);
        let durations = std::array::from_fn(|index| {
            let (operation, server) = (OPERATIONS[index / SERVERS.len()], SERVERS[index % SERVERS.len()]);
            times.of(labels([("operation", operation), ("target", server)]))
        });
        let help = "How long statements and transactions wait for a connection to Postgres, in milliseconds";
        let waits = metrics.histograms("bunbase_db_acquire_wait_ms", help).of(Labels::new());
        let timeouts = metrics.counters("bunbase_db_acquire_timeouts", "Waits for a connection that were given up");
        let timeouts = timeouts.at_zero(Labels::new());
        // A second registry would have none of these.
        let _ = self.measures.set(Measures { durations, waits, timeouts });
    }

    /// Counts into what another one has registered.
    pub(super) fn measure_as(&self, other: &Self) {
        if let Some(measures) = other.measures.get() {
            let _ = self.measures.set(measures.clone());
        }
    }

    /// Returns whether a slow SELECT is to be explained.
    pub(super) fn explains(&self) -> bool {
        self.explains
    }

    /// Returns whether nobody wants to know of statements.
    pub(super) fn is_blind(&self) -> bool {
        self.slow.is_none() && self.measures.get().is_none() && !trace::is_recording()
    }

    /// Takes in a statement, and returns whether it was slow.
    pub(super) fn note(&self, seen: &Seen<'_>) -> bool {
        if let Some(measures) = self.measures.get() {
            let operation = match scan::operation(seen.sql) {
                Operation::Select => 0,
                Operation::Insert => 1,
                Operation::Update => 2,
                Operation::Delete => 3,
                Operation::Other => 4,
            };
            measures.durations[operation * SERVERS.len() + seen.server as usize].add(seen.took);
        }
        if trace::is_recording() {
            self.place.tell(seen);
        }
        if let Some(run) = seen.run {
            run.repeat(seen.sql);
        }
        let is_slow = self.slow.is_some_and(|slow| seen.took >= slow);
        if is_slow {
            tell_slow(seen);
        }
        is_slow
    }

    /// Takes in how long somebody waited for a connection.
    pub(super) fn waited(&self, wait: Duration) {
        if let Some(measures) = self.measures.get() {
            measures.waits.add(wait);
        }
    }

    /// Takes in that somebody waited in vain.
    pub(super) fn timed_out(&self) {
        if let Some(measures) = self.measures.get() {
            measures.timeouts.count();
        }
    }
}

impl Place {
    fn of(url: &str) -> Self {
        let Ok(url) = url.parse::<url::Url>() else {
            return Self { system: "sqlite", namespace: None, server: None };
        };
        if !url.scheme().starts_with("postgres") {
            return Self { system: "sqlite", namespace: None, server: None };
        }
        let namespace = Some(url.path().trim_start_matches('/').to_owned()).filter(|name| !name.is_empty());
        let server = url.host_str().map(|host| (host.to_owned(), url.port()));
        Self { system: "postgresql", namespace, server }
    }

    /// Records a statement as a span, in the words of the semantic conventions for databases
    /// (<https://opentelemetry.io/docs/specs/semconv/database/database-spans/>, stable).
    fn tell(&self, seen: &Seen<'_>) {
        let operation = scan::first_word(seen.sql).to_ascii_uppercase();
        let mut span = trace::span(Kind::Client, || operation.clone().into()).since(seen.took);
        span.write(|span| {
            span.set("db.system.name", self.system);
            span.set("db.operation.name", operation);
            span.set("db.query.text", scan::masked(seen.sql));
            if let Some(namespace) = &self.namespace {
                span.set("db.namespace", namespace.clone());
            }
            match (&self.server, seen.server) {
                (Some((host, port)), Server::Primary) => {
                    span.set("server.address", host.clone());
                    if let Some(port) = port {
                        span.set("server.port", *port);
                    }
                }
                (_, Server::Replica) => span.set("bunbase.database", SERVERS[Server::Replica as usize]),
                _ => {}
            }
            if let Some(rows) = seen.rows {
                span.set("db.response.returned_rows", rows);
            }
            if seen.failed {
                span.failed("statement");
            }
        });
    }
}

#[cold]
fn tell_slow(seen: &Seen<'_>) {
    let duration_ms = format_args!("{:.1}", seen.took.as_secs_f64() * 1000.0).to_string();
    let (action, trace) = (seen.run.map(|run| run.action), seen.run.map(|run| run.trace().to_string()));
    tracing::warn!(
        target: "bunbase::db", action, trace_id = trace, duration_ms, rows = seen.rows, on = SERVERS[seen.server as usize],
        sql = scan::masked(seen.sql), "a slow statement"
    );
}

/// Logs the plan of a statement that was slow.
pub(super) fn tell_plan(sql: &str, run: Option<&Run>, plan: &str) {
    let (action, trace) = (run.map(|run| run.action), run.map(|run| run.trace().to_string()));
    tracing::warn!(
        target: "bunbase::db", action, trace_id = trace, sql = scan::masked(sql), plan = scan::without_strings(plan),
        "the plan of a slow statement"
    );
}
