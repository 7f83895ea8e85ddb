//! The buffer between runs and the writer.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{RunRecord, RunStatus, record::id_of};
use crate::observe::{Durations, Labels, Metrics, labels, redact};

/// The part of the buffer that only failures and slow runs may fill: one quarter.
const RESERVE: usize = 4;

/// The part of the buffer that a batch is at most: a sixteenth, so that two at a time are an eighth. What is being written cannot make room for
/// what comes, and while the database is away it takes as long to find that out as a connection may take.
const BATCH: usize = 16;

/// For how many records a queue keeps room when it has fewer.
const ROOM: usize = 4096;

/// What is recorded, and how much of it waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many records call for a write before its time.
    pub flush_at: usize,
    /// How much memory records may take, in bytes: those that wait and those that are being written.
    pub most_bytes: usize,
    /// The share of successes that is recorded, from 0 to 1.
    pub sample: f64,
    /// How long a run takes that is recorded in any case.
    pub slow: Duration,
    /// Whether what runs log is recorded.
    pub logs: bool,
    /// Whether inputs are recorded.
    pub inputs: bool,
    /// Whether outputs are recorded.
    pub outputs: bool,
}

impl Default for Limits {
    /// 500 records, 16 MiB, everything, 1 s; logs, but neither inputs nor outputs.
    fn default() -> Self {
        Self {
            flush_at: 500,
            most_bytes: 16 << 20,
            sample: 1.0,
            slow: Duration::from_secs(1),
            logs: true,
            inputs: false,
            outputs: false,
        }
    }
}

/// Takes records; clones fill the same buffer.
///
/// # What is kept
/// Failures, runs that took long, and runs that logged an error are always taken. Of the other successes a share is, chosen by the
/// trace id, so that a trace is there as a whole or not at all.
///
/// # When it is full
/// It is bounded in bytes. A quarter is a reserve that successes do not get. When the database does not keep up, the oldest successes
/// are dropped; when there is none left to drop, the oldest of the others: not before these alone fill seven eighths. [`counts`](Self::counts) says how many of each.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    is_on: bool,
    limits: Limits,
    /// A success is taken when the end of its trace id is below.
    sample_below: u64,
    waiting: Mutex<Waiting>,
    sampled_out: AtomicU64,
    full: Notify,
    /// How long statements take that write records.
    flushes: OnceLock<Durations>,
    ids: Ids,
}

#[derive(Default)]
struct Waiting {
    successes: VecDeque<Entry>,
    others: VecDeque<Entry>,
    /// Bytes of successes and of others, those that are being written included.
    bytes: [usize; 2],
    /// Counts records, for their order.
    next: u64,
    counts: Counts,
}

/// What gives entries their ids in the table, and tells those of one recorder from those of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids([u8; 10]);

/// A record that waits. It is moved some times until it is written, and up to 128 bytes that is a few instructions each time.
pub(super) struct Entry {
    pub(super) record: RunRecord,
    number: u64,
    /// About how many bytes of memory it takes.
    weight: u32,
    is_success: bool,
    /// Whether it may be in the table already: nobody knows how its last statement ended.
    pub(super) is_again: bool,
}

/// How many records there were, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Taken into the buffer.
    pub recorded: u64,
    /// Successes that the sample left out.
    pub sampled_out: u64,
    /// Written.
    pub written: u64,
    /// Successes that were dropped because the buffer was full.
    pub dropped_successes: u64,
    /// Failures and slow runs that were dropped because the buffer was full.
    pub dropped_others: u64,
    /// Refused by the database, and lost.
    pub refused: u64,
}

impl Recorder {
    /// A recorder with an empty buffer.
    pub fn new(limits: Limits) -> Self {
        Self::with(true, limits)
    }

    /// A recorder that remembers nothing.
    pub fn off() -> Self {
        Self::with(false, Limits { logs: false, ..Limits::default() })
    }

    fn with(is_on: bool, limits: Limits) -> Self {
        let limits = Limits { flush_at: limits.flush_at.max(1), ..limits };
        Self(Arc::new(Inner {
            is_on,
            limits,
            sample_below: threshold(limits.sample),
            waiting: Mutex::default(),
            sampled_out: AtomicU64::new(0),
            full: Notify::new(),
            flushes: OnceLock::new(),
            ids: Ids(Uuid::new_v4().into_bytes().last_chunk().copied().unwrap_or_default()),
        }))
    }

