//! Handles of what is measured: each is one series, made when it is measured first, or at once.

use std::{
    borrow::{Borrow, Cow},
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::metrics::{
    counter,
    exemplar::HistogramWithExemplars,
    family::{Family, MetricConstructor},
    gauge,
};

/// The names and values of one set of labels.
pub(crate) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// Makes labels whose values are known when this is compiled.
pub(crate) fn labels<const N: usize>(pairs: [(&'static str, &'static str); N]) -> Labels {
    pairs.map(|(name, value)| (name, Cow::Borrowed(value))).to_vec()
}

/// What an exemplar says: the trace.
pub(super) type Exemplar = [(&'static str, String); 1];

pub(super) type Histogram = HistogramWithExemplars<Exemplar>;

/// The upper bounds of the buckets of times, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Buckets(pub(super) Arc<[f64]>);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// All series of one name that count; nothing where nothing is measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters(pub(super) Option<Family<Labels, counter::Counter>>);

/// All series of one name that go up and down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges(pub(super) Option<Family<Labels, gauge::Gauge>>);

/// All series of one name that count times by how long they were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histograms(pub(super) Option<Family<Labels, Histogram, Buckets>>);

/// Something that is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Option<Arc<Series<counter::Counter>>>);

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Option<gauge::Gauge>);

/// Times, counted by how long they were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations(Option<Arc<Series<Histogram, Buckets>>>);

/// One series, in its family from its first use on.
struct Series<M, C = fn() -> M> {
    family: Family<Labels, M, C>,
    labels: Labels,
    metric: OnceLock<M>,
}

impl<M: Clone, C: MetricConstructor<M>> Series<M, C> {
    fn new(family: &Family<Labels, M, C>, labels: Labels) -> Arc<Self>
    where
        C: Clone,
    {
        Arc::new(Self { family: family.clone(), labels, metric: OnceLock::new() })
    }

    fn metric(&self) -> &M {
        self.metric.get_or_init(|| self.family.get_or_create_owned(&self.labels))
    }
}

impl<M, C> fmt::Debug for Series<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Counters {
    /// Returns the series of these labels, which is there from its first count on.
    pub(crate) fn of(&self, labels: Labels) -> Counter {
        Counter(self.0.as_ref().map(|family| Series::new(family, labels)))
    }

    /// Returns the series of these labels, which is there at once, at zero.
    pub(crate) fn at_zero(&self, labels: Labels) -> Counter {
        let counter = self.of(labels);
        counter.show();
        counter
    }
}

impl Gauges {
    /// Returns the series of these labels.
    pub(crate) fn of(&self, labels: &Labels) -> Gauge {
        Gauge(self.0.as_ref().map(|family| family.get_or_create_owned(labels)))
    }
}

impl Histograms {
    /// Returns the series of these labels, which is there from its first time on.
    pub(crate) fn of(&self, labels: Labels) -> Durations {
        Durations(self.0.as_ref().map(|family| Series::new(family, labels)))
    }
}

impl Counter {
    /// Has the series be there, at zero.
    pub(crate) fn show(&self) {
        if let Some(series) = &self.0 {
            series.metric();
        }
    }

    /// Counts one more.
    pub(crate) fn count(&self) {
        self.count_many(1);
    }

    /// Counts so many more.
    pub(crate) fn count_many(&self, more: u64) {
        if let Some(series) = &self.0 {
            series.metric().inc_by(more);
        }
    }
}

impl Gauge {
    /// Counts one until the answer is dropped.
    pub(crate) fn enter(&self) -> Entered<&Self> {
        self.inc();
        Entered(self)
    }

    /// As [`enter`](Self::enter), for as long as is wanted.
    pub(crate) fn enter_for_long(&self) -> Entered<Self> {
        self.inc();
        Entered(self.clone())
    }

    fn inc(&self) {
        if let Some(gauge) = &self.0 {
            gauge.inc();
        }
    }
}

/// One that a gauge counts, until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered<G: Borrow<Gauge>>(G);

impl<G: Borrow<Gauge>> Drop for Entered<G> {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0.borrow().0 {
            gauge.dec();
        }
    }
}

impl Durations {
    /// Takes in a time.
    pub(crate) fn add(&self, duration: Duration) {
        self.add_of(duration, None);
    }

    /// Takes in a time, and the trace that one can look at to see why it was so long.
    pub(crate) fn add_of(&self, duration: Duration, trace: Option<&dyn fmt::Display>) {
        if let Some(series) = &self.0 {
            let exemplar = trace.map(|trace| [("trace_id", trace.to_string())]);
            series.metric().observe(duration.as_secs_f64() * 1000.0, exemplar, None);
        }
    }
}
