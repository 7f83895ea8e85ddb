//! Locks in Redis, and in the database while Redis is away.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::store::LockStore;
use crate::{Error, Result};

/// One store, and another one that is used while the first is away.
///
/// A lock that is held in the first when it goes away can be taken in the second before it has ended. Fencing tokens come from one
/// place for both, so the first holder's is smaller.
pub struct Fallback {
    first: Arc<dyn LockStore>,
    second: Arc<dyn LockStore>,
    is_away: fn(&Error) -> bool,
}

impl Fallback {
    /// Takes the second store for what fails on the first with an error that means that it is away.
    pub fn new(first: Arc<dyn LockStore>, second: Arc<dyn LockStore>, is_away: fn(&Error) -> bool) -> Self {
        Self { first, second, is_away }
    }
}

impl LockStore for Fallback {
    fn acquire(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<Option<u64>>> {
        Box::pin(async move {
            match self.first.acquire(name.clone(), owner, ttl).await {
                Err(error) if (self.is_away)(&error) => self.second.acquire(name, owner, ttl).await,
                answer => answer,
            }
        })
    }

    /// Where it was taken, it is renewed: an owner has it in one of them.
    fn renew(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            match self.first.renew(name.clone(), owner, ttl).await {
                Ok(true) => Ok(true),
                Ok(false) => self.second.renew(name, owner, ttl).await,
                // Not lost, as far as is known: it may be held in the one that is away.
                Err(error) => {
                    let is_there = (self.is_away)(&error) && self.second.renew(name, owner, ttl).await?;
                    if is_there { Ok(true) } else { Err(error) }
                }
            }
        })
    }

    fn release(&self, name: String, owner: Uuid) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let second = self.second.release(name.clone(), owner).await?;
            match self.first.release(name, owner).await {
                Ok(first) => Ok(first || second),
                Err(error) if second && (self.is_away)(&error) => Ok(true),
                Err(error) => Err(error),
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
