//! The handle that guards hold.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Rule, Taken, store::LimitStore};
use crate::{
    Result,
    clock::Clock,
    observe::{Counter, Labels, Metrics},
};

/// The longest key that is kept as it is, in bytes.
const LONGEST_KEY: usize = 128;

/// How many keys that were refused are remembered.
const REMEMBERED: usize = 10_000;

/// How many keys a sweep deletes with one statement.
const SWEPT_AT_ONCE: u32 = 1000;

/// Rate limits; cheap to clone.
///
/// A key that was refused is remembered until it can be let through again, and not asked about before: whoever floods a service that
/// counts elsewhere costs that no more than one step each period.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    store: Arc<dyn LimitStore>,
    clock: Clock,
    refused: Mutex<HashMap<String, DateTime<Utc>>>,
    refusals: OnceLock<Counter>,
}

impl Limits {
    /// Counts in a store.
    pub fn new(store: Arc<dyn LimitStore>, clock: Clock) -> Self {
        Self(Arc::new(Inner { store, clock, refused: Mutex::default(), refusals: OnceLock::new() }))
    }

    /// Has it measure how often it refuses, from now on.
    #[must_use]
    pub(crate) fn measured(self, metrics: &Metrics) -> Self {
        let refusals = metrics.counters("bunbase_rate_limit_refusals", "Calls that a rate limit refused");
        let _ = self.0.refusals.set(refusals.at_zero(Labels::new()));
        self
    }

    /// Counts one call of `key` under `rule`, if it is let through. Rules that differ count apart.
    ///
    /// # Errors
    /// 503 when whoever counts is away, and the configuration does not say what counts instead.
    pub async fn take(&self, key: &str, rule: Rule) -> Result<Taken> {
        let taken = self.decide(key, rule).await?;
        if let Some(refusals) = self.0.refusals.get().filter(|_| !taken.is_allowed) {
            refusals.count();
        }
        Ok(taken)
    }

    async fn decide(&self, key: &str, rule: Rule) -> Result<Taken> {
        let key = stored(key, rule);
        if let Some(more_in) = self.refuses(&key) {
            return Ok(Taken { is_allowed: false, remaining: 0, more_in });
        }
        let taken = self.0.store.take(key.clone(), rule).await?;
        if !taken.is_allowed && !taken.more_in.is_zero() {
            self.remember(key, taken.more_in);
        }
        Ok(taken)
    }

    /// Deletes all keys that say nothing any more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep(&self) -> Result<()> {
        while self.0.store.sweep(SWEPT_AT_ONCE).await? == u64::from(SWEPT_AT_ONCE) {}
        Ok(())
    }

    /// Returns how long a key is refused for certain.
    fn refuses(&self, key: &str) -> Option<Duration> {
        let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *refused.get(key)?;
        let left = (until - self.0.clock.now()).to_std().ok().filter(|left| !left.is_zero());
        if left.is_none() {
            refused.remove(key);
        }
        left
    }

    fn remember(&self, key: String, more_in: Duration) {
        let now = self.0.clock.now();
        let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= REMEMBERED {
            refused.retain(|_, until| *until > now);
        }
        // Otherwise the store is asked: it answers the same.
        if refused.len() < REMEMBERED {
            refused.insert(key, self.0.clock.after(more_in));
        }
    }
}

/// Returns the key of a caller under a rule. One that is long, as a caller may choose it, is kept as its SHA-256.
fn stored(key: &str, rule: Rule) -> String {
    let id = rule.id();
    if key.len() <= LONGEST_KEY {
        return format!("{id}|{key}");
    }
    format!("{id}#{}", URL_SAFE_NO_PAD.encode(Sha256::digest(key)))
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("store", &self.0.store).finish_non_exhaustive()
    }
}
