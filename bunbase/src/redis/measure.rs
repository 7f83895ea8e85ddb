//! What is measured of Redis.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use super::{Redis, Usage, pool::Inner};
use crate::observe::{Labels, Metrics};

/// For how long what the server has said of its memory is not asked for again, however often metrics are read.
const FRESH_FOR: Duration = Duration::from_secs(5);

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

/// What is counted, and what the server said last.
#[derive(Debug, Default)]
pub(super) struct Measures {
    operations: AtomicU64,
    failures: [AtomicU64; REASONS.len()],
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    asked: Option<Instant>,
    /// None before the first answer, and while there is none.
    usage: Option<Usage>,
}

impl Measures {
    pub(super) fn operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, why: Failure) {
        self.failures[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it is time to ask the server again, and takes it that this is done.
    fn is_due(&self) -> bool {
        let mut memory = self.memory();
        let is_due = memory.asked.is_none_or(|asked| asked.elapsed() >= FRESH_FOR);
        if is_due {
            memory.asked = Some(Instant::now());
        }
        is_due
    }
}

impl Redis {
    /// Registers the pool, what is asked of the server, and what it says of its memory. Of a server that is away nothing is said there.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        // Metrics may live longer.
        let inner = || Arc::downgrade(&self.0);
        let redis = inner();
        metrics.ask_first(move || {
            let redis = redis.upgrade().map(Redis);
            async move {
                if let Some(redis) = redis {
                    redis.ask_memory().await;
                }
            }
            .boxed()
        });
        let up = read(inner(), |inner| vec![(Vec::new(), (!inner.breaker.is_open()).into())]);
        metrics.gauges("bunbase_redis_up", "Whether Redis answered the last time", up);
        let pool = read(inner(), |inner| {
            let status = inner.pool.status();
            let busy = status.size.saturating_sub(status.available);
            vec![(vec![("state", "idle")], count(status.available)), (vec![("state", "busy")], count(busy))]
        });
        metrics.gauges("bunbase_redis_pool_connections", "Connections to Redis", pool);
        let waiting = read(inner(), |inner| vec![(Vec::new(), count(inner.pool.status().waiting))]);
        metrics.gauges("bunbase_redis_pool_waiting", "Operations that wait for a connection to Redis", waiting);
        let operations = read(inner(), |inner| vec![(Vec::new(), inner.measures.operations.load(Ordering::Relaxed))]);
        metrics.counts("bunbase_redis_operations", "Commands and scripts that Redis was asked for", operations);
        let errors = read(inner(), |inner| {
            let counts = inner.measures.failures.iter().map(|count| count.load(Ordering::Relaxed));
            REASONS.iter().map(|reason| vec![("reason", *reason)]).zip(counts).collect()
        });
        metrics.counts("bunbase_redis_errors", "Commands and scripts that failed, by reason", errors);
        let help = "Memory that Redis uses, in bytes";
        metrics.gauges("bunbase_redis_used_memory_bytes", help, said(inner(), |usage| usage.used_memory_bytes));
        let help = "Memory that Redis may use, in bytes; 0 is no limit";
        metrics.gauges("bunbase_redis_max_memory_bytes", help, said(inner(), |usage| usage.max_memory_bytes));
        let help = "Keys that Redis dropped because it had no room";
        metrics.counts("bunbase_redis_evicted_keys", help, said(inner(), |usage| usage.evicted_keys));
        let help = "Keys whose time was over";
        metrics.counts("bunbase_redis_expired_keys", help, said(inner(), |usage| usage.expired_keys));
    }

    /// Asks the server of its memory, unless that was done a moment ago.
    async fn ask_memory(&self) {
        if !self.0.measures.is_due() {
            return;
        }
        let redis = self.clone();
        // A task of its own: nobody waits for as long as connecting may take, and then the next one has the answer.
        let asking = tokio::spawn(async move {
            let usage = redis.usage().await.ok();
            redis.0.measures.memory().usage = usage;
        });
        let _ = asking.await;
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
    inner: Weak<Inner>,
    value: impl Fn(Usage) -> u64 + Send + Sync + 'static,
) -> impl Fn() -> Values + Send + Sync + 'static {
    read(inner, move |inner| {
        let usage = inner.measures.memory().usage;
        usage.map(|usage| (Vec::new(), value(usage))).into_iter().collect()
    })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
