//! A key-value store: what an application wants to find again by a name, for a while or for good.
//!
//! Here: [`Kv`], the typed handle that `ctx.kv()` answers, and where the values are. Not here: answers that may be lost at any
//! time (`cache`), what must be exclusive (`lock`), and which store an application has (`app`). A new backend implements
//! [`KvStore`] and passes `tests/conformance.rs`; nothing else changes. May name: `db`, `redis`, `clock`, `error`.
//!
//! A key is bytes of UTF-8 in a [namespace](Kv::namespace); a value is JSON text. What has expired is gone at once for whoever
//! asks, and [swept](Kv::sweep) later. Expiry is judged by the clock of whoever keeps the values.

mod fallback;
mod handle;
mod measure;
mod memory;
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod sql;
mod sqlite;
mod store;
#[cfg(test)]
pub(crate) mod tests;

#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use self::{
    fallback::Fallback,
    handle::{Kv, Listing, Settings},
    memory::Memory,
    postgres::Postgres,
    sqlite::Sqlite,
    store::{Keys, KvStore, Scope, Ttl, Within},
};
