//! Key-value store, locks and cache as an action reaches them.

#[cfg(feature = "redis")]
mod health;
mod stores;
mod transactions;
