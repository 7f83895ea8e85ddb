//! Metrics of the application's own.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
    },
    registry::Metric,
};

use super::{
    Metrics,
    bounded::Room,
    series::{Buckets, Histogram},
};

/// How many series one name may have: what comes beyond them is counted under `other`.
const SERIES: usize = 1000;

/// What begins the names that the framework keeps for itself.
const RESERVED: [&str; 2] = ["bunbase_", "process_"];

type OwnLabels = Vec<(String, String)>;

/// The series of one name, as many as there is room for.
#[derive(Clone)]
struct Bounded<M, C = fn() -> M> {
    family: Family<OwnLabels, M, C>,
    room: Arc<Room>,
}

impl<M: Clone, C: MetricConstructor<M>> Bounded<M, C> {
    /// Does something with the series of these labels, or with the one for all others.
    fn with<R>(this: Option<&Self>, labels: &[(&str, &str)], f: impl FnOnce(&M) -> R) {
        let Some(Self { family, room }) = this else { return };
        let own: OwnLabels = labels.iter().map(|(name, value)| (label_name(name), (*value).to_owned())).collect();
        if let Some(metric) = family.get(&own) {
            f(&metric);
            return;
        }
        let others = |(name, _)| (name, "other".to_owned());
        let own = if room.take() { own } else { own.into_iter().map(others).collect() };
        f(&family.get_or_create(&own));
    }
}

/// Something that an application counts. Cheap to clone; keep it in the state to look up nothing.
#[derive(Clone)]
pub struct OwnCounter(Option<Bounded<Counter>>);

/// A number of an application that goes up and down. Cheap to clone.
#[derive(Clone)]
pub struct OwnGauge(Option<Bounded<Gauge<f64, AtomicU64>>>);

/// Times of an application, counted in the buckets of `metrics.latency_buckets`. Cheap to clone.
#[derive(Clone)]
pub struct OwnHistogram(Option<Bounded<Histogram, Buckets>>);

impl Metrics {
    /// Returns what is counted under a name; `_total` is added to it. Who asks again gets the same.
    ///
    /// A name has ASCII letters, digits and `_`, begins with no digit, and neither with `bunbase_` nor `process_`. Nothing is counted
    /// under another name, or under one that is already of something else; the log says so. A name has at most 1000 series; what
    /// comes with further labels is counted with `other` as their values.
    pub fn counter(&self, name: &str, help: &str) -> OwnCounter {
        OwnCounter(self.own(name, help, Family::default))
    }

    /// Returns what goes up and down under a name; see [`counter`](Self::counter).
    pub fn gauge(&self, name: &str, help: &str) -> OwnGauge {
        OwnGauge(self.own(name, help, Family::default))
    }

    /// Returns the times under a name, in milliseconds, so it should end with `_ms`; see [`counter`](Self::counter).
    pub fn histogram(&self, name: &str, help: &str) -> OwnHistogram {
        OwnHistogram(self.own(name, help, || self.times()))
    }

    fn own<M, C>(&self, name: &str, help: &str, make: impl FnOnce() -> Family<OwnLabels, M, C>) -> Option<Bounded<M, C>>
    where
        Family<OwnLabels, M, C>: Metric + Clone,
        Bounded<M, C>: Clone + Send + Sync + 'static,
    {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = name.chars().all(is_fine) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty();
        if !is_name || RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
            tracing::warn!(name, "this is no name of a metric of the application's own; nothing is measured under it");
            return None;
        }
        let family = self.family(name, help, || {
            let family = make();
            (Bounded { family: family.clone(), room: Arc::new(Room::new(SERIES)) }, family)
        });
        if family.is_none() {
            tracing::warn!(name, "this metric is already of another kind; nothing is measured under it here");
        }
        family
    }
}

impl OwnCounter {
    /// Counts one more.
    pub fn inc(&self, labels: &[(&str, &str)]) {
        self.add(1, labels);
    }

    /// Counts so many more.
    pub fn add(&self, more: u64, labels: &[(&str, &str)]) {
        Bounded::with(self.0.as_ref(), labels, |metric| metric.inc_by(more));
    }
}

impl OwnGauge {
    /// Sets it.
    pub fn set(&self, value: f64, labels: &[(&str, &str)]) {
        Bounded::with(self.0.as_ref(), labels, |metric| metric.set(value));
    }

    /// Adds to it; a negative number takes away.
    pub fn add(&self, more: f64, labels: &[(&str, &str)]) {
        Bounded::with(self.0.as_ref(), labels, |metric| metric.inc_by(more));
    }
}

impl OwnHistogram {
    /// Takes in a time.
    pub fn observe(&self, time: Duration, labels: &[(&str, &str)]) {
        Bounded::with(self.0.as_ref(), labels, |metric| metric.observe(time.as_secs_f64() * 1000.0, None, None));
    }
}

/// Returns a label's name with `_` for what it may not have.
fn label_name(name: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fine: String = name.chars().map(|c| if is_fine(c) { c } else { '_' }).collect();
    if fine.is_empty() || fine.starts_with(|c: char| c.is_ascii_digit()) { format!("_{fine}") } else { fine }
}

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

debug!(OwnCounter OwnGauge OwnHistogram);
