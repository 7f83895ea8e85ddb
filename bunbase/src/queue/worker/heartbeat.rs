//! Extending the leases of everything in hand, and learning what is lost or to be cancelled.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::Result;

/// How many leases one statement extends.
const BATCH: usize = 1000;

/// Beats three times a lease, ten times when the database did not answer, and at once when a job is to be cancelled somewhere.
pub(super) async fn beat(shared: Arc<Shared>, stop: CancellationToken) {
    let mut cancels = shared.wake.on_cancel();
    let lease = shared.settings.lease;
    let mut wait = lease / 3;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = shared.clock.sleep(wait) => {}
            () = cancels.notified() => {}
        }
        wait = match extend(&shared).await {
            Ok(()) => lease / 3,
            Err(error) => {
                let lost = shared.hand.expire(lease, shared.clock.now());
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    lost,
                    "the leases of jobs could not be extended"
                );
                lease / 10
            }
        };
    }
}

async fn extend(shared: &Shared) -> Result<()> {
    for leases in shared.hand.leases().chunks(BATCH) {
        let now = shared.clock.now();
        let held = shared.store.heartbeat(leases, shared.settings.lease).await?;
        let lost = shared.hand.confirm(leases, &held, now);
        if lost > 0 {
            tracing::warn!(lost, "the leases of running jobs were lost; they are stopped, and run again elsewhere");
        }
    }
    Ok(())
}
