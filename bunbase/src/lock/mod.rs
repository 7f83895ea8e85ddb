//! Locks: what only one of all instances does at a time.
//!
//! Here: [`Locks`], [`Lock`] and where locks are kept. Not here: who asks for one (`ctx.lock`). A new backend implements
//! [`LockStore`] and passes `tests/conformance.rs`; nothing else changes. May name: `db`, `redis`, `clock`, `error`.
//!
//! A lock is a lease: it is renewed while its holder lives, and ends by itself when it does not. No lease can keep a process that
//! was stopped from going on later, so each has a fencing token, a number that grows from holder to holder: whoever is written to
//! refuses a smaller one than the last. Tokens come from the database wherever the lock is, so Redis may lose all that it has.
//! Source: M. Kleppmann, "How to do distributed locking", 2016.

mod acquire;
mod fallback;
mod fences;
mod held;
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use self::{
    acquire::{Acquire, Locks},
    fallback::Fallback,
    fences::Fences,
    held::Lock,
    postgres::Postgres,
    sqlite::Sqlite,
    store::LockStore,
};
