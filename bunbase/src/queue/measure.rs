//! What is measured of the queue.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{JobStore, Outcome, Priority, QueueStats};
use crate::observe::{Asked, Counter, Durations, Labels, Metrics};

/// How jobs end, as the metric tells it.
const ENDS: [&str; 5] = ["succeeded", "retried", "dead", "cancelled", "released"];

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is done.
    Succeeded = 0,
    /// It failed, and is tried again.
    Retried = 1,
    /// It failed for good.
    Dead = 2,
    /// It was asked to stop.
    Cancelled = 3,
    /// Its worker stopped, and handed it back.
    Released = 4,
}

/// What a worker measures of one queue.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    waits: Durations,
    runs: Durations,
    ends: [Counter; ENDS.len()],
}

impl Measures {
    pub(super) fn new(metrics: &Metrics, queue: &str) -> Self {
        let labels: Labels = vec![("queue", queue.to_owned().into())];
        let help = "How long jobs wait from when they are due until a worker has them, in milliseconds";
        let waits = metrics.histograms("bunbase_job_wait_ms", help);
        let runs = metrics.histograms("bunbase_job_duration_ms", "How long attempts of jobs run, in milliseconds");
        let ends = metrics.counters("bunbase_jobs", "Attempts of jobs that have ended, by what became of the job");
        let end = |end: &'static str| {
            let mut labels = labels.clone();
            labels.push(("status", end.into()));
            ends.of(labels)
        };
        Self { waits: waits.of(labels.clone()), runs: runs.of(labels.clone()), ends: ENDS.map(end) }
    }

    pub(super) fn waited(&self, wait: Duration) {
        self.waits.add(wait);
    }

    /// Takes in an attempt that has ended, and whether it was the last one.
    pub(super) fn ran(&self, time: Duration, outcome: &Outcome, was_last: bool) {
        self.runs.add(time);
        let end = match outcome {
            Outcome::Completed => End::Succeeded,
            Outcome::Failed(failure) if was_last || failure.retry_after.is_none() => End::Dead,
            Outcome::Failed(_) => End::Retried,
            Outcome::Cancelled => End::Cancelled,
            Outcome::Released => End::Released,
        };
        self.ends[end as usize].count();
    }
}

/// Registers how full the queues of these stores are, together; those of `known` although they hold nothing. The stores are asked when
/// somebody reads.
pub(crate) fn measure<'s>(metrics: &Metrics, stores: impl Iterator<Item = &'s Arc<dyn JobStore>>, known: Vec<String>) {
    if !metrics.is_on() {
        return;
    }
    // Metrics may live longer than the databases that they are of.
    let stores: Vec<_> = stores.map(Arc::downgrade).collect();
    let known = Arc::<[String]>::from(known);
    let stats = Asked::before_reading(metrics, move || {
        let stores: Vec<_> = stores.iter().filter_map(Weak::upgrade).collect();
        let known = known.clone();
        async move { ask(&stores, &known).await }
    });
    let read = stats.clone();
    metrics.gauges("bunbase_queue_depth", "Jobs that wait, due or not", move || {
        read.read(|stats| stats.iter().flat_map(depths).collect::<Vec<_>>())
    });
    let read = stats.clone();
    metrics.gauges("bunbase_queue_running", "Jobs that run", move || {
        read.read(|stats| stats.iter().map(|one| (queue(one), one.running)).collect::<Vec<_>>())
    });
    let read = stats.clone();
    metrics.gauges("bunbase_queue_dead_letters", "Jobs that failed for good and wait for somebody", move || {
        read.read(|stats| stats.iter().map(|one| (queue(one), one.dead_letters)).collect::<Vec<_>>())
    });
    let help = "For how many seconds the job has been due that waits longest; 0 when none is due";
    metrics.gauges("bunbase_queue_oldest_pending_seconds", help, move || {
        stats.read(|stats| stats.iter().map(|one| (queue(one), one.oldest_due.unwrap_or_default())).collect::<Vec<_>>())
    });
}

async fn ask(stores: &[Arc<dyn JobStore>], known: &[String]) -> Option<Vec<QueueStats>> {
    let mut all: BTreeMap<String, QueueStats> = BTreeMap::new();
    for store in stores {
        for stats in store.stats(known).await.ok()?.queues {
            let sum = all
                .entry(stats.queue.clone())
                .or_insert_with(|| QueueStats { queue: stats.queue.clone(), ..QueueStats::default() });
            for (sum, waiting) in sum.waiting.iter_mut().zip(stats.waiting) {
                *sum += waiting;
            }
            sum.running += stats.running;
            sum.dead_letters += stats.dead_letters;
            sum.oldest_due = sum.oldest_due.max(stats.oldest_due);
        }
    }
    Some(all.into_values().collect())
}

fn depths(stats: &QueueStats) -> Vec<(Labels, u64)> {
    let of = |(priority, waiting): (&Priority, &u64)| {
        let mut labels = queue(stats);
        labels.push(("priority", priority.as_str().into()));
        (labels, *waiting)
    };
    Priority::ALL.iter().zip(&stats.waiting).map(of).collect()
}

fn queue(stats: &QueueStats) -> Labels {
    vec![("queue", stats.queue.clone().into())]
}
