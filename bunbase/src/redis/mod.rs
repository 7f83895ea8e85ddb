//! Redis: one pool of connections for all services that keep something there.
//!
//! Here: [`Redis`], its address, time limits, reconnection, and what an error of Redis means. Not here: what is kept, and as
//! what (`kv`, `lock`). Every operation of more than one step is one Lua script, so that nothing comes in between. Redis may lose
//! what it has at any time: what must not be lost is in the database too. May name: `error`, `service`,
//! `observe`.

mod address;
mod breaker;
mod manager;
mod measure;
mod pool;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod usage;

pub use self::{
    pool::{Redis, Settings},
    usage::Usage,
};
pub(crate) use deadpool_redis::redis::{Script, cmd};

/// Returns a time span as commands take it: whole milliseconds, at least one, and at most so many that the time when it ends fits.
pub(crate) fn millis(span: std::time::Duration) -> u64 {
    const MOST: u64 = 10_000_000_000_000;
    u64::try_from(span.as_millis()).unwrap_or(MOST).clamp(1, MOST)
}
