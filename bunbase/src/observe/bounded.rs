//! Counters by what is not known beforehand, bounded whatever comes.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{Counter, Counters, Labels};

/// How many statuses of one series are found without looking up.
const STATUSES: usize = 8;

/// How many texts a [`ByText`] tells apart.
const TEXTS: usize = 200;

/// What texts beyond those are counted as.
const OTHER: &str = "other";

/// Counters that differ in the status of an answer. The first few are found without a lock or an allocation.
pub(crate) struct ByStatus {
    family: Counters,
    labels: Labels,
    known: [OnceLock<(u16, Counter)>; STATUSES],
}

impl ByStatus {
    pub(crate) fn new(family: &Counters, labels: Labels) -> Self {
        Self { family: family.clone(), labels, known: [const { OnceLock::new() }; STATUSES] }
    }

    /// Counts one more of a status, 100 to 599; any other is counted as 0.
    pub(crate) fn count(&self, status: u16) {
        let status = if (100..600).contains(&status) { status } else { 0 };
        for known in &self.known {
            let (of, counter) = known.get_or_init(|| (status, self.make(status)));
            if *of == status {
                return counter.count();
            }
        }
        self.make(status).count();
    }

    fn make(&self, status: u16) -> Counter {
        let mut labels = self.labels.clone();
        labels.push(("status", status.to_string().into()));
        self.family.of(labels)
    }
}

impl fmt::Debug for ByStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByStatus").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// Counters that differ in a text which the application chooses, such as the code of an error: at most 200, and one for all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByText(Option<Arc<Texts>>);

#[derive(Debug)]
struct Texts {
    family: Counters,
    label: &'static str,
    room: Room,
}

/// How many series there may be, and are.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    taken: AtomicUsize,
}

impl Room {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// Takes the place of one more series; false when there is none. Of two that make the same one at the same time both take one.
    pub(super) fn take(&self) -> bool {
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < self.most).then_some(taken + 1))
            .is_ok()
    }
}

impl ByText {
    pub(crate) fn new(family: &Counters, label: &'static str) -> Self {
        Self(family.0.is_some().then(|| Arc::new(Texts { family: family.clone(), label, room: Room::new(TEXTS) })))
    }

    /// Counts one more. Looks the text up, so it is for what happens seldom.
    pub(crate) fn count(&self, text: &str) {
        let Some(texts) = &self.0 else { return };
        let Some(family) = &texts.family.0 else { return };
        let labels = vec![(texts.label, Cow::Owned(text.to_owned()))];
        if let Some(counter) = family.get(&labels) {
            counter.inc();
            return;
        }
        let labels = if texts.room.take() { labels } else { vec![(texts.label, Cow::Borrowed(OTHER))] };
        family.get_or_create(&labels).inc();
    }
}
