//! What a backend must do for locks.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::Result;

/// Where locks are kept. Their ends are judged by the clock of whoever keeps them.
pub trait LockStore: fmt::Debug + Send + Sync + 'static {
    /// Takes a lock for so long, if it is free. Answers its fencing token: greater than that of every holder before.
    fn acquire(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<Option<u64>>>;

    /// Holds it for so long from now. Returns whether the owner still has it.
    fn renew(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<bool>>;

    /// Gives it back. Returns whether the owner still had it.
    fn release(&self, name: String, owner: Uuid) -> BoxFuture<'_, Result<bool>>;

    /// Deletes at most `limit` locks that ended long ago. Returns how many.
    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>>;
}

/// How long the row of a lock that has ended stays: longer than any statement takes that drew its token before the row's.
pub(super) const KEPT: Duration = Duration::from_hours(1);
