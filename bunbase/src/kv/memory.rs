//! Keys and values in the memory of this process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt, future::BoxFuture};

use super::store::{Keys, KvStore, Ttl};
use crate::{Result, clock::Clock};

/// What an entry takes beside its key and its value: three trees have a node for it.
const OVERHEAD_BYTES: usize = 200;

/// Keys and values in the memory of this process, at most so many bytes of them.
///
/// Other processes do not see them, and they end with the process. When they would be more than the limit, the least recently used
/// are evicted.
pub struct Memory {
    clock: Clock,
    limit_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, Slot>,
    expiries: BTreeSet<(DateTime<Utc>, String)>,
    /// Keys by their last use, the longest ago first.
    uses: BTreeMap<u64, String>,
    last_use: u64,
    bytes: usize,
}

struct Slot {
    value: String,
    expires_at: Option<DateTime<Utc>>,
    used: u64,
}

impl Memory {
    /// Keeps at most `limit_bytes` of keys and values, counted with what an entry takes beside them.
    pub fn new(clock: Clock, limit_bytes: usize) -> Self {
        Self { clock, limit_bytes, inner: Mutex::default() }
    }

    /// Returns how many bytes the entries take.
    pub fn size_bytes(&self) -> usize {
        self.inner().bytes
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what has not expired.
    fn run<T: Send + 'static>(&self, f: impl FnOnce(&mut Inner) -> T) -> BoxFuture<'_, Result<T>> {
        let mut inner = self.inner();
        let now = self.clock.now();
        inner.forget(now, u32::MAX);
        let value = f(&mut inner);
        inner.evict(self.limit_bytes);
        std::future::ready(Ok(value)).boxed()
    }
}

impl Inner {
    fn remove(&mut self, key: &str) -> bool {
        let Some((key, slot)) = self.entries.remove_entry(key) else { return false };
        self.bytes -= size(&key, &slot.value);
        self.uses.remove(&slot.used);
        if let Some(at) = slot.expires_at {
            self.expiries.remove(&(at, key));
        }
        true
    }

    fn put(&mut self, key: String, value: String, expires_at: Option<DateTime<Utc>>) {
        self.remove(&key);
        self.last_use += 1;
        self.bytes += size(&key, &value);
        self.uses.insert(self.last_use, key.clone());
        if let Some(at) = expires_at {
            self.expiries.insert((at, key.clone()));
        }
        self.entries.insert(key, Slot { value, expires_at, used: self.last_use });
    }

    fn value(&mut self, key: &str) -> Option<&Slot> {
        let slot = self.entries.get_mut(key)?;
        self.last_use += 1;
        if let Some(key) = self.uses.remove(&slot.used) {
            self.uses.insert(self.last_use, key);
        }
        slot.used = self.last_use;
        Some(slot)
    }

    /// Removes what has expired, the oldest first. Returns how many.
    fn forget(&mut self, now: DateTime<Utc>, limit: u32) -> u64 {
        let mut count = 0;
        while count < u64::from(limit) && self.expiries.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.expiries.pop_first() else { break };
            self.remove(&key);
            count += 1;
        }
        count
    }

    /// Removes what was not used for the longest time, until the rest fits.
    fn evict(&mut self, limit_bytes: usize) {
        while self.bytes > limit_bytes {
            let Some((_, key)) = self.uses.pop_first() else { break };
            self.remove(&key);
        }
    }
}

fn size(key: &str, value: &str) -> usize {
    // A key is in three trees.
    3 * key.len() + value.len() + OVERHEAD_BYTES
}

impl KvStore for Memory {
    fn get(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<String>>>> {
        self.run(|inner| keys.iter().map(|key| inner.value(key).map(|slot| slot.value.clone())).collect())
    }

    fn set(&self, entries: Vec<(String, String)>, ttl: Option<Duration>) -> BoxFuture<'_, Result<()>> {
        let expires_at = ttl.map(|ttl| self.clock.after(ttl));
        self.run(|inner| {
            for (key, value) in entries {
                inner.put(key, value, expires_at);
            }
        })
    }

