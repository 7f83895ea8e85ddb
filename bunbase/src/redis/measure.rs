//! What is measured of Redis.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use super::{Redis, Usage, pool::Inner};
use crate::observe::{Asked, Labels, Metrics, labels};

/// Why an operation failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// The server is away, or was found to be.
    Away = 0,
    /// Every connection was in use.
    Busy = 1,
    /// The server answered with an error.
    Refused = 2,
}

const REASONS: [&str; 3] = ["away", "busy", "refused"];

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Measures {
    operations: AtomicU64,
    failures: [AtomicU64; REASONS.len()],
}

impl Measures {
    pub(super) fn operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, why: Failure) {
        self.failures[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Redis {
    /// Registers the pool, what is asked of the server, and what it says of its memory. Of a server that is away nothing is said there.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        // Metrics may live longer.
        let inner = || Arc::downgrade(&self.0);
        let redis = inner();
        let memory = Asked::before_reading(metrics, move || {
            let redis = redis.upgrade().map(Redis);
            async move { redis?.usage().await.ok() }
        });
        let up = read(inner(), |inner| vec![(Labels::new(), (!inner.breaker.is_open()).into())]);
        metrics.gauges("bunbase_redis_up", "Whether Redis answered the last time", up);
        let pool = read(inner(), |inner| {
            let status = inner.pool.status();
            let busy = status.size.saturating_sub(status.available);
            vec![(labels([("state", "idle")]), count(status.available)), (labels([("state", "busy")]), count(busy))]
        });
        metrics.gauges("bunbase_redis_pool_connections", "Connections to Redis", pool);
        let waiting = read(inner(), |inner| vec![(Vec::new(), count(inner.pool.status().waiting))]);
        metrics.gauges("bunbase_redis_pool_waiting", "Operations that wait for a connection to Redis", waiting);
        let operations = read(inner(), |inner| vec![(Vec::new(), inner.measures.operations.load(Ordering::Relaxed))]);
        metrics.counts("bunbase_redis_operations", "Commands and scripts that Redis was asked for", operations);
        let errors = read(inner(), |inner| {
            let counts = inner.measures.failures.iter().map(|count| count.load(Ordering::Relaxed));
            REASONS.iter().map(|reason| labels([("reason", *reason)])).zip(counts).collect()
        });
        metrics.counts("bunbase_redis_errors", "Commands and scripts that failed, by reason", errors);
        let help = "Memory that Redis uses, in bytes";
        metrics.gauges("bunbase_redis_used_memory_bytes", help, said(&memory, |usage| usage.used_memory_bytes));
        let help = "Memory that Redis may use, in bytes; 0 is no limit";
        metrics.gauges("bunbase_redis_max_memory_bytes", help, said(&memory, |usage| usage.max_memory_bytes));
        let help = "Keys that Redis dropped because it had no room";
        metrics.counts("bunbase_redis_evicted_keys", help, said(&memory, |usage| usage.evicted_keys));
        let help = "Keys whose time was over";
        metrics.counts("bunbase_redis_expired_keys", help, said(&memory, |usage| usage.expired_keys));
    }
}

type Values = Vec<(Labels, u64)>;

/// Reads numbers as long as the pool is there.
fn read(
    inner: Weak<Inner>,
    values: impl Fn(&Inner) -> Values + Send + Sync + 'static,
) -> impl Fn() -> Values + Send + Sync + 'static {
    move || inner.upgrade().map(|inner| values(&inner)).unwrap_or_default()
}

/// Reads one of the numbers that the server has said.
fn said(
    memory: &Arc<Asked<Usage>>,
    value: impl Fn(&Usage) -> u64 + Send + Sync + 'static,
) -> impl Fn() -> Values + Send + Sync + 'static {
    let memory = memory.clone();
    move || memory.read(|usage| vec![(Labels::new(), value(usage))])
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
