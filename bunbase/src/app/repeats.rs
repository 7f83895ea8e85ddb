//! Warnings and errors that repeat: only so many of one place in the code are written in a time, and the rest is counted.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Event, Level, Metadata, callsite::Identifier};
use tracing_subscriber::{
    filter::LevelFilter,
    layer::{Context, Filter},
};

/// The time that lines are counted in.
pub(super) const PERIOD: Duration = Duration::from_secs(10);

/// What tells of lines that were left out: it is never left out itself.
const OWN: &str = "bunbase::log";

/// A filter that lets so many lines of each place through in ten seconds. Cheap to clone; a clone counts with it.
///
/// What runs log still goes to their records.
#[derive(Clone)]
pub(super) struct Repeats(Arc<Inner>);

struct Inner {
    /// 0 lets everything through.
    most: u32,
    places: Mutex<HashMap<Identifier, Place>>,
}

struct Place {
    metadata: &'static Metadata<'static>,
    began: Instant,
    count: u32,
    left_out: u64,
}

/// Lines of one place that were left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) lines: u64,
}

impl Repeats {
    pub(super) fn new(most: u32) -> Self {
        Self(Arc::new(Inner { most, places: Mutex::default() }))
    }

    fn lets_through(&self, metadata: &'static Metadata<'static>, now: Instant) -> bool {
        if self.0.most == 0 || *metadata.level() > Level::WARN || metadata.target() == OWN {
            return true;
        }
        let mut places = self.places();
        let new = || Place { metadata, began: now, count: 0, left_out: 0 };
        let place = places.entry(metadata.callsite()).or_insert_with(new);
        if now.saturating_duration_since(place.began) >= PERIOD {
            (place.began, place.count) = (now, 0);
        }
        if place.count < self.0.most {
            place.count += 1;
            return true;
        }
        place.left_out += 1;
        false
    }

    /// Returns what was left out since this was asked last.
    pub(super) fn take(&self) -> Vec<LeftOut> {
        let mut places = self.places();
        let told = places.values_mut().filter(|place| place.left_out > 0);
        told.map(|place| LeftOut { metadata: place.metadata, lines: std::mem::take(&mut place.left_out) }).collect()
    }

    /// Tells what was left out, every ten seconds.
    pub(super) async fn tell(self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            self.tell_now();
        }
    }

    /// Tells what was left out.
    pub(super) fn tell_now(&self) {
        for LeftOut { metadata, lines } in self.take() {
            let place = format!("{}:{}", metadata.file().unwrap_or("?"), metadata.line().unwrap_or(0));
            tracing::warn!(target: OWN, of = metadata.target(), place, lines, "lines that repeat were left out");
        }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Identifier, Place>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Filter<S> for Repeats {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        self.lets_through(event.metadata(), Instant::now())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Said, because of two filters the one that does not say makes each event ask both, whatever its level.
        Some(LevelFilter::TRACE)
    }
}

impl fmt::Debug for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeats").field("most", &self.0.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing_subscriber::{Layer, layer::SubscriberExt};

    use super::*;

    struct Count(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> Layer<S> for Count {
        fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many lines came through.
    fn through(repeats: &Repeats, work: impl FnOnce()) -> usize {
        let count = Arc::<AtomicUsize>::default();
        let layer = Count(count.clone()).with_filter(repeats.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn a_place_that_repeats_is_heard_so_often_and_told_of() {
        let repeats = Repeats::new(3);
        let lines = through(&repeats, || {
            for number in 0..100 {
                tracing::warn!(number, "it is away");
                tracing::error!(number, "it failed");
                tracing::info!(number, "it went well");
            }
        });
        assert_eq!(lines, 3 + 3 + 100);
        let mut left_out: Vec<_> = repeats.take().iter().map(|one| (*one.metadata.level(), one.lines)).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, [(Level::ERROR, 97), (Level::WARN, 97)]);
        assert!(repeats.take().is_empty(), "it was told");
    }

    #[test]
    fn what_is_told_of_repetition_is_not_left_out_itself() {
        let repeats = Repeats::new(1);
        let lines = through(&repeats, || {
            for _ in 0..5 {
                (0..2).for_each(|_| tracing::warn!("it is away"));
                repeats.tell_now();
            }
        });
        assert_eq!(lines, 1 + 5);
    }

    #[test]
    fn a_place_is_heard_again_after_a_while() {
        let repeats = Repeats::new(1);
        let callsite = tracing::callsite!(
            name: "place", kind: tracing::metadata::Kind::EVENT, target: "t", level: Level::WARN, fields: message
        );
        let metadata = tracing::Callsite::metadata(callsite);
        let now = Instant::now();
        let let_through = |after: Duration| repeats.lets_through(metadata, now + after);
        assert!(let_through(Duration::ZERO));
        assert!(!let_through(PERIOD / 2));
        assert!(let_through(PERIOD));
        assert!(!let_through(PERIOD + PERIOD / 2));
    }

    #[test]
    fn nothing_is_left_out_where_that_is_not_asked_for() {
        let repeats = Repeats::new(0);
        assert_eq!(through(&repeats, || (0..50).for_each(|_| tracing::warn!("it is away"))), 50);
    }
}