    /// Takes a record. Never waits for the database.
    pub fn record(&self, mut record: RunRecord) {
        let Inner { is_on, limits, .. } = &*self.0;
        if !is_on {
            return;
        }
        let is_success =
            record.status == RunStatus::Succeeded && record.duration < limits.slow && !record.has_logged_an_error();
        if is_success && !self.samples(record.trace_id) {
            self.0.sampled_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if let Some(failure) = &mut record.failure {
            failure.text = failure.text.take().map(redact::text);
        }
        let weight = Entry::weight_of(&record);
        let mut waiting = self.lock();
        if waiting.make_room(weight as usize, is_success, limits.most_bytes) {
            waiting.add(record, weight, is_success);
            if waiting.len().is_multiple_of(limits.flush_at) {
                drop(waiting);
                self.0.full.notify_one();
            }
        }
    }

    fn samples(&self, trace_id: [u8; 16]) -> bool {
        // The half that the standard asks to be random.
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let end = u128::from_be_bytes(trace_id) as u64;
        self.0.sample_below == u64::MAX || end < self.0.sample_below
    }

    /// Returns what is recorded, and how much of it waits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns how many records wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes of memory records take, those that are being written included.
    pub fn bytes(&self) -> usize {
        self.lock().bytes.iter().sum()
    }

    /// Returns how many records there were.
    pub fn counts(&self) -> Counts {
        Counts { sampled_out: self.0.sampled_out.load(Ordering::Relaxed), ..self.lock().counts }
    }

    /// Registers what became of records.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        let help = "How long statements take that write records of runs, in milliseconds";
        // A second registry would have none of these.
        let _ = self.0.flushes.set(metrics.histograms("bunbase_run_flush_ms", help).of(Labels::new()));
        let recorder = self.clone();
        metrics.counts("bunbase_run_records", "Records of runs, by what became of them", move || {
            let counts = recorder.counts();
            let dropped = counts.dropped_successes + counts.dropped_others;
            let results = [
                ("written", counts.written),
                ("dropped", dropped),
                ("refused", counts.refused),
                ("sampled_out", counts.sampled_out),
            ];
            results.map(|(result, count)| (labels([("result", result)]), count)).to_vec()
        });
        let recorder = self.clone();
        metrics.gauges("bunbase_run_buffer_length", "Records of runs that wait to be written", move || {
            vec![(Labels::new(), recorder.len() as u64)]
        });
        let recorder = self.clone();
        metrics.gauges(
            "bunbase_run_buffer_bytes",
            "Memory that records of runs take until they are written",
            move || vec![(Labels::new(), recorder.bytes() as u64)],
        );
    }

    /// Takes in how long a statement took that writes records.
    pub(super) fn flushed(&self, time: Duration) {
        if let Some(flushes) = self.0.flushes.get() {
            flushes.add(time);
        }
    }

    /// Takes the oldest records out, at least one where there is one. They take up room until [`done`](Self::done).
    pub(super) fn take(&self, most: usize, most_bytes: usize) -> Vec<Entry> {
        let most_bytes = most_bytes.min(self.0.limits.most_bytes / BATCH);
        self.lock().take(most, most_bytes)
    }

    /// Returns what gives its entries their ids.
    pub(super) fn ids(&self) -> Ids {
        self.0.ids
    }

    /// Puts records back that could not be written, where they were.
    pub(super) fn put_back(&self, batch: Vec<Entry>) {
        let (successes, others) =
            batch.into_iter().map(|entry| Entry { is_again: true, ..entry }).partition(|entry| entry.is_success);
        let mut waiting = self.lock();
        put_before(&mut waiting.successes, successes);
        put_before(&mut waiting.others, others);
    }

    /// Lets go of records that were written, or that never can be.
    pub(super) fn done(&self, batch: &[Entry], is_written: bool) {
        let mut waiting = self.lock();
        for entry in batch {
            waiting.free(entry);
        }
        let count = batch.len() as u64;
        if is_written { waiting.counts.written += count } else { waiting.counts.refused += count }
    }

