//! Keys as the rest of the framework uses them: taken, waited for, and given back however the call ends.

use std::{fmt, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::runtime::Handle;
use tracing::Instrument;

use super::{
    Begun, Call, Fingerprint, KeyStore, Owner, Postgres, Settings, Sqlite, Stored,
    flight::{Flights, Joined},
};
use crate::{
    Error, Result,
    clock::{Clock, micros},
    db::{Db, DbBackend, Tx},
};

/// How many expired keys one statement deletes.
const PRUNED_AT_A_TIME: u32 = 1000;

/// The idempotency keys of an application; cheap to clone.
///
/// ```no_run
/// # use std::time::Duration;
/// # use bunbase::{Result, clock::Clock, db::{Db, Tx}};
/// # use bunbase::idempotency::{Begun, Call, Fingerprint, Key, Keys, Settings, Stored, mismatch, still_running};
/// # async fn example(db: Db, header: &str, body: &[u8]) -> Result<Stored> {
/// let keys = Keys::new(&db, &Clock::system(), &Settings::default());
/// let call = Call::new("orders.create user:7", Key::parse(header)?, Fingerprint::of(&[body]), Duration::from_secs(60));
/// let held = match keys.begin(&call).await? {
///     Begun::Mine(held) => held,
///     Begun::Replay(answer) => return Ok(answer),
///     Begun::Running { .. } => return Err(still_running(Duration::from_secs(1))),
///     Begun::Mismatch => return Err(mismatch()),
/// };
/// let answer = Stored { status: 201, ..Stored::default() };
/// db.transaction(async |tx: &Tx| {
///     // What the call writes, and then:
///     if held.finish_in(tx, &answer).await? { Ok(()) } else { Err(still_running(Duration::from_secs(1))) }
/// })
/// .await?;
/// held.committed(answer.clone());
/// # Ok(answer)
/// # }
/// ```
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    store: Arc<dyn KeyStore>,
    clock: Clock,
    wait: Duration,
    flights: Flights,
}

impl Keys {
    /// Keeps keys in a database.
    pub fn new(db: &Db, clock: &Clock, settings: &Settings) -> Self {
        let (db, retention) = (db.clone(), settings.retention);
        let store: Arc<dyn KeyStore> = match db.backend() {
            DbBackend::Postgres => Arc::new(Postgres::new(db, clock.clone(), retention)),
            _ => Arc::new(Sqlite::new(db, clock.clone(), retention)),
        };
        Self::with(store, clock, settings.wait)
    }

    /// Keeps keys in a store of one's own. A call waits at most so long.
    pub fn with(store: Arc<dyn KeyStore>, clock: &Clock, wait: Duration) -> Self {
        Self(Arc::new(Inner { store, clock: clock.clone(), wait, flights: Flights::default() }))
    }

    /// Takes the key of a call. Where another one has it, waits until that one has ended, at most as long as the
    /// settings say.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin(&self, call: &Call) -> Result<Begun<Held>> {
        self.begin_within(call, self.0.wait).await
    }

    /// As [`begin`](Self::begin), waiting for at most `wait`. Zero is not at all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_within(&self, call: &Call, wait: Duration) -> Result<Begun<Held>> {
        if wait.is_zero() {
            return self.take(call).await;
        }
        let flight = self.0.flights.join(call);
        let mut news = flight.known.subscribe();
        let patience = self.0.clock.sleep(wait);
        tokio::pin!(patience);
        let mut is_compared = false;
        loop {
            let is_another = {
                let known = news.borrow_and_update();
                match &known.ended {
                    Some((ended, answer)) if *ended == call.fingerprint => return Ok(Begun::Replay(answer.clone())),
                    Some(_) => return Ok(Begun::Mismatch),
                    None => known.running.is_some_and(|running| running != call.fingerprint),
                }
            };
            if is_another && !is_compared {
                // What is known here may be old: the table says, and there is no reason to wait for it.
                is_compared = true;
                match self.take(call).await? {
                    Begun::Running { .. } => {}
                    begun => return Ok(begun),
                }
            }
            tokio::select! {
                biased;
                // The sender is in the flight, so it does not go away.
                _ = news.changed() => {}
                begun = self.turn(&flight, call) => return begun,
                () = &mut patience => {
                    let until = flight.known.borrow().until;
                    return Ok(Begun::Running { until: until.unwrap_or_else(|| self.0.clock.now()) });
                }
            }
        }
    }

    /// Asks the table when it is this call's turn, until the key is no longer another's.
    async fn turn(&self, flight: &Joined<'_>, call: &Call) -> Result<Begun<Held>> {
        let mut pace = flight.turn.lock().await;
        loop {
            if let Some(wait) = pace.wait() {
                tokio::select! {
                    () = self.0.clock.sleep(wait) => pace.slow_down(),
                    () = flight.freed.notified() => pace.start_over(),
                }
                match self.0.store.look(call).await? {
                    // Free: to be taken below.
                    None | Some(Begun::Mine(_)) => {}
                    Some(Begun::Running { until }) => {
                        flight.runs(call.fingerprint, until);
                        continue;
                    }
                    Some(Begun::Replay(answer)) => {
                        flight.end(call.fingerprint, answer.clone());
                        return Ok(Begun::Replay(answer));
                    }
                    Some(Begun::Mismatch) => return Ok(Begun::Mismatch),
                }
            }
            match self.take(call).await? {
                Begun::Running { until } => {
                    pace.start_over();
                    flight.runs(call.fingerprint, until);
                }
                Begun::Mine(held) => {
                    pace.start_over();
                    let until = self.0.clock.now() + TimeDelta::microseconds(micros(call.lock));
                    flight.runs(call.fingerprint, until);
                    return Ok(Begun::Mine(held));
                }
                Begun::Replay(answer) => {
                    flight.end(call.fingerprint, answer.clone());
                    return Ok(Begun::Replay(answer));
                }
                Begun::Mismatch => return Ok(Begun::Mismatch),
            }
        }
    }

    /// Takes the key if it is free.
    async fn take(&self, call: &Call) -> Result<Begun<Held>> {
        let (keys, call) = (self.clone(), call.clone());
        // In a task of its own, so that it ends although the caller goes away: a key that was taken and then forgotten
        // would keep the client's next attempt waiting until its lock ends. Dropped here, it is given back.
        let take = async move {
            Ok(match keys.0.store.begin(&call).await? {
                Begun::Mine(owner) => Begun::Mine(Held { keys, owner: Some(owner), fingerprint: call.fingerprint }),
                Begun::Replay(answer) => Begun::Replay(answer),
                Begun::Running { until } => Begun::Running { until },
                Begun::Mismatch => Begun::Mismatch,
            })
        };
        tokio::spawn(take.in_current_span()).await.unwrap_or_else(|stopped| Err(Error::internal(stopped)))
    }

    /// Deletes keys that have expired. Returns how many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn prune(&self) -> Result<u64> {
        let mut all = 0;
        loop {
            let deleted = self.0.store.prune(PRUNED_AT_A_TIME).await?;
            all += deleted;
            if deleted < u64::from(PRUNED_AT_A_TIME) {
                return Ok(all);
            }
        }
    }

    /// Returns how many keys calls of this process want.
    #[cfg(test)]
    pub(super) fn wanted(&self) -> usize {
        self.0.flights.count()
    }

    /// Returns how many calls of this process wait for the key of this one.
    #[cfg(test)]
    pub(super) fn waiting(&self, call: &Call) -> usize {
        self.0.flights.calls(call)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("store", &self.0.store).field("wait", &self.0.wait).finish_non_exhaustive()
    }
}

