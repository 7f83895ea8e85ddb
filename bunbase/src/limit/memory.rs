//! Rate limits in the memory of this process.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};

use super::{Rule, Taken, rule::State, store::LimitStore};
use crate::{Result, clock::Clock};

/// Counts in the memory of this process, for so many keys at most. Other processes count for themselves.
///
/// When there would be more keys, the one that was not used for the longest time is forgotten.
pub struct Memory {
    clock: Clock,
    most_keys: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    keys: HashMap<String, Slot>,
    /// Keys by their last use, the longest ago first.
    uses: BTreeMap<u64, String>,
    last_use: u64,
}

struct Slot {
    state: State,
    until_ms: i64,
    used: u64,
}

impl Memory {
    /// Counts for at most `most_keys` keys.
    pub fn new(clock: Clock, most_keys: usize) -> Self {
        Self { clock, most_keys: most_keys.max(1), inner: Mutex::default() }
    }

    /// Returns how many keys there are.
    pub fn count(&self) -> usize {
        self.inner().keys.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Removes what was used the longest ago, if `is_over` says so of it. Answers whether it did.
    fn remove_oldest(&mut self, is_over: impl FnOnce(&Slot) -> bool) -> bool {
        let Some(oldest) = self.uses.first_entry() else { return false };
        let removes = self.keys.get(oldest.get()).is_none_or(is_over);
        if removes {
            let key = oldest.remove();
            self.keys.remove(&key);
        }
        removes
    }
}

impl LimitStore for Memory {
    fn take(&self, key: String, rule: Rule) -> BoxFuture<'_, Result<Taken>> {
        let mut inner = self.inner();
        let now_ms = self.clock.now().timestamp_millis();
        // One a call is enough to forget keys as fast as they come.
        while inner.keys.len() > self.most_keys && inner.remove_oldest(|_| true) {}
        inner.remove_oldest(|slot| slot.until_ms <= now_ms);
        let old = inner.keys.remove(&key);
        if let Some(slot) = &old {
            inner.uses.remove(&slot.used);
        }
        let mut state = rule.at(old.map(|slot| slot.state), now_ms);
        let is_allowed = rule.take(&mut state);
        let taken = rule.taken(is_allowed, &state, now_ms);
        inner.last_use += 1;
        let used = inner.last_use;
        inner.uses.insert(used, key.clone());
        let until_ms = now_ms.saturating_add(i64::try_from(rule.kept().as_millis()).unwrap_or(i64::MAX));
        inner.keys.insert(key, Slot { state, until_ms, used });
        if inner.keys.len() > self.most_keys {
            inner.remove_oldest(|_| true);
        }
        std::future::ready(Ok(taken)).boxed()
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        let (mut inner, now_ms) = (self.inner(), self.clock.now().timestamp_millis());
        let over: Vec<_> = inner
            .keys
            .iter()
            .filter(|(_, slot)| slot.until_ms <= now_ms)
            .take(limit as usize)
            .map(|(key, slot)| (key.clone(), slot.used))
            .collect();
        for (key, used) in &over {
            inner.keys.remove(key);
            inner.uses.remove(used);
        }
        std::future::ready(Ok(over.len() as u64)).boxed()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("most_keys", &self.most_keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::Algorithm;

    #[tokio::test]
    async fn memory_is_bounded_however_many_keys_come() {
        let clock = Clock::system();
        let store = Memory::new(clock.clone(), 100);
        let rule = Rule::new(1, Duration::from_mins(1), Algorithm::Window).unwrap();
        for i in 0..1000 {
            assert!(store.take(i.to_string(), rule).await.unwrap().is_allowed);
            assert!(store.count() <= 100);
        }
        assert!(!store.take("999".to_owned(), rule).await.unwrap().is_allowed, "the latest are known");
        let lengths = |inner: &Inner| (inner.keys.len(), inner.uses.len());
        let (keys, uses) = lengths(&store.inner());
        assert_eq!(keys, uses);
        clock.advance(Duration::from_mins(2));
        assert_eq!(store.sweep(30).await.unwrap(), 30);
        assert!(store.take("999".to_owned(), rule).await.unwrap().is_allowed);
    }
}