    /// Waits until there are enough records for a flush before its time.
    pub(super) async fn full(&self) {
        self.0.full.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ids {
    /// Returns the id of an entry, which is the same each time.
    pub(super) fn of(self, entry: &Entry) -> Uuid {
        id_of(entry.record.ended_at(), self.0, entry.number)
    }
}

impl Entry {
    /// Returns about how many bytes of memory one of this record takes.
    fn weight_of(record: &RunRecord) -> u32 {
        u32::try_from(record.weight() + size_of::<Self>() - size_of::<RunRecord>()).unwrap_or(u32::MAX)
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.successes.len() + self.others.len()
    }

    fn free(&mut self, entry: &Entry) {
        self.bytes[usize::from(!entry.is_success)] -= entry.weight as usize;
    }

    /// Drops what has to go for a record of this weight. Answers whether there is room for it then.
    fn make_room(&mut self, weight: usize, is_success: bool, most: usize) -> bool {
        loop {
            let [successes, others] = self.bytes;
            let fits =
                successes + others + weight <= most && (!is_success || successes + weight <= most - most / RESERVE);
            if fits {
                return true;
            }
            if let Some(victim) = pop(&mut self.successes) {
                self.free(&victim);
                self.counts.dropped_successes += 1;
            } else if is_success {
                self.counts.dropped_successes += 1;
                return false;
            } else {
                self.counts.dropped_others += 1;
                match pop(&mut self.others) {
                    Some(victim) => self.free(&victim),
                    None => return false,
                }
            }
        }
    }

    fn add(&mut self, record: RunRecord, weight: u32, is_success: bool) {
        let entry = Entry { record, number: self.next, weight, is_success, is_again: false };
        self.next += 1;
        self.counts.recorded += 1;
        self.bytes[usize::from(!is_success)] += weight as usize;
        push(if is_success { &mut self.successes } else { &mut self.others }, entry);
    }

    /// Takes from both queues in the order in which records came: by turns as many of one as came before the first of the other.
    fn take(&mut self, most: usize, most_bytes: usize) -> Vec<Entry> {
        let mut batch = Vec::with_capacity(most.min(self.len()));
        let mut bytes = 0;
        loop {
            let [success, other] = [&self.successes, &self.others].map(first);
            let (queue, end) = if success < other { (&mut self.successes, other) } else { (&mut self.others, success) };
            let left = most - batch.len();
            let fits = |entry: &&Entry| {
                let fits = entry.number < end && (bytes < most_bytes || bytes == 0);
                bytes += if fits { entry.weight as usize } else { 0 };
                fits
            };
            let count = queue.iter().take(left).take_while(fits).count();
            if count == 0 {
                return batch;
            }
            batch.extend(queue.drain(..count));
            spare(queue);
        }
    }
}

/// Returns the number of the first record of a queue; that of none is the last.
fn first(queue: &VecDeque<Entry>) -> u64 {
    queue.front().map_or(u64::MAX, |entry| entry.number)
}

/// Adds a record. The queue grows by a quarter and not to twice its size, because all of its room is memory that is used.
fn push(queue: &mut VecDeque<Entry>, entry: Entry) {
    if queue.len() == queue.capacity() {
        queue.reserve_exact((queue.len() / 4).max(ROOM / 16));
    }
    queue.push_back(entry);
}

/// Takes the oldest record.
fn pop(queue: &mut VecDeque<Entry>) -> Option<Entry> {
    let entry = queue.pop_front()?;
    spare(queue);
    Some(entry)
}

/// Gives back the room of a queue that is half empty.
fn spare(queue: &mut VecDeque<Entry>) {
    if queue.capacity() > ROOM.max(2 * queue.len()) {
        queue.shrink_to((queue.len() + queue.len() / 4).max(ROOM));
    }
}

/// Puts records before those that wait, but for those that another batch has put back: they are in order again.
fn put_before(waiting: &mut VecDeque<Entry>, mut batch: Vec<Entry>) {
    let Some(last) = batch.last().map(|entry| entry.number) else { return };
    while let Some(earlier) = waiting.pop_front_if(|entry| entry.number < last) {
        batch.push(earlier);
    }
    batch.sort_by_key(|entry| entry.number);
    batch.into_iter().rev().for_each(|entry| waiting.push_front(entry));
}

/// Returns the number below which the end of a trace id has to be.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
fn threshold(sample: f64) -> u64 {
    // Casts of numbers that are too large, or none, end at the bounds.
    (sample * u64::MAX as f64) as u64
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("waiting", &self.len()).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
