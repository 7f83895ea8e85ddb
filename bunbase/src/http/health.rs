//! `/_health`, `/_health/live` and `/_health/ready`.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use tokio::sync::Mutex;

/// One check: answers, with what `/_health` shows of it if there is more to say, or says what is wrong.
pub type HealthCheck =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Option<Value>, String>> + Send>> + Send + Sync>;

/// Something that `/_health` shows besides its checks; `None` when it is not known.
pub type HealthFact = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Value>> + Send>> + Send + Sync>;

/// What is known, by name, as it is written.
type Facts = Arc<BTreeMap<String, Box<RawValue>>>;

/// How long facts are shown before they are asked for again: they may cost more than a check.
const FACTS_FRESH_FOR: Duration = Duration::from_secs(5);

/// The longest that one check may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The checks of an application and the last result, which all probes within `max_age` share.
pub struct Health {
    checks: Vec<(&'static str, HealthCheck)>,
    /// Of what the application can do without: they are shown, and it stays ready.
    dispensable: Vec<(&'static str, HealthCheck)>,
    max_age: Duration,
    started: Instant,
    stopping: AtomicBool,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    facts: Vec<(&'static str, HealthFact)>,
    last_facts: Mutex<Option<(Instant, Facts)>>,
}

/// What `/_health` answers.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) status: &'static str,
    /// Whether all that it cannot do without is there.
    pub(crate) is_ready: bool,
    /// The results of all checks, as they are written.
    pub(crate) checks: Box<RawValue>,
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct CheckReport {
    name: &'static str,
    status: &'static str,
    latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl Health {
    /// Collects the checks; a result is shared for at most `max_age`, zero turns that off.
    pub fn new(checks: Vec<(&'static str, HealthCheck)>, max_age: Duration) -> Self {
        let dispensable = Vec::new();
        Self {
            checks,
            dispensable,
            max_age,
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            last: Mutex::default(),
            facts: Vec::new(),
            last_facts: Mutex::default(),
        }
    }

    /// Adds checks of what the application can do without: when one fails, it is `degraded` and stays ready.
    #[must_use]
    pub fn with_dispensable(mut self, checks: Vec<(&'static str, HealthCheck)>) -> Self {
        self.dispensable = checks;
        self
    }

    /// Adds what is shown to those who see the details, and decides nothing. It is asked for at most every five seconds.
    #[must_use]
    pub fn with_facts(mut self, facts: Vec<(&'static str, HealthFact)>) -> Self {
        self.facts = facts;
        self
    }

    /// From now on the application is not ready: it is about to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Runs all checks, or returns a result that is young enough, with its age.
    pub(crate) async fn report(&self) -> (Arc<Report>, Duration) {
        // Held while checking: probes that come together share one result instead of making load.
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < self.max_age
        {
            return (report.clone(), at.elapsed());
        }
        let all = self.checks.iter().chain(&self.dispensable);
        let checks = futures_util::future::join_all(all.map(|(name, check)| run(name, check))).await;
        let is_well = |check: &CheckReport| check.error.is_none();
        let is_ready = checks.iter().take(self.checks.len()).all(is_well);
        let status = if checks.iter().all(is_well) { "ok" } else { "degraded" };
        let report = Arc::new(Report { status, is_ready, checks: written(&checks) });
        *last = Some((Instant::now(), report.clone()));
        (report, Duration::ZERO)
    }
}

impl Health {
    /// Asks for all facts, or returns those that are young enough. One that is not known is left out.
    pub(crate) async fn facts(&self) -> Facts {
        let mut last = self.last_facts.lock().await;
        if let Some((at, facts)) = last.as_ref()
            && at.elapsed() < FACTS_FRESH_FOR.min(self.max_age.saturating_mul(5))
        {
            return facts.clone();
        }
        let one = async |(name, fact): &(&'static str, HealthFact)| {
            let asking = AssertUnwindSafe(async { fact().await }).catch_unwind();
            let answer = tokio::time::timeout(PATIENCE, asking).await.ok()?.ok()??;
            Some(((*name).to_owned(), written(&answer)))
        };
        let facts = futures_util::future::join_all(self.facts.iter().map(one)).await;
        let facts = Arc::new(facts.into_iter().flatten().collect::<BTreeMap<_, _>>());
        *last = Some((Instant::now(), facts.clone()));
        facts
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("checks", &self.checks.len()).finish_non_exhaustive()
    }
}

/// Writes what all who ask share. There is nothing in it that JSON has no words for.
fn written(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_default()
}

async fn run(name: &'static str, check: &HealthCheck) -> CheckReport {
    let started = Instant::now();
    let checking = AssertUnwindSafe(async { check().await }).catch_unwind();
    let (details, error) = match tokio::time::timeout(PATIENCE, checking).await {
        Ok(Ok(Ok(details))) => (details, None),
        Ok(Ok(Err(error))) => (None, Some(error)),
        Ok(Err(_)) => (None, Some("the check panicked".to_owned())),
        Err(_) => (None, Some(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    CheckReport {
        name,
        status: if error.is_none() { "ok" } else { "error" },
        latency_ms: (started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        error,
        details,
    }
}
