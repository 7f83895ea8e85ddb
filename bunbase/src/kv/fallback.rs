//! Keys and values in Redis, and in the database while Redis is away.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::store::{Keys, KvStore, Ttl};
use crate::{Error, Result};

/// One store, and another one that is used while the first is away.
///
/// The two are not brought together: what was written meanwhile is not seen once the first is back, and expires in the second as it
/// was told to. So this is for what may be missing, as counters of a short while are.
pub struct Fallback {
    first: Arc<dyn KvStore>,
    second: Arc<dyn KvStore>,
    is_away: fn(&Error) -> bool,
}

impl Fallback {
    /// Takes the second store for what fails on the first with an error that means that it is away.
    pub fn new(first: Arc<dyn KvStore>, second: Arc<dyn KvStore>, is_away: fn(&Error) -> bool) -> Self {
        Self { first, second, is_away }
    }

    fn either<'s, T: Send + 's>(
        &'s self,
        f: impl Fn(&'s dyn KvStore) -> BoxFuture<'s, Result<T>> + Send + 's,
    ) -> BoxFuture<'s, Result<T>> {
        Box::pin(async move {
            match f(&*self.first).await {
                Err(error) if (self.is_away)(&error) => f(&*self.second).await,
                answer => answer,
            }
        })
    }
}

impl KvStore for Fallback {
    fn get(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<String>>>> {
        self.either(move |store| store.get(keys.clone()))
    }

    fn set(&self, entries: Vec<(String, String)>, ttl: Option<Duration>) -> BoxFuture<'_, Result<()>> {
        self.either(move |store| store.set(entries.clone(), ttl))
    }

    fn swap(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'_, Result<bool>> {
        self.either(move |store| store.swap(key.clone(), expected.clone(), new.clone(), ttl))
    }

    fn add(&self, key: String, by: i64, ttl: Option<Duration>) -> BoxFuture<'_, Result<Option<i64>>> {
        self.either(move |store| store.add(key.clone(), by, ttl))
    }

    fn delete(&self, keys: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        self.either(move |store| store.delete(keys.clone()))
    }

    fn ttl(&self, key: String) -> BoxFuture<'_, Result<Ttl>> {
        self.either(move |store| store.ttl(key.clone()))
    }

    fn expire(&self, key: String, ttl: Option<Duration>) -> BoxFuture<'_, Result<bool>> {
        self.either(move |store| store.expire(key.clone(), ttl))
    }

    fn list(&self, prefix: String, cursor: Option<String>, limit: u32) -> BoxFuture<'_, Result<Keys>> {
        self.either(move |store| store.list(prefix.clone(), cursor.clone(), limit))
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
