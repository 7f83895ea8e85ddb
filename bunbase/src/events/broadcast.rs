//! Events for every instance: in memory, at most once.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::broadcast::{self, error::RecvError};

use super::Emitted;

/// How many events a subscriber may be behind. One that is further behind loses the oldest.
const CAPACITY: usize = 1024;

/// The broadcast of a process: what it hears goes to its own subscribers. Cheap to clone.
///
/// An event whose name has subscribers reaches every instance that runs, at most once: an instance that is away, that has lost its
/// connection to the database, or whose subscribers are more than 1024 events behind, misses some. On Postgres instances hear of
/// it by `NOTIFY` in the event's own transaction, which costs a lock over all commits that do so. On SQLite the process that emits it is the
/// only one that hears of it. With `events.transport = "redis"` instances hear of it by a stream of Redis, on both.
#[derive(Clone, Debug)]
pub struct Broadcast {
    names: Arc<BTreeSet<String>>,
    sender: broadcast::Sender<Arc<Emitted>>,
}

/// What a subscriber receives from.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Arc<Emitted>>);

impl Broadcast {
    /// Returns the broadcast of events with these names.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: Arc::new(names.into_iter().collect()), sender: broadcast::Sender::new(CAPACITY) }
    }

    /// Returns whether events of this name are broadcast.
    pub fn has_subscribers(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Returns whether any event is.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Subscribes, from now on, to the events of all names.
    pub fn subscribe(&self) -> Subscription {
        Subscription(self.sender.subscribe())
    }

    /// Hands an event to the subscribers in this process.
    pub(super) fn publish(&self, event: Emitted) {
        // Without a subscriber there is nobody to tell.
        let _ = self.sender.send(Arc::new(event));
    }
}

impl Subscription {
    /// Waits for the next event; `None` when the application is gone.
    pub async fn next(&mut self) -> Option<Arc<Emitted>> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(count)) => {
                    tracing::warn!(count, "a subscriber of broadcast events is too slow; the oldest are lost to it");
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn event(position: i64) -> Emitted {
        Emitted {
            position,
            id: Uuid::nil(),
            name: "cache.cleared".into(),
            payload: "{}".into(),
            ordering_key: None,
            identity: "{}".into(),
            traceparent: String::new(),
            emitted_at: DateTime::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn every_subscriber_gets_what_comes_after_it_subscribed() {
        let broadcast = Broadcast::of(["cache.cleared".to_owned()]);
        broadcast.publish(event(1));
        let (mut one, mut other) = (broadcast.subscribe(), broadcast.clone().subscribe());
        broadcast.publish(event(2));
        assert_eq!(one.next().await.unwrap().position, 2);
        assert_eq!(other.next().await.unwrap().position, 2);
        drop(broadcast);
        assert!(one.next().await.is_none());
    }

    #[tokio::test]
    async fn a_slow_subscriber_loses_the_oldest_and_goes_on() {
        let broadcast = Broadcast::of([]);
        let mut slow = broadcast.subscribe();
        let last = i64::try_from(CAPACITY).unwrap() + 10;
        (1..=last).for_each(|position| broadcast.publish(event(position)));
        assert_eq!(slow.next().await.unwrap().position, 11);
    }
}
