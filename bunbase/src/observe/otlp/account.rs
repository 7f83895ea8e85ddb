//! What becomes of telemetry: each item is counted once.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use opentelemetry_sdk::error::OTelSdkResult;

use crate::observe::{Metrics, labels};

/// The items of one kind, and the room in their queue.
pub(super) struct Account {
    signal: &'static str,
    most: usize,
    waiting: AtomicUsize,
    /// Of the export that goes on: there is one at a time.
    leaving: AtomicUsize,
    is_closed: AtomicBool,
    is_failing: AtomicBool,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Account {
    pub(super) fn new(signal: &'static str, most: usize) -> Arc<Self> {
        Arc::new(Self {
            signal,
            most,
            waiting: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            exported: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        })
    }

    /// Takes a place in the queue for one item. Where there is none, the item is dropped.
    pub(super) fn admit(&self) -> bool {
        let has_room = !self.is_closed.load(Ordering::Acquire)
            && self
                .waiting
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < self.most).then_some(n + 1))
                .is_ok();
        if !has_room {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Gives back the places of items that are about to be exported. Those that were dropped meanwhile have none.
    pub(super) fn leave(&self, count: usize) {
        let mut left = 0;
        let take = |waiting: usize| {
            left = waiting.min(count);
            Some(waiting - left)
        };
        // It always has an answer.
        let _ = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        self.leaving.store(left, Ordering::Release);
    }

    /// Counts what became of an export. The first failure in a row is told, and so is the first success after it.
    pub(super) fn ended(&self, result: &OTelSdkResult) {
        let count = as_u64(self.leaving.swap(0, Ordering::AcqRel));
        let signal = self.signal;
        match result {
            Ok(()) => {
                self.exported.fetch_add(count, Ordering::Relaxed);
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    let failed = self.failed.load(Ordering::Relaxed);
                    tracing::info!(target: "bunbase::telemetry", signal, failed, "the collector takes what is sent again");
                }
            }
            Err(error) => {
                self.failed.fetch_add(count, Ordering::Relaxed);
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        target: "bunbase::telemetry", signal, %error,
                        "the collector does not take what is sent; until it does, it is lost and counted"
                    );
                }
            }
        }
    }

    /// Takes nothing more. What still waits is dropped, and an export that has not ended has failed.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.dropped.fetch_add(as_u64(self.waiting.swap(0, Ordering::AcqRel)), Ordering::Relaxed);
        self.failed.fetch_add(as_u64(self.leaving.swap(0, Ordering::AcqRel)), Ordering::Relaxed);
    }

    /// Returns how many items were exported, failed and dropped.
    pub(super) fn counts(&self) -> [u64; 3] {
        [&self.exported, &self.failed, &self.dropped].map(|count| count.load(Ordering::Relaxed))
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Registers what becomes of spans and log lines.
pub(crate) fn measure(metrics: &Metrics, spans: Option<&super::SpanExport>, logs: Option<&super::LogExport>) {
    let accounts: Vec<_> =
        spans.map(super::SpanExport::account).into_iter().chain(logs.map(super::LogExport::account)).collect();
    if accounts.is_empty() {
        return;
    }
    let help = "Spans and log lines for the collector, by what became of them";
    metrics.counts("bunbase_telemetry_items", help, move || {
        let one = |account: &Arc<Account>| {
            let of = |result| labels([("signal", account.signal), ("result", result)]);
            ["exported", "failed", "dropped"].map(of).into_iter().zip(account.counts())
        };
        accounts.iter().flat_map(one).collect::<Vec<_>>()
    });
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.signal).field(&self.counts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn each_item_is_counted_once_whenever_it_ends() {
        let account = Account::new("traces", 3);
        let admitted = (0..5).filter(|_| account.admit()).count();
        assert_eq!((admitted, account.counts()), (3, [0, 0, 2]));
        account.leave(2);
        account.ended(&Ok(()));
        account.leave(1);
        account.ended(&Err(OTelSdkError::InternalFailure("away".to_owned())));
        assert_eq!(account.counts(), [2, 1, 2]);
        // One is being sent and one waits when it is closed; both end afterwards.
        assert!(account.admit() && account.admit());
        account.leave(1);
        account.close();
        assert_eq!(account.counts(), [2, 2, 3]);
        account.ended(&Ok(()));
        account.leave(1);
        account.ended(&Ok(()));
        assert!(!account.admit());
        assert_eq!(account.counts(), [2, 2, 4]);
    }
}
