//! What a database must do for keys.

use std::{fmt, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Call, Key};
use crate::{
    Result,
    db::{FromQueryResult, Tx, sea_orm},
};

/// How a call with a key stands; `O` is what holds the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun<O = Owner> {
    /// It is the first one, or those before it gave up: it runs now, and holds the key.
    Mine(O),
    /// It was answered before.
    Replay(Stored),
    /// Another one holds the key; its lock may be extended.
    Running {
        /// When the lock ends, by the database's clock.
        until: DateTime<Utc>,
    },
    /// The key was sent with another call.
    Mismatch,
}

/// Who holds a key. What names the token of another changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub(super) scope: String,
    pub(super) key: Key,
    pub(super) token: Uuid,
}

impl Owner {
    pub(super) fn of(call: &Call) -> Self {
        Self { scope: call.scope.clone(), key: call.key.clone(), token: Uuid::new_v4() }
    }
}

/// An answer as it is kept, byte for byte.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to it, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Stored {
    /// Leaves values out: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Stored")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Where keys are kept. Locks and expiry are judged by the database's clock, moved by the
/// [`Clock`](crate::clock::Clock)'s offset.
pub trait KeyStore: fmt::Debug + Send + Sync + 'static {
    /// Takes the key if it is free, or says how it stands.
    ///
    /// It is free when nobody has it, when it has expired, and when the lock of the same call has ended without an
    /// answer. One call of many at once takes it.
    fn begin<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Begun>>;

    /// Says how the key stands and changes nothing; `None` is free.
    fn look<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<Begun>>>;

    /// Keeps the answer, outside of any transaction. Returns whether the key was still held.
    fn finish<'a>(&'a self, owner: &'a Owner, answer: &'a Stored) -> BoxFuture<'a, Result<bool>>;

    /// Keeps the answer as part of a transaction. Returns whether the key was still held: if not, another call runs or
    /// has run, and the transaction must roll back.
    fn finish_in<'a>(&'a self, tx: &'a Tx, owner: &'a Owner, answer: &'a Stored) -> BoxFuture<'a, Result<bool>>;

    /// Gives the key back without an answer, so that another call may run. Returns whether it was still held.
    fn abandon<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<bool>>;

    /// Holds the key for so long from now. Returns whether it was still held.
    fn extend<'a>(&'a self, owner: &'a Owner, lock: Duration) -> BoxFuture<'a, Result<bool>>;

    /// Deletes at most `limit` keys that have expired, oldest first. Returns how many.
    fn prune(&self, limit: u32) -> BoxFuture<'_, Result<u64>>;
}

/// How often a key that others take and give back at this very moment is asked for.
pub(super) const ATTEMPTS: u32 = 10;

/// A key as a statement answers it; a row with the state `mine` is the one that the statement took.
#[derive(FromQueryResult)]
pub(super) struct Row {
    fingerprint: Vec<u8>,
    state: String,
    locked_until: DateTime<Utc>,
    status: Option<i32>,
    headers: Option<String>,
    body: Option<Vec<u8>>,
}

impl Row {
    /// Says how the key stands for a call, which `owner` would be.
    pub(super) fn into_begun(self, call: &Call, owner: Owner) -> Result<Begun> {
        if self.fingerprint != call.fingerprint.as_bytes() {
            return Ok(Begun::Mismatch);
        }
        Ok(match self.state.as_str() {
            "mine" => Begun::Mine(owner),
            "running" => Begun::Running { until: self.locked_until },
            _ => Begun::Replay(Stored {
                status: self.status.and_then(|status| status.try_into().ok()).unwrap_or(500),
                headers: serde_json::from_str(self.headers.as_deref().unwrap_or("[]"))?,
                body: self.body.unwrap_or_default().into(),
            }),
        })
    }
}
