//! Calls of this process that want the same key at the same time: one of them loads, all of them hear of it.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::Error;

/// How a load ended, for all who waited for it.
#[derive(Clone)]
pub(super) enum Ended {
    /// The value as JSON.
    Value(Arc<str>),
    /// Why there is none.
    Failed(Arc<Error>),
}

/// The loads of this process.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<String, Shared>>);

#[derive(Default)]
struct Shared {
    flight: Arc<Flight>,
    calls: usize,
}

/// What the calls that want one key share.
#[derive(Default)]
pub(super) struct Flight {
    pub(super) ended: watch::Sender<Option<Ended>>,
    /// Whose turn it is to load. The next one's, when that one goes away.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Flights {
    fn map(&self) -> MutexGuard<'_, HashMap<String, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins those who want a key.
    pub(super) fn join(&self, key: &str) -> Joined<'_> {
        let mut map = self.map();
        let shared = map.entry(key.to_owned()).or_default();
        shared.calls += 1;
        Joined { flights: self, key: key.to_owned(), flight: shared.flight.clone() }
    }

    /// Lets whoever comes from now on begin anew: what is being loaded may be old.
    pub(super) fn forget(&self, key: &str) {
        self.map().remove(key);
    }

    /// As [`forget`](Self::forget), for all keys.
    pub(super) fn forget_all(&self) {
        self.map().clear();
    }

    /// Returns how many calls want a key.
    #[cfg(test)]
    pub(super) fn calls(&self, key: &str) -> usize {
        self.map().get(key).map_or(0, |shared| shared.calls)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.map().len()
    }
}

/// One call that wants a key.
pub(super) struct Joined<'a> {
    flights: &'a Flights,
    key: String,
    flight: Arc<Flight>,
}

impl Joined<'_> {
    /// Tells all who wait, and lets whoever comes from now on begin anew.
    pub(super) fn end(&self, ended: Ended) {
        let mut map = self.flights.map();
        if map.get(&self.key).is_some_and(|shared| Arc::ptr_eq(&shared.flight, &self.flight)) {
            map.remove(&self.key);
        }
        drop(map);
        self.flight.ended.send_replace(Some(ended));
    }
}

impl Deref for Joined<'_> {
    type Target = Flight;

    fn deref(&self) -> &Flight {
        &self.flight
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut map = self.flights.map();
        let Some(shared) = map.get_mut(&self.key).filter(|shared| Arc::ptr_eq(&shared.flight, &self.flight)) else {
            return;
        };
        shared.calls -= 1;
        if shared.calls == 0 {
            map.remove(&self.key);
        }
    }
}
