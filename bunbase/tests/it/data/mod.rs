//! Key-value store, locks and cache as an action reaches them.

mod cached;
#[cfg(feature = "redis")]
mod health;
mod stores;
mod transactions;