/// A key that this call holds.
///
/// End it with an answer or give it back. Dropped, it is given back in the background: a handler that panicked or was
/// cancelled leaves no key that nobody can take.
pub struct Held {
    keys: Keys,
    owner: Option<Owner>,
    fingerprint: Fingerprint,
}

impl Held {
    /// Keeps the answer in the transaction of the call, as the last statement before it commits. Then say
    /// [`committed`](Self::committed).
    ///
    /// Returns whether the key was still held: if not, another call runs or has run, and the transaction must roll
    /// back.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn finish_in(&self, tx: &Tx, answer: &Stored) -> Result<bool> {
        match &self.owner {
            Some(owner) => self.keys.0.store.finish_in(tx, owner, answer).await,
            None => Ok(false),
        }
    }

    /// Says that the transaction of [`finish_in`](Self::finish_in) has committed: those that wait in this process are
    /// answered at once.
    pub fn committed(mut self, answer: Stored) {
        if let Some(owner) = self.owner.take() {
            self.keys.0.flights.end(&owner.name(), self.fingerprint, answer);
        }
    }

    /// Keeps the answer, outside of any transaction. Returns whether the key was still held.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn finish(mut self, answer: Stored) -> Result<bool> {
        let Some(owner) = &self.owner else { return Ok(false) };
        let is_kept = self.keys.0.store.finish(owner, &answer).await?;
        if let Some(owner) = self.owner.take().filter(|_| is_kept) {
            self.keys.0.flights.end(&owner.name(), self.fingerprint, answer);
        }
        Ok(is_kept)
    }

    /// Gives the key back without an answer, so that the next call with it runs.
    ///
    /// # Errors
    /// Those of the database. The next call runs when the lock has ended then.
    pub async fn abandon(mut self) -> Result<()> {
        match &self.owner {
            Some(owner) => self.keys.give_back(owner).await?,
            None => return Ok(()),
        }
        self.owner = None;
        Ok(())
    }

    /// Holds the key for so long from now. Returns whether it was still held.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn extend(&self, lock: Duration) -> Result<bool> {
        match &self.owner {
            Some(owner) => self.keys.0.store.extend(owner, lock).await,
            None => Ok(false),
        }
    }
}

impl Keys {
    async fn give_back(&self, owner: &Owner) -> Result<()> {
        self.0.store.abandon(owner).await?;
        self.0.flights.free(&owner.name());
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the lock with it in time.
        let (Some(owner), Ok(runtime)) = (self.owner.take(), Handle::try_current()) else { return };
        let keys = self.keys.clone();
        runtime.spawn(async move {
            if let Err(error) = keys.give_back(&owner).await {
                tracing::warn!(%error, "an idempotency key could not be given back; the next call with it waits for its lock");
            }
        });
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("owner", &self.owner).finish_non_exhaustive()
    }
}
