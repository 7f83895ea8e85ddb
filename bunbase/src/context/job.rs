//! The job behind a run.

use std::{fmt, sync::Arc};

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Error, Result,
    queue::{JobStore, Lease},
};

/// The job behind a run, as its handler sees it: [`Ctx::job`](super::Ctx::job).
#[derive(Clone)]
pub struct Job {
    pub(crate) lease: Lease,
    pub(crate) origin: Option<Arc<str>>,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) cancelled: CancellationToken,
}

impl Job {
    /// Returns its id: what enqueuing it answered. The same in each attempt.
    pub fn id(&self) -> Uuid {
        self.lease.id
    }

    /// Returns what it came from: an event's id, a schedule and its tick, a webhook's delivery id; `None` for one that an action
    /// enqueued.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Stores how far it is, for whoever looks at the job: any JSON.
    ///
    /// # Errors
    /// 409 `job_lost` when this worker's lease has run out and the job is another's: then stop. 503 when the database is away.
    pub async fn progress(&self, progress: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(progress)?;
        if self.store.progress(self.lease, &text).await? {
            return Ok(());
        }
        Err(Error::new(409, "job_lost", "the lease of this job has run out; it is another worker's, or over"))
    }

    /// Returns whether the job was cancelled, its lease lost, or the worker is about to end. The run is dropped at its next
    /// `await`; one that computes has to look.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.lease.id).field("origin", &self.origin).finish_non_exhaustive()
    }
}
