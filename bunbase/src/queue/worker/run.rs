//! One run of one job.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::{
    super::{Claimed, Failure, Lease, Outcome, backoff},
    Shared,
    hand::Signals,
};

/// How long a run may take to end after it was told to.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The first and the longest wait after a panic, which nobody has said a policy for.
const AFTER_PANIC: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// How a job ended, on its way to the database.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) lease: Lease,
    pub(super) queue: Arc<str>,
    pub(super) is_grouped: bool,
    pub(super) outcome: Outcome,
}

/// Runs a job and passes on how it ended, which it returns, too; none when its lease was lost.
pub(super) async fn run(
    shared: Arc<Shared>,
    queue: Arc<str>,
    job: Claimed,
    signals: Signals,
    endings: mpsc::UnboundedSender<Ending>,
) -> Option<Outcome> {
    let (lease, is_grouped) = (job.lease(), job.group.is_some());
    let outcome = tokio::select! {
        biased;
        () = signals.lost.cancelled() => return None,
        outcome = handle(&shared, job, &signals) => outcome,
        () = overdue(&shared, &signals) => Outcome::Cancelled,
    };
    let cancel_requested = shared.hand.end(lease)?;
    let outcome = match outcome {
        Outcome::Completed => Outcome::Completed,
        _ if cancel_requested => Outcome::Cancelled,
        _ if shared.cut_off.is_cancelled() => Outcome::Released,
        outcome => outcome,
    };
    // The flusher outlives every run.
    let _ = endings.send(Ending { lease, queue, is_grouped, outcome: outcome.clone() });
    Some(outcome)
}

async fn handle(shared: &Shared, job: Claimed, signals: &Signals) -> Outcome {
    let (id, attempt) = (job.id, job.attempt);
    let run = async { shared.handler.run(job, signals.cancelled.clone()).await };
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(job = %id, attempt, "the handler of a job panicked");
        let longest = backoff::ceiling(backoff::Backoff::Exponential, AFTER_PANIC.0, AFTER_PANIC.1, attempt);
        Outcome::Failed(Failure {
            code: "panic".to_owned(),
            message: "the handler panicked".to_owned(),
            retry_after: Some(backoff::full_jitter(longest)),
        })
    })
}

/// Waits until a run was told to stop and had the time to.
async fn overdue(shared: &Shared, signals: &Signals) {
    signals.cancelled.cancelled().await;
    shared.clock.sleep(GRACE).await;
}
