//! Who wakes whom in the queue: a job is there, somebody is to stop.

use crate::db::notify::{Notifier, Subscription};

/// The topic of everybody who runs jobs: one that runs is to be cancelled.
const CANCEL: &str = "queue-cancel";

/// Wakes the workers of this process, and of others where the database can.
#[derive(Clone, Debug)]
pub struct Wake(Notifier);

impl Wake {
    /// Wakes by this notifier.
    pub fn new(notifier: Notifier) -> Self {
        Self(notifier)
    }

    /// Says that jobs were stored in this queue, or may be taken again. Call it after the commit.
    pub fn jobs(&self, queue: &str) {
        self.0.notify(&topic(queue));
    }

    /// As [`jobs`](Self::jobs), for what concerns this process alone: its own capacity made room.
    pub(super) fn jobs_here(&self, queue: &str) {
        self.0.notify_here(&topic(queue));
    }

    /// Says that a running job was asked to stop, so that its worker need not wait for the next heartbeat to learn it.
    pub fn cancel(&self) {
        self.0.notify(CANCEL);
    }

    pub(super) fn on_jobs(&self, queue: &str) -> Subscription {
        self.0.subscribe(&topic(queue))
    }

    pub(super) fn on_cancel(&self) -> Subscription {
        self.0.subscribe(CANCEL)
    }
}

fn topic(queue: &str) -> String {
    format!("queue/{queue}")
}
