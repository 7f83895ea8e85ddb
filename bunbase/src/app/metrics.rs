//! What is measured.

use super::{data::Remote, telemetry::Telemetry};
use crate::{
    config::{Access, Config},
    context::Services,
    db::Db,
    http::builtin::{self, Builtin},
    observe::Metrics,
};

/// Has every service register what it measures. A service that measures something adds its line here.
fn register(metrics: &Metrics, services: &Services, shards: &[Db], remote: &Remote, telemetry: &Telemetry) {
    services.db.measure(metrics, shards);
    remote.measure(metrics);
    services.recorder.measure(metrics);
    telemetry.measure(metrics);
}

/// Makes the metrics of a process, whose tenants have these databases besides, and the endpoint that serves them. Without the endpoint nothing is measured.
pub(super) fn endpoint(
    config: &Config,
    services: &Services,
    shards: &[Db],
    remote: &Remote,
    telemetry: &Telemetry,
) -> Option<Builtin> {
    if config.metrics.access == Access::Off {
        return None;
    }
    let all = Metrics::new(config.metrics.latency_buckets.clone());
    register(&all, services, shards, remote, telemetry);
    Some(builtin::metrics(all))
}
