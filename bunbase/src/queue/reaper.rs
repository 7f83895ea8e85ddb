//! The reaper: takes back what dead workers held, raises what waits for too long, deletes what was kept for long enough.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{JobStore, Wake, backoff};
use crate::{Result, clock::Clock};

/// How many rows one statement changes.
const BATCH: u32 = 1000;

/// How many statements of raising and of deleting make up a round: a backlog is worked off over several, beside everything else.
const ROUNDS: u32 = 10;

/// How the reaper works.
#[derive(Clone, Copy, Debug)]
pub struct ReaperSettings {
    /// The leases of the workers. It comes by at least twice in that time.
    pub lease: Duration,
    /// How long a job waits before it is raised by one priority; `None` is never.
    pub raise_after: Option<Duration>,
}

/// Looks after the queue until it is stopped; any number of instances may. Dropping it stops it too, without waiting.
pub struct Reaper {
    stop: CancellationToken,
    started: watch::Receiver<bool>,
    done: watch::Receiver<bool>,
}

impl Reaper {
    /// Starts it on the current runtime.
    pub fn start(store: Arc<dyn JobStore>, wake: Wake, clock: Clock, settings: ReaperSettings) -> Self {
        let stop = CancellationToken::new();
        let (first_round, started) = watch::channel(false);
        let (ended, done) = watch::channel(false);
        let stopped = stop.clone();
        tokio::spawn(async move {
            while !stopped.is_cancelled() {
                // Not cut in the middle: a statement that was sent is waited for.
                if let Err(error) = round(&*store, &wake, settings).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the queue could not be looked after; trying again"
                    );
                }
                first_round.send_replace(true);
                // Instances that were started together do not stay together.
                let wait = settings.lease / 4 + backoff::full_jitter(settings.lease / 4);
                stopped.run_until_cancelled(clock.sleep(wait)).await;
            }
            ended.send_replace(true);
        });
        Self { stop, started, done }
    }

    /// Waits until it has been through the queue once.
    pub async fn started(&self) {
        let _ = self.started.clone().wait_for(|is_done| *is_done).await;
    }

    /// Stops it and returns when it is done; may be called again.
    pub async fn stop(&self) {
        self.stop.cancel();
        let _ = self.done.clone().wait_for(|is_done| *is_done).await;
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Reaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaper").finish_non_exhaustive()
    }
}

async fn round(store: &dyn JobStore, wake: &Wake, settings: ReaperSettings) -> Result<()> {
    loop {
        let reaped = store.reap(BATCH).await?;
        for queue in &reaped.queues {
            wake.jobs(queue);
        }
        if reaped.jobs() > 0 {
            let (retrying, dead) = (reaped.retrying, reaped.dead);
            tracing::warn!(retrying, dead, "the leases of jobs had expired; their workers are gone or cut off");
        }
        if reaped.jobs() < u64::from(BATCH) {
            break;
        }
    }
    if let Some(after) = settings.raise_after {
        for _ in 0..ROUNDS {
            if store.raise(after, BATCH).await? < u64::from(BATCH) {
                break;
            }
        }
    }
    for _ in 0..ROUNDS {
        if store.prune(BATCH).await? < u64::from(BATCH) {
            break;
        }
    }
    Ok(())
}
