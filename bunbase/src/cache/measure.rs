//! What is measured of the cache.

use crate::observe::{Counter, Metrics, labels};

/// What looking up came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    hit: Counter,
    stale: Counter,
    miss: Counter,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let looks = metrics.counters("bunbase_cache_requests", "Values that were looked up in the cache");
        let of = |result| looks.at_zero(labels([("result", result)]));
        Self { hit: of("hit"), stale: of("stale"), miss: of("miss") }
    }

    /// Takes in what was found: whether it is stale, or nothing.
    pub(super) fn found(&self, is_stale: Option<bool>) {
        match is_stale {
            Some(false) => self.hit.count(),
            Some(true) => self.stale.count(),
            None => self.miss.count(),
        }
    }
}
