//! What is measured.

use std::sync::Arc;

use super::{data::Remote, telemetry::Telemetry};
use crate::{
    config::{Access, Config},
    context::Services,
    events,
    http::builtin::{self, Builtin},
    observe::Metrics,
    queue,
};

/// Makes the metrics of a process. Where nobody may read them nothing is measured.
pub(super) fn open(config: &Config) -> Metrics {
    if config.metrics.access == Access::Off {
        return Metrics::off();
    }
    let metrics = Metrics::new(config.metrics.latency_buckets.clone());
    metrics.build(&config.app.name, &config.app.version);
    if config.metrics.include_default_metrics {
        metrics.process();
    }
    metrics
}

/// Has every service register what it measures, those of the shards together with those of the main database. A service that measures
/// something adds its line here. `queues` are those that are there although nothing waits in them.
pub(super) fn register(
    services: &Services,
    shards: &[Arc<Services>],
    remote: &Remote,
    telemetry: &Telemetry,
    queues: Vec<String>,
) {
    let metrics = &services.metrics;
    let databases: Vec<_> = shards.iter().map(|services| services.db.clone()).collect();
    services.db.measure(metrics, &databases);
    remote.measure(metrics);
    services.recorder.measure(metrics);
    telemetry.measure(metrics);
    let all = || std::iter::once(services).chain(shards.iter().map(|shard| &**shard));
    queue::measure(metrics, all().map(|services| &services.jobs), queues);
    events::measure(metrics, all().map(|services| &services.events));
}

/// Returns the endpoint that serves what is measured, where anything is.
pub(super) fn endpoint(config: &Config, metrics: &Metrics) -> Option<Builtin> {
    (config.metrics.access != Access::Off).then(|| builtin::metrics(metrics.clone(), config.metrics.max_age))
}