    fn swap(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'_, Result<bool>> {
        let expires_at = ttl.map(|ttl| self.clock.after(ttl));
        self.run(move |inner| {
            if inner.value(&key).map(|slot| &slot.value) != expected.as_ref() {
                return false;
            }
            match new {
                Some(value) => inner.put(key, value, expires_at),
                None => drop(inner.remove(&key)),
            }
            true
        })
    }

    fn add(&self, key: String, by: i64, ttl: Option<Duration>) -> BoxFuture<'_, Result<Option<i64>>> {
        let fresh = ttl.map(|ttl| self.clock.after(ttl));
        self.run(move |inner| {
            let (old, expires_at) = match inner.value(&key) {
                Some(slot) => (slot.value.parse::<i64>().ok()?, slot.expires_at),
                None => (0, fresh),
            };
            let sum = old.checked_add(by)?;
            inner.put(key, sum.to_string(), expires_at);
            Some(sum)
        })
    }

    fn delete(&self, keys: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        self.run(|inner| keys.iter().map(|key| u64::from(inner.remove(key))).sum())
    }

    fn ttl(&self, key: String) -> BoxFuture<'_, Result<Ttl>> {
        let now = self.clock.now();
        self.run(move |inner| match inner.entries.get(&key).map(|slot| slot.expires_at) {
            None => Ttl::Missing,
            Some(None) => Ttl::Forever,
            Some(Some(at)) => Ttl::Left((at - now).to_std().unwrap_or_default()),
        })
    }

    fn expire(&self, key: String, ttl: Option<Duration>) -> BoxFuture<'_, Result<bool>> {
        let expires_at = ttl.map(|ttl| self.clock.after(ttl));
        self.run(move |inner| {
            let Some(value) = inner.value(&key).map(|slot| slot.value.clone()) else { return false };
            inner.put(key, value, expires_at);
            true
        })
    }

    fn list(&self, prefix: String, cursor: Option<String>, limit: u32) -> BoxFuture<'_, Result<Keys>> {
        self.run(move |inner| {
            let from = match cursor.as_deref() {
                Some(cursor) if cursor >= prefix.as_str() => Bound::Excluded(cursor),
                _ => Bound::Included(prefix.as_str()),
            };
            let range = inner.entries.range::<str, _>((from, Bound::Unbounded));
            let matching = range.map(|(key, _)| key).take_while(|key| key.starts_with(&prefix));
            Keys::page(matching.take(limit as usize + 1).cloned().collect(), limit)
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        let now = self.clock.now();
        let count = self.inner().forget(now, limit);
        std::future::ready(Ok(count)).boxed()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("limit_bytes", &self.limit_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, length: usize) -> Vec<(String, String)> {
        vec![(key.to_owned(), "x".repeat(length))]
    }

    #[tokio::test]
    async fn what_was_not_used_for_the_longest_time_is_evicted() {
        let store = Memory::new(Clock::system(), 3 * (OVERHEAD_BYTES + 103));
        for key in ["a", "b", "c"] {
            store.set(entry(key, 100), None).await.unwrap();
        }
        store.get(vec!["a".to_owned()]).await.unwrap();
        store.set(entry("d", 100), None).await.unwrap();
        assert_eq!(store.list(String::new(), None, 10).await.unwrap().keys, ["a", "c", "d"]);
        assert!(store.size_bytes() <= 3 * (OVERHEAD_BYTES + 103));
        store.set(entry("e", 100_000), None).await.unwrap();
        assert_eq!(store.size_bytes(), 0, "what never fits leaves nothing behind");
        let inner = store.inner();
        assert!(inner.uses.is_empty() && inner.expiries.is_empty() && inner.entries.is_empty());
    }

    #[tokio::test]
    async fn what_has_expired_takes_no_room() {
        let clock = Clock::system();
        let store = Memory::new(clock.clone(), 1 << 20);
        for i in 0..10 {
            store.set(entry(&i.to_string(), 10), Some(Duration::from_secs(1))).await.unwrap();
            store.expire(i.to_string(), Some(Duration::from_secs(2))).await.unwrap();
        }
        assert_eq!(store.inner().expiries.len(), 10);
        clock.advance(Duration::from_secs(3));
        assert_eq!(store.sweep(7).await.unwrap(), 7);
        assert_eq!(store.get(vec!["9".to_owned()]).await.unwrap(), [None]);
        assert_eq!(store.size_bytes(), 0);
    }
}
