//! Time, as the framework sees it: the system's, or one that a test moves.
//!
//! Here: [`Clock`], which everything that waits or is due asks. Not here: measuring how long something took (that is
//! `std::time::Instant`), and the database's own clock, which judges leases and due times: a statement asks for
//! `statement_timestamp()` on Postgres and adds [`Clock::offset_us`], so that a test moves both together. SQLite has no clock
//! of its own worth asking (it would be this machine's), so there [`Clock::now`] is bound.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// The longest that a wait goes without looking at the time again: the system's clock may be set.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A clock; clones show the same time.
///
/// It is the system's clock with an offset, which is zero but in tests: time goes on by itself there too, and
/// [`advance`](Self::advance) moves it forward at once and wakes everything that waits.
///
/// ```
/// # use {bunbase::clock::Clock, std::time::Duration};
/// let clock = Clock::system();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert!(clock.now() - before >= chrono::TimeDelta::hours(1));
/// ```
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    offset_us: AtomicI64,
    /// Counts the moves, so that a waiter sees one that happened before it waited.
    moved: watch::Sender<u64>,
}

/// Returns a time span as statements take it, in microseconds: at most some hundred years.
pub(crate) fn micros(span: Duration) -> i64 {
    const MOST: i64 = 10_000_000_000_000_000;
    i64::try_from(span.as_micros()).unwrap_or(MOST).min(MOST)
}

/// As [`micros`], and at least one: what ends must begin.
pub(crate) fn some_micros(span: Duration) -> i64 {
    micros(span).max(1)
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Inner { offset_us: AtomicI64::new(0), moved: watch::Sender::new(0) }))
    }

    /// A clock that is ahead of the system's, or behind it, by so many microseconds: another instance's, in a test.
    pub fn skewed(offset_us: i64) -> Self {
        let clock = Self::system();
        clock.0.offset_us.store(offset_us, Ordering::Release);
        clock
    }

    /// Returns the time, cut to microseconds: what both databases keep.
    pub fn now(&self) -> DateTime<Utc> {
        // What is too far away to have a date has none that a database could keep.
        DateTime::from_timestamp_micros(self.now_us()).unwrap_or_default()
    }

    /// Returns the time in microseconds of Unix time.
    pub fn now_us(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX).saturating_add(self.offset_us())
    }

    /// Returns the time so long from now, at least a microsecond and at most some hundred years.
    pub fn after(&self, span: Duration) -> DateTime<Utc> {
        self.now() + TimeDelta::microseconds(some_micros(span))
    }

    /// Returns how far this clock is ahead of the system's, in microseconds; zero but in tests.
    pub fn offset_us(&self) -> i64 {
        self.0.offset_us.load(Ordering::Acquire)
    }

    /// Moves the time forward and wakes everything that waits on this clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let add = |offset: i64| Some(offset.saturating_add(by));
        // The function always answers a value, so this cannot fail.
        let _ = self.0.offset_us.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        self.0.moved.send_modify(|moves| *moves += 1);
    }

    /// Waits for so long on this clock.
    pub async fn sleep(&self, duration: Duration) {
        let until = self.now().checked_add_signed(TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX));
        self.sleep_until(until.unwrap_or(DateTime::<Utc>::MAX_UTC)).await;
    }

    /// Waits until this clock shows `until`.
    pub async fn sleep_until(&self, until: DateTime<Utc>) {
        let mut moved = self.0.moved.subscribe();
        loop {
            moved.mark_unchanged();
            let Some(left) = (until - self.now()).to_std().ok().filter(|left| !left.is_zero()) else { return };
            tokio::select! {
                () = tokio::time::sleep(left.min(LONGEST_WAIT)) => {}
                // The sender is in `self`, so it does not go away.
                _ = moved.changed() => {}
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("offset_us", &self.offset_us()).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn advancing_wakes_what_waits() {
        let clock = Clock::system();
        let waiting = clock.sleep(Duration::from_hours(24));
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_hours(23));
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_hours(1));
        waiting.await;
    }

    #[tokio::test]
    async fn a_time_that_has_passed_is_not_waited_for() {
        let clock = Clock::skewed(2_000_000);
        clock.sleep_until(Utc::now()).await;
        clock.sleep(Duration::ZERO).await;
    }

    #[test]
    fn clones_show_the_same_time() {
        let clock = Clock::system();
        clock.clone().advance(Duration::from_secs(7));
        assert_eq!(clock.offset_us(), 7_000_000);
    }
}
