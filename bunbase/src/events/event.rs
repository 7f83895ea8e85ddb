//! An event: before it is stored, and as its subscribers see it.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// An event to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id, version 7.
    pub id: Uuid,
    /// Its name; see [`is_valid_name`](super::is_valid_name).
    pub name: String,
    /// The payload, as JSON.
    pub payload: String,
    /// Events of one name and one key are delivered in the order in which their transactions committed. An empty key is none.
    ///
    /// A transaction that emits under a key holds back others that do so under the same, until it ends; two that emit under the same
    /// keys in another order may be refused as deadlocked (503), to be tried again.
    pub ordering_key: Option<String>,
    /// Who caused it, as JSON.
    pub identity: String,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub traceparent: String,
}

impl NewEvent {
    /// Returns its key, where it has one.
    pub(super) fn key(&self) -> Option<&str> {
        self.ordering_key.as_deref().filter(|key| !key.is_empty())
    }

    pub(super) fn emitted(&self, Place { position, emitted_at, .. }: Place) -> Emitted {
        Emitted {
            position,
            id: self.id,
            name: self.name.clone(),
            payload: self.payload.clone(),
            ordering_key: self.key().map(str::to_owned),
            identity: self.identity.clone(),
            traceparent: self.traceparent.clone(),
            emitted_at,
        }
    }
}

/// Where an event was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub(super) struct Place {
    pub(super) id: Uuid,
    pub(super) position: i64,
    pub(super) emitted_at: DateTime<Utc>,
}

/// An event as it was stored.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Emitted {
    /// Its place among all events. Of one name and one key, later ones have greater positions; in between there are gaps.
    pub position: i64,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The payload, as JSON.
    pub payload: String,
    /// See [`NewEvent::ordering_key`].
    pub ordering_key: Option<String>,
    /// Who caused it, as JSON.
    pub identity: String,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub traceparent: String,
    /// When it was stored, by the database's clock.
    pub emitted_at: DateTime<Utc>,
}

/// The columns of an [`Emitted`].
macro_rules! columns {
    () => {
        "position, id, name, payload, ordering_key, identity, traceparent, emitted_at"
    };
}
pub(super) use columns;
