//! The outbox: events are rows, stored in the transaction that they tell of.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sea_orm::DbBackend;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Broadcast, Carrier, Emitted, NewEvent, event::Place, name, postgres::Postgres, sqlite::Sqlite};
use crate::{
    Result,
    clock::Clock,
    db::{Db, Tx},
};

/// The events of an application. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) broadcast: Broadcast,
    pub(super) emitted: Arc<Notify>,
    /// What carries news between instances in the database's place.
    pub(super) carrier: Option<Arc<dyn Carrier>>,
}

/// Events that were stored. Whoever ends the transaction says [`committed`](Self::committed).
#[derive(Debug)]
#[must_use = "the relay learns of the events by `committed`"]
pub struct Emission {
    wake: Arc<Notify>,
    /// What this process itself tells its subscribers, where the database does not.
    told: Vec<Emitted>,
    broadcast: Broadcast,
    carrier: Option<Arc<dyn Carrier>>,
}

/// How the outbox is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many events wait for the relay.
    pub depth: u64,
    /// How old the oldest of them is; zero when there is none.
    pub lag: Duration,
    /// How many of them could not be delivered and are tried again.
    pub held: u64,
    /// How many could not be delivered and wait for somebody; they are not counted above.
    pub parked: u64,
}

impl Events {
    /// Returns the events in a database. `wake` is what the relay of this process waits on.
    pub fn new(db: Db, clock: Clock, broadcast: Broadcast, wake: Arc<Notify>) -> Self {
        let outbox: Arc<dyn Outbox> = match db.backend() {
            DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone())),
            _ => Arc::new(Sqlite::new(db.clone(), clock.clone())),
        };
        Self { db, clock, outbox, broadcast, emitted: wake, carrier: None }
    }

    /// Has a carrier tell the instances of each other's events, in the database's place.
    #[must_use]
    pub fn over(self, carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), ..self }
    }

    /// Stores events outside of any transaction of the caller's: all of them or none.
    ///
    /// # Errors
    /// 500 `event_name`; those of the database.
    pub async fn emit(&self, events: &[NewEvent]) -> Result<()> {
        check(events)?;
        let told = self.told(events);
        let places = self.outbox.emit(events, &self.by_database(&told)).await?;
        self.emission(events, &told, &places).committed();
        Ok(())
    }

    /// Stores events as part of a transaction.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub async fn emit_in(&self, tx: &Tx, events: &[NewEvent]) -> Result<Emission> {
        check(events)?;
        let told = self.told(events);
        let places = self.outbox.emit_in(tx, events, &self.by_database(&told)).await?;
        Ok(self.emission(events, &told, &places))
    }

    /// Subscribes to the events that are broadcast to this process.
    pub fn subscribe(&self) -> super::Subscription {
        self.broadcast.subscribe()
    }

    /// Returns how the outbox is doing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn stats(&self) -> Result<Stats> {
        self.outbox.stats().await
    }

    /// Returns which events are broadcast.
    fn told(&self, events: &[NewEvent]) -> Vec<bool> {
        events.iter().map(|event| self.broadcast.has_subscribers(&event.name)).collect()
    }

    /// Returns which of them the database is to tell of.
    fn by_database(&self, told: &[bool]) -> Vec<bool> {
        told.iter().map(|told| *told && self.carrier.is_none()).collect()
    }

    fn emission(&self, events: &[NewEvent], told: &[bool], places: &[Place]) -> Emission {
        let told = if self.outbox.broadcasts() && self.carrier.is_none() {
            Vec::new()
        } else {
            let told = events.iter().zip(told).filter(|(_, told)| **told).map(|(event, _)| event);
            let place = |event: &NewEvent| places.iter().find(|place| place.id == event.id).copied();
            told.filter_map(|event| place(event).map(|place| event.emitted(place))).collect()
        };
        Emission { wake: self.emitted.clone(), told, broadcast: self.broadcast.clone(), carrier: self.carrier.clone() }
    }
}

impl Emission {
    /// Says that the transaction has committed: wakes the relay, and tells the broadcast's subscribers, in this process and by the
    /// carrier, unless the database does.
    pub fn committed(self) {
        self.wake.notify_one();
        if let Some(carrier) = &self.carrier {
            let ids: Vec<Uuid> = self.told.iter().map(|event| event.id).collect();
            carrier.tell(&ids);
        }
        for event in self.told {
            self.broadcast.publish(event);
        }
    }
}

fn check(events: &[NewEvent]) -> Result<()> {
    events.iter().try_for_each(|event| name::check(&event.name))
}

/// What a relay step begins with.
#[derive(Debug)]
pub(super) struct Turn {
    /// Whether no other relay is at work. The answer holds until the transaction ends.
    pub(super) is_mine: bool,
    pub(super) now: DateTime<Utc>,
}

/// An event that waits, and how often it could not be delivered.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) event: Emitted,
    pub(super) failures: i32,
}

/// Where events are kept. The time is the database's, moved by the [`Clock`]'s offset.
///
/// Positions are handed out when an event is stored and not when its transaction commits, so one may become visible after a greater
/// one. Nothing here counts on the contrary: what waits is what has not been dispatched. Under one key the order holds, because
/// [`emit_in`](Self::emit_in) lets only one transaction at a time store events under it.
pub(super) trait Outbox: fmt::Debug + Send + Sync + 'static {
    /// Returns whether the database tells all instances of what is `told`; otherwise the process tells itself.
    fn broadcasts(&self) -> bool;

    /// Stores events, all or none. Those `told` are broadcast. Returns where.
    fn emit<'a>(&'a self, events: &'a [NewEvent], told: &'a [bool]) -> BoxFuture<'a, Result<Vec<Place>>>;

    /// Stores events as part of a transaction.
    fn emit_in<'a>(&'a self, tx: &'a Tx, events: &'a [NewEvent], told: &'a [bool])
    -> BoxFuture<'a, Result<Vec<Place>>>;

    /// Asks for the relay's turn, for the rest of the transaction.
    fn turn<'a>(&'a self, tx: &'a Tx) -> BoxFuture<'a, Result<Turn>>;

    /// Returns up to `limit` events that wait, in the order of their positions, without those whose time to be tried again has
    /// not come, and without what comes after such a one under its key.
    fn waiting<'a>(&'a self, tx: &'a Tx, now: DateTime<Utc>, limit: u32) -> BoxFuture<'a, Result<Vec<Waiting>>>;

    /// Marks events as dispatched, or deletes them.
    fn dispatched<'a>(
        &'a self,
        tx: &'a Tx,
        now: DateTime<Utc>,
        positions: &'a [i64],
        delete: bool,
    ) -> BoxFuture<'a, Result<()>>;

    /// Returns the events with these ids, in no order.
    fn by_ids<'a>(&'a self, ids: &'a [Uuid]) -> BoxFuture<'a, Result<Vec<Emitted>>>;

    /// Deletes up to `limit` events that were dispatched longer ago than that. Returns how many.
    fn prune(&self, retention: Duration, limit: u32) -> BoxFuture<'_, Result<u64>>;

    /// Returns how it is doing.
    fn stats(&self) -> BoxFuture<'_, Result<Stats>>;
}
