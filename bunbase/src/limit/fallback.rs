//! Rate limits in Redis, and elsewhere while Redis is away.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use super::{Rule, Taken, store::LimitStore};
use crate::{Error, Result};

/// One store, and another one that counts while the first is away: each from where it left off, so a change between the two may let
/// up to twice the limit through.
pub struct Fallback {
    first: Arc<dyn LimitStore>,
    second: Arc<dyn LimitStore>,
    is_away: fn(&Error) -> bool,
}

impl Fallback {
    /// Takes the second store for what fails on the first with an error that means that it is away.
    pub fn new(first: Arc<dyn LimitStore>, second: Arc<dyn LimitStore>, is_away: fn(&Error) -> bool) -> Self {
        Self { first, second, is_away }
    }
}

impl LimitStore for Fallback {
    fn take(&self, key: String, rule: Rule) -> BoxFuture<'_, Result<Taken>> {
        Box::pin(async move {
            match self.first.take(key.clone(), rule).await {
                Err(error) if (self.is_away)(&error) => self.second.take(key, rule).await,
                answer => answer,
            }
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        self.second.sweep(limit)
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("first", &self.first).field("second", &self.second).finish_non_exhaustive()
    }
}
