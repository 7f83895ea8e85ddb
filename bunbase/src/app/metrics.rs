//! What is measured, and who may read it.

use super::data::Remote;
use crate::{
    config::Config,
    context::Services,
    db::Db,
    guard::ApiKeys,
    http::{
        builtin::Builtin,
        metrics::{Readers, metrics},
    },
    observe::Metrics,
};

/// Has every service register what it measures. A service that measures something adds its line here.
fn register(metrics: &Metrics, services: &Services, shards: &[Db], remote: &Remote) {
    services.db.measure(metrics, shards);
    remote.measure(metrics);
    services.recorder.measure(metrics);
}

/// Makes the metrics of a process, whose tenants have these databases besides, and the endpoint that serves them. Without the endpoint nothing is measured.
pub(super) fn endpoint(
    config: &Config,
    services: &Services,
    shards: &[Db],
    remote: &Remote,
) -> Option<(String, Builtin)> {
    if !config.metrics.enabled {
        return None;
    }
    let all = Metrics::new(config.metrics.latency_buckets.clone());
    register(&all, services, shards, remote);
    let readers = if !config.metrics.token.is_empty() {
        Readers::Token(ApiKeys::new().with("metrics", config.metrics.token.expose()))
    } else if config.environment.is_development() {
        Readers::All
    } else {
        Readers::Local
    };
    Some((config.metrics.path.clone(), metrics(all, readers)))
}
