//! Calls of this process that want the same key at the same time: one of them asks the table, all of them hear the
//! answer.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::{Call, Fingerprint, Key, Owner, Stored};

/// How long whoever asks the table waits before it asks again, at first and at most. It doubles in between.
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);

type Name = (String, Key);

/// All keys that calls of this process want.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Name, Shared>>);

#[derive(Debug, Default)]
struct Shared {
    flight: Arc<Flight>,
    /// How many calls want the key.
    calls: usize,
}

/// What the calls that want one key share.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// What they know of the key.
    pub(super) known: watch::Sender<Known>,
    /// Whose turn it is to ask the table.
    pub(super) turn: tokio::sync::Mutex<Pace>,
    /// Tells the one whose turn it is that the key may be free.
    pub(super) freed: Notify,
}

/// What is known of a key.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The call that runs with it.
    pub(super) running: Option<Fingerprint>,
    /// When its lock ends.
    pub(super) until: Option<DateTime<Utc>>,
    /// The call that was answered, and the answer.
    pub(super) ended: Option<(Fingerprint, Stored)>,
}

/// How often the table is asked.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Duration>);

impl Pace {
    /// Returns how long to wait before asking; `None` when nobody has asked yet.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.0
    }

    pub(super) fn start_over(&mut self) {
        self.0 = Some(FIRST);
    }

    pub(super) fn slow_down(&mut self) {
        self.0 = Some(self.0.map_or(FIRST, |wait| (wait * 2).min(LONGEST)));
    }
}

impl Flight {
    /// Lets the others know that a call runs with the key. Wakes them only where that is news.
    pub(super) fn runs(&self, call: Fingerprint, until: DateTime<Utc>) {
        self.known.send_if_modified(|known| {
            known.until = Some(until);
            known.running.replace(call) != Some(call)
        });
    }
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins those that want the key of a call.
    pub(super) fn join(&self, call: &Call) -> Joined<'_> {
        let name = (call.scope.clone(), call.key.clone());
        let flight = {
            let mut all = self.lock();
            let shared = all.entry(name.clone()).or_default();
            shared.calls += 1;
            shared.flight.clone()
        };
        Joined { flights: self, name, flight }
    }

    /// Gives the answer to those that wait for it. Who comes later finds it in the table.
    pub(super) fn end(&self, owner: &Name, call: Fingerprint, answer: Stored) {
        if let Some(Shared { flight, .. }) = self.lock().remove(owner) {
            flight.known.send_modify(|known| known.ended = Some((call, answer)));
        }
    }

    /// Lets one of those that wait for the key try to take it.
    pub(super) fn free(&self, owner: &Name) {
        if let Some(Shared { flight, .. }) = self.lock().get(owner) {
            flight.freed.notify_one();
        }
    }

    /// Returns how many keys are wanted.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Returns how many calls want the key of one, once they know that another has it.
    #[cfg(test)]
    pub(super) fn calls(&self, call: &Call) -> usize {
        let all = self.lock();
        let shared = all.get(&(call.scope.clone(), call.key.clone()));
        let shared = shared.filter(|shared| shared.flight.known.borrow().running.is_some());
        shared.map_or(0, |shared| shared.calls)
    }
}

/// One call among those that want a key; the last that leaves clears up.
pub(super) struct Joined<'a> {
    flights: &'a Flights,
    name: Name,
    flight: Arc<Flight>,
}

impl Deref for Joined<'_> {
    type Target = Flight;

    fn deref(&self) -> &Flight {
        &self.flight
    }
}

impl Joined<'_> {
    /// Gives the answer to the others.
    pub(super) fn end(&self, call: Fingerprint, answer: Stored) {
        self.flights.end(&self.name, call, answer);
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut all = self.flights.lock();
        // After an answer others may have begun anew under this name.
        let Some(shared) = all.get_mut(&self.name).filter(|shared| Arc::ptr_eq(&shared.flight, &self.flight)) else {
            return;
        };
        shared.calls -= 1;
        if shared.calls == 0 {
            all.remove(&self.name);
        }
    }
}

impl Owner {
    pub(super) fn name(&self) -> Name {
        (self.scope.clone(), self.key.clone())
    }
}
