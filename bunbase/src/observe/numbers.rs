//! Numbers that somebody else keeps, read when they are collected.

use std::{fmt, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::Labels;

/// What reads the values of all series of one name.
type Read = Box<dyn Fn() -> Vec<(Labels, Value)> + Send + Sync>;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// A count.
    Whole(u64),
    /// A measurement.
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<Duration> for Value {
    /// In seconds.
    fn from(value: Duration) -> Self {
        Self::Real(value.as_secs_f64())
    }
}

/// One metric and how its values are read. Without a value it is not there.
pub(super) struct Numbers {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    read: Read,
}

impl Numbers {
    pub(super) fn new<V: Into<Value>>(
        (name, help): (&'static str, &'static str),
        kind: MetricType,
        read: impl Fn() -> Vec<(Labels, V)> + Send + Sync + 'static,
    ) -> Self {
        let read = move || read().into_iter().map(|(labels, value)| (labels, value.into())).collect();
        Self { name, help, kind, read: Box::new(read) }
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let values = (self.read)();
        if values.is_empty() {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (labels, value) in values {
            let family = metric.encode_family(&labels)?;
            match (self.kind, value) {
                (MetricType::Counter, Value::Whole(value)) => ConstCounter::new(value).encode(family)?,
                (MetricType::Counter, Value::Real(value)) => ConstCounter::new(value).encode(family)?,
                (_, Value::Whole(value)) => ConstGauge::new(value).encode(family)?,
                (_, Value::Real(value)) => ConstGauge::new(value).encode(family)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbers").field("name", &self.name).finish_non_exhaustive()
    }
}
