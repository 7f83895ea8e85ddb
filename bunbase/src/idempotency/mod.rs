//! Answers that are kept, so that a call which is repeated with the same key gets the first one's.
//!
//! Here: the table of keys, who holds one, and waiting for whoever does. Not here: where a key comes from and what an
//! answer is (`invoke`). A new backend implements [`KeyStore`] and passes the tests of this room; nothing else changes.
//! May name: `db`, `clock`, `error`.
//!
//! The life of a key: the first call [begins](Keys::begin) it and holds it under a lock. It [ends](Held::finish_in) in
//! the transaction of the call, with the answer in it, or is [given back](Held::abandon). Calls that come meanwhile
//! wait; those that come later get the answer. Whoever holds a key names its token in all that it does, so that a call
//! whose lock ran out, and whose key another took, changes nothing.

mod call;
mod flight;
mod keys;
mod postgres;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{
    call::{Call, Fingerprint, Key},
    keys::{Held, Keys},
    postgres::Postgres,
    sqlite::Sqlite,
    store::{Begun, KeyStore, Owner, Stored},
};
use crate::{
    Error,
    error::{Retry, code},
};

/// How long calls wait, and answers are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a call waits for another one with its key; 10 s unless said. Zero is not at all.
    pub wait: Duration,
    /// How long an answer is kept; 24 h unless said.
    pub retention: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { wait: Duration::from_secs(10), retention: Duration::from_hours(24) }
    }
}

/// 409: the call with this key still runs; worth another attempt after `retry_after`.
pub fn still_running(retry_after: Duration) -> Error {
    Error::new(409, code::IDEMPOTENCY_RUNNING, "a call with this idempotency key is still running; try again later")
        .retry(Retry::After(retry_after))
}

/// 422: the key was sent with another call.
pub fn mismatch() -> Error {
    Error::new(422, code::IDEMPOTENCY_MISMATCH, "this idempotency key was used with another input").retry(Retry::Never)
}
