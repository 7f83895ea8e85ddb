//! The buffer between runs and the writer.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{RunRecord, RunStatus};

/// Takes records; clones fill the same buffer.
///
/// It is bounded: when the database cannot keep up, records of successes are dropped, the oldest first, and those of
/// failures only when there is nothing else. What was dropped is counted.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    records: Mutex<VecDeque<RunRecord>>,
    is_on: bool,
    /// How many records call for a flush before its time.
    flush_at: usize,
    most: usize,
    dropped: AtomicU64,
    full: Notify,
}

impl Recorder {
    /// A buffer that calls for a flush at `flush_at` records, and holds ten times as many.
    pub fn new(flush_at: usize) -> Self {
        Self::with(true, flush_at.max(1))
    }

    /// A recorder that remembers nothing.
    pub fn off() -> Self {
        Self::with(false, 1)
    }

    fn with(is_on: bool, flush_at: usize) -> Self {
        Self(Arc::new(Inner {
            records: Mutex::default(),
            is_on,
            flush_at,
            most: flush_at.saturating_mul(10),
            dropped: AtomicU64::new(0),
            full: Notify::new(),
        }))
    }

    /// Takes a record. Never waits for the database.
    pub fn record(&self, record: RunRecord) {
        if !self.0.is_on {
            return;
        }
        let mut records = self.lock();
        if records.len() >= self.0.most {
            let victim = records.iter().position(|one| one.status == RunStatus::Succeeded).unwrap_or(0);
            records.remove(victim);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        records.push_back(record);
        if records.len() == self.0.flush_at {
            self.0.full.notify_one();
        }
    }

    /// Returns how many records wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many records were dropped.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Takes the oldest records out.
    pub(super) fn take(&self, most: usize) -> Vec<RunRecord> {
        let mut records = self.lock();
        let count = records.len().min(most);
        records.drain(..count).collect()
    }

    /// Puts records back that could not be written.
    pub(super) fn put_back(&self, records: Vec<RunRecord>) {
        let mut waiting = self.lock();
        let room = self.0.most.saturating_sub(waiting.len());
        let lost = records.len().saturating_sub(room);
        for record in records.into_iter().skip(lost).rev() {
            waiting.push_front(record);
        }
        self.0.dropped.fetch_add(lost as u64, Ordering::Relaxed);
    }

    /// Waits until there are enough records for a flush before its time.
    pub(super) async fn full(&self) {
        self.0.full.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RunRecord>> {
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("waiting", &self.len())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(status: RunStatus, attempt: u32) -> RunRecord {
        RunRecord {
            action: "a",
            door: "http",
            trace_id: [1; 16],
            attempt,
            status,
            started_at: chrono::Utc::now(),
            duration: Duration::ZERO,
            http_status: None,
            error_code: None,
            error: None,
        }
    }

    #[test]
    fn successes_go_first_and_what_went_is_counted() {
        let recorder = Recorder::new(1);
        recorder.record(record(RunStatus::Failed, 0));
        for attempt in 1..=15 {
            recorder.record(record(RunStatus::Succeeded, attempt));
        }
        assert_eq!((recorder.len(), recorder.dropped()), (10, 6));
        let kept: Vec<_> = recorder.take(100).iter().map(|record| record.attempt).collect();
        assert_eq!(kept, [0, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    }

    #[test]
    fn what_could_not_be_written_comes_first_again() {
        let recorder = Recorder::new(1);
        (0..4).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
        let taken = recorder.take(2);
        recorder.put_back(taken);
        assert_eq!(recorder.take(1)[0].attempt, 0);
    }
}
