//! Metrics: what a process measures, in one registry, and its text for whoever collects it.
//!
//! Here: [`Metrics`], and the words in which a room registers what it measures: a counter, a histogram of times, numbers that are read when
//! they are asked for. Each room keeps the handles that it got, with their labels resolved, so that measuring looks nothing up. Not here: what
//! is measured (each room says that of itself, and `app` calls them one after the other), who may read it (`http`).
//!
//! Names are `bunbase_…`, in the unit that they end with. Labels have few values that are known beforehand: names of actions and templates
//! of routes, never paths, ids or texts.

mod numbers;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
pub(crate) mod redact;
pub mod trace;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use prometheus_client::{
    encoding::text,
    metrics::{counter, family::Family, histogram},
    registry::Registry,
};

use self::numbers::Numbers;

/// The media type of [`Metrics::text`]: OpenMetrics 1.0.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long somebody who reads metrics waits for those that others have to be asked for.
const PATIENCE: Duration = Duration::from_millis(250);

/// The metrics of a process. Cheap to clone; a clone is the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    /// The upper bounds of the buckets of times, in milliseconds.
    buckets_ms: Vec<f64>,
    /// What is done before metrics are read.
    first: Mutex<Vec<Ask>>,
}

type Ask = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Something that is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(counter::Counter);

/// Times, counted by how long they were.
#[derive(Clone, Debug)]
pub(crate) struct Durations(histogram::Histogram);

/// The names and values of one set of labels.
pub(crate) type Labels = Vec<(&'static str, &'static str)>;

impl Metrics {
    /// Makes an empty registry. `buckets_ms` are the upper bounds of the buckets of times, in milliseconds, ascending.
    pub fn new(buckets_ms: Vec<f64>) -> Self {
        Self(Arc::new(Inner { registry: Mutex::default(), buckets_ms, first: Mutex::default() }))
    }

    /// Returns all metrics as they are now, in the text format of OpenMetrics (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = text::encode(&mut text, &self.registry());
        text
    }

    /// As [`text`](Self::text), after those were asked who have to ask others: for at most 250 ms, and then with what they knew before.
    pub(crate) async fn current(&self) -> String {
        let asked: Vec<_> = self.first().iter().map(|ask| ask()).collect();
        if !asked.is_empty() {
            let _ = tokio::time::timeout(PATIENCE, join_all(asked)).await;
        }
        self.text()
    }

    /// Registers what is to be asked for before metrics are read. It limits by itself how often it asks, and may be dropped when it takes long.
    #[cfg(any(test, feature = "redis"))]
    pub(crate) fn ask_first(&self, ask: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.first().push(Box::new(ask));
    }

    /// Registers a counter; its name gets `_total`.
    pub(crate) fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        let counter = Counter::default();
        self.registry().register(name, sentence(help), counter.0.clone());
        counter
    }

    /// Registers times, one histogram for each set of labels, and returns them in that order. `name` ends with `_ms`.
    pub(crate) fn durations<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [Labels; N],
    ) -> [Durations; N] {
        let buckets = self.0.buckets_ms.clone();
        let family = Family::<Labels, histogram::Histogram, _>::new_with_constructor(move || {
            histogram::Histogram::new(buckets.iter().copied())
        });
        self.registry().register(name, sentence(help), family.clone());
        labels.map(|labels| Durations(family.get_or_create_owned(&labels)))
    }

    /// Registers numbers that go up and down, read whenever somebody collects: pairs of labels and values.
    pub(crate) fn gauges(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, u64)> + Send + Sync + 'static,
    ) {
        self.registry().register_collector(Box::new(Numbers::gauges(name, help, read)));
    }

    /// As [`gauges`](Self::gauges), for numbers that only go up; the name gets `_total`.
    pub(crate) fn counts(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, u64)> + Send + Sync + 'static,
    ) {
        self.registry().register_collector(Box::new(Numbers::counts(name, help, read)));
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> MutexGuard<'_, Vec<Ask>> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    /// Counts one more.
    pub(crate) fn count(&self) {
        self.0.inc();
    }
}

impl Durations {
    /// Takes in a time.
    pub(crate) fn add(&self, duration: std::time::Duration) {
        self.0.observe(duration.as_secs_f64() * 1000.0);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The library ends a help text with a full stop itself.
fn sentence(help: &str) -> &str {
    help.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_registered_and_measured_is_in_the_text() {
        let metrics = Metrics::new(vec![1.0, 10.0]);
        let lost = metrics.counter("bunbase_lost", "What was lost");
        lost.count();
        let [fast, slow] =
            metrics.durations("bunbase_wait_ms", "Waits", [vec![("kind", "fast")], vec![("kind", "slow")]]);
        fast.add(Duration::from_micros(500));
        slow.add(Duration::from_millis(20));
        metrics.gauges("bunbase_places", "Places", || vec![(vec![("state", "idle")], 3)]);
        metrics.counts("bunbase_seen", "Seen", || vec![(vec![("result", "kept")], 7)]);
        let text = metrics.clone().text();
        for line in [
            "# TYPE bunbase_lost counter",
            "bunbase_lost_total 1",
            "bunbase_wait_ms_bucket{le=\"1.0\",kind=\"fast\"} 1",
            "bunbase_wait_ms_bucket{le=\"10.0\",kind=\"slow\"} 0",
            "bunbase_wait_ms_bucket{le=\"+Inf\",kind=\"slow\"} 1",
            "# TYPE bunbase_places gauge",
            "bunbase_places{state=\"idle\"} 3",
            "bunbase_seen_total{result=\"kept\"} 7",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[tokio::test]
    async fn who_reads_does_not_wait_for_whoever_does_not_answer() {
        let metrics = Metrics::new(vec![1.0]);
        let asked = metrics.counter("bunbase_asked", "Asked");
        metrics.ask_first(move || {
            asked.count();
            std::future::pending().boxed()
        });
        let began = Instant::now();
        assert!(metrics.current().await.contains("bunbase_asked_total 1"));
        assert!(began.elapsed() < 20 * PATIENCE, "{:?}", began.elapsed());
    }
}
