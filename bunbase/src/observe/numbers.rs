//! Numbers that somebody else keeps, read when they are collected.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::Labels;

type Read = Box<dyn Fn() -> Vec<(Labels, u64)> + Send + Sync>;

/// One metric and how its values are read.
pub(super) struct Numbers {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    read: Read,
}

impl Numbers {
    pub(super) fn gauges(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, u64)> + Send + Sync + 'static,
    ) -> Self {
        Self { name, help, kind: MetricType::Gauge, read: Box::new(read) }
    }

    pub(super) fn counts(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, u64)> + Send + Sync + 'static,
    ) -> Self {
        Self { name, help, kind: MetricType::Counter, read: Box::new(read) }
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (labels, value) in (self.read)() {
            let family = metric.encode_family(&labels)?;
            match self.kind {
                MetricType::Counter => ConstCounter::new(value).encode(family)?,
                _ => ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(family)?,
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
