//! What is measured of the outbox.

use futures_util::future::try_join_all;

use super::{Events, Stats};
use crate::observe::{Asked, Labels, Metrics};

/// Registers how the outboxes of these databases are doing, together. They are asked when somebody reads.
pub(crate) fn measure<'e>(metrics: &Metrics, events: impl Iterator<Item = &'e Events>) {
    if !metrics.is_on() {
        return;
    }
    let all: Vec<_> = events.cloned().collect();
    let stats = Asked::before_reading(metrics, move || {
        let all = all.clone();
        async move { try_join_all(all.iter().map(Events::stats)).await.ok().map(sum) }
    });
    let read = stats.clone();
    metrics.gauges("bunbase_outbox_pending", "Events that wait to be delivered", move || {
        read.read(|stats| vec![(Labels::new(), stats.depth)])
    });
    let read = stats.clone();
    metrics.gauges("bunbase_outbox_held", "Events that wait because they could not be delivered", move || {
        read.read(|stats| vec![(Labels::new(), stats.held)])
    });
    let read = stats.clone();
    metrics.gauges("bunbase_outbox_parked", "Events that could not be delivered and wait for somebody", move || {
        read.read(|stats| vec![(Labels::new(), stats.parked)])
    });
    let help = "How many seconds the oldest event has waited to be delivered; 0 when none waits";
    metrics.gauges("bunbase_outbox_oldest_seconds", help, move || stats.read(|stats| vec![(Labels::new(), stats.lag)]));
}

fn sum(all: Vec<Stats>) -> Stats {
    all.into_iter().fold(Stats::default(), |sum, one| Stats {
        depth: sum.depth + one.depth,
        lag: sum.lag.max(one.lag),
        held: sum.held + one.held,
        parked: sum.parked + one.parked,
    })
}
