//! Key-value store, locks and cache as an action reaches them.

mod cached;
#[cfg(feature = "redis")]
mod health;
#[cfg(feature = "redis")]
mod pressed;
#[cfg(feature = "redis")]
mod several;
mod stores;
mod transactions;
