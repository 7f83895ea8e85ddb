//! What the engines do differently for schedules.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use super::entry::Row;
use crate::{Result, db::Tx};

/// Where schedules are kept: the statements that each engine has its own way for, because they ask for the time, lock rows or take
/// lists. All others are the same on both, and stand beside their callers.
///
/// The time is the database's, moved by the [`Clock`](crate::clock::Clock)'s offset.
pub(super) trait ScheduleStore: fmt::Debug + Send + Sync + 'static {
    /// Returns the time.
    fn now<'a>(&'a self, tx: &'a Tx) -> BoxFuture<'a, Result<DateTime<Utc>>>;

    /// Takes up to `limit` schedules that are due, for the rest of the transaction: those made at run time, and of the declared
    /// ones those named. What another transaction holds is left to it. Longest due first.
    fn claim<'a>(&'a self, tx: &'a Tx, declared: &'a [String], limit: u32) -> BoxFuture<'a, Result<Claimed>>;

    /// Returns how long it is until the next of the same schedules is due; zero when one is.
    fn until_next<'a>(&'a self, declared: &'a [String]) -> BoxFuture<'a, Result<Option<Duration>>>;

    /// Deletes up to `limit` ticks that were taken longer ago than that. Returns how many.
    fn prune(&self, retention: Duration, limit: u32) -> BoxFuture<'_, Result<u64>>;
}

/// Schedules that a transaction has taken.
#[derive(Debug)]
pub(super) struct Claimed {
    /// When.
    pub(super) now: DateTime<Utc>,
    pub(super) rows: Vec<Row>,
}

/// Returns how long it is from `now` until the earlier of two times.
pub(super) fn until(now: DateTime<Utc>, due: Option<DateTime<Utc>>, retry: Option<DateTime<Utc>>) -> Option<Duration> {
    let next = due.into_iter().chain(retry).min()?;
    Some((next - now).to_std().unwrap_or_default())
}
