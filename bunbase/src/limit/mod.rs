//! Rate limits: how many calls of one kind are let through in a time.
//!
//! Here: [`Limits`], the [`Rule`] with its two algorithms, and where calls are counted. Not here: who is counted and what is
//! answered (`guard`). A new backend implements [`LimitStore`] and passes `tests/conformance.rs`; nothing else changes. May name:
//! `db`, `redis`, `clock`, `error`.
//!
//! Each decision is one atomic step of whoever counts, so that a limit of N lets exactly N of any number of concurrent calls
//! through, over all instances that share it. A key takes the same room however many calls it has had. Time is judged by
//! the clock of whoever counts.

mod fallback;
mod handle;
mod memory;
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod rule;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use self::{
    fallback::Fallback,
    handle::Limits,
    memory::Memory,
    postgres::Postgres,
    rule::{Algorithm, Rule, Taken},
    sqlite::Sqlite,
    store::LimitStore,
};
