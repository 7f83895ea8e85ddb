//! What a backend must do for rate limits.

use std::fmt;

use futures_util::future::BoxFuture;

use super::{Rule, Taken};
use crate::Result;

/// Where calls are counted.
pub trait LimitStore: fmt::Debug + Send + Sync + 'static {
    /// Counts one call under a key, if the rule lets it through; in one atomic step. A call that is refused is not counted.
    fn take(&self, key: String, rule: Rule) -> BoxFuture<'_, Result<Taken>>;

    /// Deletes at most `limit` keys that say nothing any more. Returns how many.
    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>>;
}
