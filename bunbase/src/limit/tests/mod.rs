//! The room as a whole, on every backend.

mod conformance;
#[cfg(feature = "redis")]
mod losing_redis;
mod places;
