//! Events: named payloads that any number of actions subscribe to, delivered at least once to each.
//!
//! Here: the outbox, the relay that empties it, and the broadcast to all instances. Not here: what a subscriber does; `app` makes
//! jobs of an event, in the transaction that marks it as dispatched. May name: `db`, `redis`, `observe`, `clock`,
//! `error`, `service`.

mod broadcast;
mod carrier;
mod deliver;
mod event;
mod listener;
mod measure;
mod name;
mod outbox;
mod parked;
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod relay;
mod sqlite;
#[cfg(test)]
mod tests;

use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::measure::measure;
#[cfg(feature = "redis")]
pub use self::redis::Stream;
pub use self::{
    broadcast::{Broadcast, Subscription},
    carrier::Carrier,
    deliver::Deliver,
    event::{Emitted, NewEvent},
    listener::Listener,
    name::is_valid_name,
    outbox::{Emission, Events, Stats},
    parked::Parked,
    relay::{Relay, Settings},
};

/// A typed event: its name and its payload. `#[event("task.created")]` on a struct implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "put `#[event(\"some.name\")]` on the struct, or write the event's name as text"
)]
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name: words with dots between them, `task.created`.
    const NAME: &'static str;
}
