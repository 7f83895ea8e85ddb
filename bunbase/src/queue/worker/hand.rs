//! What a worker has in hand: the jobs that it claimed, until their endings are written.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::{Claimed, Held, Lease};

/// The jobs in hand.
#[derive(Default)]
pub(super) struct Hand {
    jobs: Mutex<HashMap<Lease, Entry>>,
    /// How many have not ended.
    open: AtomicUsize,
    /// How many have ended, and that is not written.
    unwritten: watch::Sender<usize>,
}

struct Entry {
    signals: Signals,
    /// When the database last said that it is this worker's.
    confirmed_at: DateTime<Utc>,
    cancel_requested: bool,
    has_ended: bool,
}

/// How a run learns that it is to stop.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// It is to stop soon.
    pub(super) cancelled: CancellationToken,
    /// Its lease is lost: it is to stop now, and how it ends does not matter.
    pub(super) lost: CancellationToken,
}

impl Hand {
    /// Takes what was claimed.
    pub(super) fn take(&self, jobs: &[Claimed], now: DateTime<Utc>) {
        let mut entries = self.entries();
        for job in jobs {
            let entry =
                Entry { signals: Signals::default(), confirmed_at: now, cancel_requested: false, has_ended: false };
            if entries.insert(job.lease(), entry).is_none() {
                self.open.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns how a job that is to begin learns that it is to stop; `None` when its lease is lost already.
    pub(super) fn begin(&self, lease: Lease) -> Option<Signals> {
        self.entries().get(&lease).map(|entry| entry.signals.clone())
    }

    /// Says that a job has ended; its lease is extended until that is written. Returns whether it had been asked to stop, and
    /// `None` when its lease is lost.
    pub(super) fn end(&self, lease: Lease) -> Option<bool> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&lease)?;
        if !entry.has_ended {
            entry.has_ended = true;
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.unwritten.send_if_modified(|unwritten| {
                *unwritten += 1;
                false
            });
        }
        Some(entry.cancel_requested)
    }

    /// Lets go of jobs whose endings are written.
    pub(super) fn forget<'a>(&self, leases: impl IntoIterator<Item = &'a Lease>) {
        let mut written = 0;
        let mut entries = self.entries();
        for lease in leases {
            written += usize::from(entries.remove(lease).is_some_and(|entry| entry.has_ended));
        }
        self.unwritten.send_modify(|unwritten| *unwritten -= written);
    }

    /// Returns how many endings are not written, now and whenever some were.
    pub(super) fn unwritten(&self) -> watch::Receiver<usize> {
        self.unwritten.subscribe()
    }

    /// Returns whether a job waits or runs, so that more endings are to come.
    pub(super) fn has_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Returns everything in hand.
    pub(super) fn leases(&self) -> Vec<Lease> {
        self.entries().keys().copied().collect()
    }

    /// Takes in what a heartbeat about `asked` said at `now`. Returns how many jobs are lost.
    pub(super) fn confirm(&self, asked: &[Lease], held: &[Held], now: DateTime<Utc>) -> usize {
        let held: HashMap<_, _> = held.iter().map(|held| (held.lease, held.cancel_requested)).collect();
        let mut entries = self.entries();
        let mut lost = 0;
        for lease in asked {
            let Some(entry) = entries.get_mut(lease) else { continue };
            match held.get(lease) {
                Some(cancel_requested) => {
                    entry.confirmed_at = now;
                    if *cancel_requested && !entry.cancel_requested {
                        entry.cancel_requested = true;
                        entry.signals.cancelled.cancel();
                    }
                }
                // Its ending may be written just now.
                None if entry.has_ended => {}
                None => {
                    self.lose(&mut entries, *lease);
                    lost += 1;
                }
            }
        }
        lost
    }

    /// Gives up those whose leases must have expired at `now` while the database did not answer. Returns how many.
    pub(super) fn expire(&self, lease: Duration, now: DateTime<Utc>) -> usize {
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        let mut entries = self.entries();
        let is_over = |entry: &Entry| !entry.has_ended && now - entry.confirmed_at > lease;
        let over: Vec<_> = entries.iter().filter(|(_, entry)| is_over(entry)).map(|(lease, _)| *lease).collect();
        for lease in &over {
            self.lose(&mut entries, *lease);
        }
        over.len()
    }

    /// Tells everything that runs to stop.
    pub(super) fn cancel_all(&self) {
        for entry in self.entries().values() {
            entry.signals.cancelled.cancel();
        }
    }

    fn lose(&self, entries: &mut HashMap<Lease, Entry>, lease: Lease) {
        if let Some(entry) = entries.remove(&lease) {
            self.open.fetch_sub(1, Ordering::Relaxed);
            entry.signals.cancelled.cancel();
            entry.signals.lost.cancel();
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Lease, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{super::super::Priority, *};

    const LEASE: Duration = Duration::from_secs(30);
    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn claimed() -> Claimed {
        Claimed {
            id: Uuid::now_v7(),
            claims: 1,
            queue: String::new(),
            action: String::new(),
            input: String::new(),
            priority: Priority::Normal,
            attempt: 1,
            max_attempts: 1,
            group: None,
            door: String::new(),
            origin: None,
            identity: String::new(),
            traceparent: String::new(),
            run_at: NOW,
            created_at: NOW,
        }
    }

    fn hand() -> (Hand, [Lease; 2]) {
        let (hand, jobs) = (Hand::default(), [claimed(), claimed()]);
        hand.take(&jobs, NOW);
        (hand, jobs.map(|job| job.lease()))
    }

    #[test]
    fn what_a_heartbeat_does_not_find_is_lost() {
        let (hand, [kept, gone]) = hand();
        let (of_kept, of_gone) = (hand.begin(kept).unwrap(), hand.begin(gone).unwrap());
        let held = [Held { lease: kept, cancel_requested: true }];
        assert_eq!(hand.confirm(&[kept, gone], &held, NOW), 1);
        assert!(of_gone.lost.is_cancelled() && of_gone.cancelled.is_cancelled());
        assert!(!of_kept.lost.is_cancelled() && of_kept.cancelled.is_cancelled());
        assert_eq!((hand.end(gone), hand.end(kept)), (None, Some(true)));
        assert!(hand.begin(gone).is_none() && !hand.has_open());
    }

    #[test]
    fn what_has_ended_is_kept_until_it_is_written() {
        let (hand, [ended, open]) = hand();
        assert_eq!(hand.end(ended), Some(false));
        assert_eq!(hand.confirm(&[ended, open], &[Held { lease: open, cancel_requested: false }], NOW), 0);
        assert_eq!((hand.leases().len(), hand.has_open()), (2, true));
        hand.forget(&[ended]);
        assert_eq!(hand.leases(), [open]);
    }

    #[test]
    fn a_lease_that_nobody_confirms_runs_out() {
        let (hand, [confirmed, silent]) = hand();
        let later = NOW + LEASE;
        hand.confirm(&[confirmed], &[Held { lease: confirmed, cancel_requested: false }], later);
        assert_eq!(hand.expire(LEASE, later), 0);
        assert_eq!(hand.expire(LEASE, later + TimeDelta::seconds(1)), 1);
        assert_eq!(hand.leases(), [confirmed]);
        assert!(hand.begin(silent).is_none());
    }
}
