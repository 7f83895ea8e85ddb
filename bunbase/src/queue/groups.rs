//! Where the walks over the groups of each queue have come to: what both engines share.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// For each queue the group behind which the next walk begins, so that every group has its turn.
///
/// The most urgent jobs are looked at first. Where they all belong to groups that are full, those behind them would never be
/// seen; a walk from group to group finds them.
#[derive(Default)]
pub(super) struct Walk(Mutex<HashMap<String, String>>);

impl Walk {
    /// How many jobs, or groups, one claim looks at.
    pub(super) const LENGTH: i64 = 500;

    /// Returns the group behind which the next walk over a queue begins.
    pub(super) fn behind(&self, queue: &str) -> String {
        self.places().get(queue).cloned().unwrap_or_default()
    }

    /// Says that a walk saw so many groups, and which one last. One that came to the end begins again.
    pub(super) fn went(&self, queue: &str, groups: i64, last: Option<String>) {
        let last = last.filter(|_| groups >= Self::LENGTH).unwrap_or_default();
        self.places().insert(queue.to_owned(), last);
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
