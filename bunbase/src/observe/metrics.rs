//! The registry of a process.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use prometheus_client::{
    encoding::{prometheus_text, text},
    metrics::{MetricType, family::Family},
    registry::{Metric, Registry},
};

use super::{
    Counters, Gauges, Histograms, Labels,
    numbers::{Numbers, Value},
    series::Buckets,
};

/// How long somebody who reads metrics waits for those that others have to be asked for.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// The metrics of a process: what the framework measures, and what the application does. Cheap to clone; a clone is the same.
///
/// The application's own are made by name, with the labels that tell their series apart:
///
/// ```
/// # use bunbase::observe::{Format, Metrics};
/// # let metrics = Metrics::new(vec![1.0, 10.0]);
/// let sold = metrics.counter("shop_sold", "Things that were sold");
/// sold.add(3, &[("kind", "book")]);
/// assert!(metrics.text(Format::Prometheus).contains("shop_sold_total{kind=\"book\"} 3"));
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    /// The upper bounds of the buckets of times, in milliseconds.
    buckets_ms: Arc<[f64]>,
    /// Whether the framework measures.
    is_on: bool,
    /// What is done before metrics are read.
    first: Mutex<Vec<Ask>>,
    /// The families by their names: who registers one again gets the same.
    families: Mutex<HashMap<String, Box<dyn Any + Send + Sync>>>,
}

type Ask = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How metrics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>): what is answered
    /// to whoever does not ask for the other one. Without exemplars, which it has not.
    #[default]
    Prometheus,
    /// The text format of OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), with the ids of traces as
    /// exemplars of times.
    OpenMetrics,
}

impl Format {
    /// Returns the media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Chooses by the `Accept` header of a request: the one that is asked for more, Prometheus' where neither is.
    pub fn accepted(accept: Option<&str>) -> Self {
        let weight = |wanted: &str| {
            let ranges = accept.unwrap_or_default().split(',').map(|range| range.split(';').map(str::trim));
            let weights = ranges.filter_map(|mut parts| {
                let is_wanted = parts.next()?.eq_ignore_ascii_case(wanted);
                let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
                quality.filter(|_| is_wanted)
            });
            weights.fold(0.0_f32, f32::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") { Self::OpenMetrics } else { Self::Prometheus }
    }
}

impl Metrics {
    /// Makes an empty registry. `buckets_ms` are the upper bounds of the buckets of times, in milliseconds, ascending.
    pub fn new(buckets_ms: Vec<f64>) -> Self {
        Self::make(buckets_ms, true)
    }

    /// Makes one that nobody reads: the framework measures nothing.
    pub fn off() -> Self {
        Self::make(Vec::new(), false)
    }

    fn make(buckets_ms: Vec<f64>, is_on: bool) -> Self {
        Self(Arc::new(Inner {
            registry: Mutex::default(),
            buckets_ms: buckets_ms.into(),
            is_on,
            first: Mutex::default(),
            families: Mutex::default(),
        }))
    }

    /// Returns whether anything is measured.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_on
    }

    /// Returns all metrics as they are now.
    pub fn text(&self, format: Format) -> String {
        let mut written = String::new();
        let registry = self.registry();
        // Writing to a `String` cannot fail.
        let _ = match format {
            Format::Prometheus => prometheus_text::encode(&mut written, &registry),
            Format::OpenMetrics => text::encode(&mut written, &registry),
        };
        written
    }

    /// As [`text`](Self::text), after those were asked who have to ask others: for at most 250 ms, and then with what they knew before.
    pub(crate) async fn current(&self, format: Format) -> String {
        let asked: Vec<_> = self.first().iter().map(|ask| ask()).collect();
        if !asked.is_empty() {
            let _ = tokio::time::timeout(PATIENCE, join_all(asked)).await;
        }
        self.text(format)
    }

    /// Gives the registry itself to the application, for metrics of `prometheus_client` that it makes by itself. Who reads metrics
    /// waits meanwhile.
    ///
    /// ```
    /// # use bunbase::observe::Metrics;
    /// use bunbase::prometheus_client::metrics::gauge::Gauge;
    ///
    /// # let metrics = Metrics::new(vec![1.0, 10.0]);
    /// let stock = Gauge::<i64>::default();
    /// metrics.register(|registry| registry.register("shop_stock", "Things in stock", stock.clone()));
    /// stock.set(12);
    /// ```
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry());
    }

    /// Registers what is to be asked for before metrics are read. It limits by itself how often it asks, and may be dropped when it takes long.
    pub(super) fn ask_first(&self, ask: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        if self.is_on() {
            self.first().push(Box::new(ask));
        }
    }

    /// Returns what is counted under a name, which gets `_total`.
    pub(crate) fn counters(&self, name: &'static str, help: &'static str) -> Counters {
        Counters(self.is_on().then(|| self.family(name, help, twice)).flatten())
    }

    /// Returns what goes up and down under a name.
    pub(crate) fn moving(&self, name: &'static str, help: &'static str) -> Gauges {
        Gauges(self.is_on().then(|| self.family(name, help, twice)).flatten())
    }

    /// Returns the times under a name, which ends with `_ms`.
    pub(crate) fn histograms(&self, name: &'static str, help: &'static str) -> Histograms {
        let times = || {
            let times = self.times();
            (times.clone(), times)
        };
        Histograms(self.is_on().then(|| self.family(name, help, times)).flatten())
    }

    /// Makes a family of times.
    pub(super) fn times<L: Clone + std::hash::Hash + Eq>(&self) -> Family<L, super::series::Histogram, Buckets> {
        Family::new_with_constructor(Buckets(self.0.buckets_ms.clone()))
    }

    /// Registers numbers that go up and down, read whenever somebody collects: pairs of labels and values.
    pub(crate) fn gauges<V: Into<Value> + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, V)> + Send + Sync + 'static,
    ) {
        self.numbers((name, help), MetricType::Gauge, read);
    }

    /// As [`gauges`](Self::gauges), for numbers that only go up; the name gets `_total`.
    pub(crate) fn counts<V: Into<Value> + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, V)> + Send + Sync + 'static,
    ) {
        self.numbers((name, help), MetricType::Counter, read);
    }

    fn numbers<V: Into<Value> + 'static>(
        &self,
        (name, help): (&'static str, &'static str),
        kind: MetricType,
        read: impl Fn() -> Vec<(Labels, V)> + Send + Sync + 'static,
    ) {
        if self.is_on() {
            self.registry().register_collector(Box::new(Numbers::new((name, help), kind, read)));
        }
    }

    /// Returns the handle of a name, registered when it is asked for first; `None` where the name is another's. `make` makes the
    /// handle and what is registered.
    pub(super) fn family<H: Clone + Any + Send + Sync, M: Metric>(
        &self,
        name: &str,
        help: &str,
        make: impl FnOnce() -> (H, M),
    ) -> Option<H> {
        let mut families = self.0.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get(name) {
            return family.downcast_ref::<H>().cloned();
        }
        let (handle, metric) = make();
        // The library ends a help text with a full stop itself.
        self.registry().register(name, help.trim_end_matches('.'), metric);
        families.insert(name.to_owned(), Box::new(handle.clone()));
        Some(handle)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> MutexGuard<'_, Vec<Ask>> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a family, and the same once more.
fn twice<M: Clone + Default>() -> (Family<Labels, M>, Family<Labels, M>) {
    let family = Family::default();
    (family.clone(), family)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}
