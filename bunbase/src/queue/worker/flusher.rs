//! Writing down how jobs ended, many with one statement.

use std::{collections::BTreeSet, error::Error as StdError, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    super::{Failed, Lease, Outcome, backoff},
    Shared,
    run::Ending,
};
use crate::Result;

/// How long an ending waits for others while more are to come.
const LINGER: Duration = Duration::from_millis(3);

/// The first and the longest wait before a statement is tried again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How often a statement is tried that the database refuses although it is there.
const REFUSALS: u32 = 3;

/// Writes endings until no lane is left to send any.
pub(super) async fn flush(shared: Arc<Shared>, mut endings: mpsc::UnboundedReceiver<Ending>) {
    let statements = shared.statements(shared.settings.queues.iter().map(|(_, concurrency)| concurrency).sum());
    let mut writing = JoinSet::new();
    while let Some(first) = endings.recv().await {
        let batch = gather(&shared, first, &mut endings).await;
        while writing.len() >= statements {
            writing.join_next().await;
        }
        while writing.try_join_next().is_some() {}
        writing.spawn(write(Arc::clone(&shared), batch));
    }
    while writing.join_next().await.is_some() {}
}

/// Gathers what is there, and what comes within a moment while something runs. A job of a group does not wait: the next one of
/// its group may begin only when it is written.
async fn gather(shared: &Shared, first: Ending, endings: &mut mpsc::UnboundedReceiver<Ending>) -> Vec<Ending> {
    let most = shared.settings.batch.max(1);
    let mut is_urgent = first.is_grouped;
    let mut batch = vec![first];
    let late = tokio::time::sleep(LINGER);
    tokio::pin!(late);
    while batch.len() < most {
        let next = match endings.try_recv() {
            Ok(next) => next,
            Err(_) if is_urgent || !shared.hand.has_open() => break,
            Err(_) => tokio::select! {
                next = endings.recv() => match next {
                    Some(next) => next,
                    None => break,
                },
                () = &mut late => break,
            },
        };
        is_urgent |= next.is_grouped;
        batch.push(next);
    }
    batch
}

async fn write(shared: Arc<Shared>, batch: Vec<Ending>) {
    let (mut completed, mut failed, mut cancelled, mut released) = (vec![], vec![], vec![], vec![]);
    // Lanes of this process that may have to look again, and of all.
    let (mut here, mut everywhere) = (BTreeSet::new(), BTreeSet::new());
    for Ending { lease, queue, is_grouped, outcome } in batch {
        if is_grouped {
            here.insert(Arc::clone(&queue));
        }
        match outcome {
            Outcome::Completed => completed.push(lease),
            Outcome::Failed(failure) => {
                here.insert(queue);
                failed.push(Failed { lease, failure });
            }
            Outcome::Cancelled => cancelled.push(lease),
            Outcome::Released => {
                everywhere.insert(queue);
                released.push(lease);
            }
        }
    }
    let store = &*shared.store;
    if let Some(held) = insist(&shared, &completed, || store.complete(&completed)).await {
        tell_lost(completed.len() - held.len().min(completed.len()));
    }
    let of_failed: Vec<_> = failed.iter().map(|failed| failed.lease).collect();
    if let Some(ended) = insist(&shared, &of_failed, || store.fail(&failed)).await {
        tell_lost(failed.len() - ended.len().min(failed.len()));
        for job in ended.iter().filter(|ended| ended.is_dead) {
            tracing::warn!(job = %job.id, "a job failed for good; it is among the dead letters");
        }
    }
    insist(&shared, &cancelled, || store.cancelled(&cancelled)).await;
    insist(&shared, &released, || store.release(&released)).await;
    for queue in here.difference(&everywhere) {
        shared.wake.jobs_here(queue);
    }
    for queue in &everywhere {
        shared.wake.jobs(queue);
    }
}

fn tell_lost(lost: usize) {
    if lost > 0 {
        tracing::warn!(lost, "jobs ended after their leases were lost; they run again");
    }
}

/// Runs a statement until the database answers, and lets go of the jobs that it is about. `None` when there are none, or when it
/// was given up; their leases expire then, and the reaper takes them back.
async fn insist<'a, T>(shared: &Shared, jobs: &[Lease], statement: impl Fn() -> BoxFuture<'a, Result<T>>) -> Option<T> {
    if jobs.is_empty() {
        return None;
    }
    let answer = tokio::select! {
        answer = until_written(shared, jobs.len(), statement) => answer,
        () = shared.given_up.cancelled() => {
            tracing::error!(jobs = jobs.len(), "the ends of jobs could not be written in time; they run again");
            None
        }
    };
    shared.hand.forget(jobs);
    answer
}

async fn until_written<'a, T>(
    shared: &Shared,
    jobs: usize,
    statement: impl Fn() -> BoxFuture<'a, Result<T>>,
) -> Option<T> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let error = match statement().await {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        let is_away = matches!(error.status(), 503 | 504);
        if !is_away && attempt >= REFUSALS {
            tracing::error!(
                error = &error as &dyn StdError,
                jobs,
                "the ends of jobs could not be written; they run again"
            );
            return None;
        }
        tracing::warn!(
            error = &error as &dyn StdError,
            jobs,
            "the ends of jobs could not be written yet; trying again"
        );
        let longest = backoff::ceiling(backoff::Backoff::Exponential, AGAIN.0, AGAIN.1, attempt);
        shared.clock.sleep(backoff::full_jitter(longest).max(AGAIN.0 / 2)).await;
    }
}
