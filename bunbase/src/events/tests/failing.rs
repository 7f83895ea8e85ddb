use super::*;

#[tokio::test]
async fn what_fails_once_is_delivered_later_and_what_it_did_is_undone() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        // Twice: together with the others, and by itself.
        instance.subscriber.fail("bad", 2);
        instance.emit(&["1", "bad", "2"]).await;
        assert_eq!(instance.step().await, worked(2, 1));
        assert_eq!(instance.payloads().await, ["1", "2"]);
        assert_eq!(instance.step().await, Step::Idle);
        assert_eq!(instance.events.stats().await.unwrap().held, 1);
        instance.clock.advance(Duration::from_secs(2));
        assert_eq!(instance.step().await, worked(1, 0));
        assert_eq!(instance.payloads().await, ["1", "2", "bad"]);
        assert_eq!(instance.events.stats().await.unwrap().held, 0);
    }
}

#[tokio::test]
async fn a_failure_holds_up_its_own_key_only() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.subscriber.fail("bad", 3);
        instance.emit_under("a", &["1", "bad", "3"]).await;
        instance.emit_under("b", &["4"]).await;
        instance.emit(&["5"]).await;
        assert_eq!(instance.step().await, worked(3, 1));
        assert_eq!(instance.payloads().await, ["1", "4", "5"]);
        instance.emit_under("a", &["6"]).await;
        instance.emit_under("b", &["7"]).await;
        assert_eq!(instance.step().await, worked(1, 0));
        // It fails again.
        instance.clock.advance(Duration::from_secs(1));
        assert_eq!(instance.step().await, worked(0, 1));
        instance.clock.advance(Duration::from_secs(2));
        assert_eq!(instance.step().await, worked(3, 0));
        assert_eq!(instance.payloads().await, ["1", "4", "5", "7", "bad", "3", "6"]);
    }
}

#[tokio::test]
async fn what_never_works_is_parked_and_then_holds_up_nothing() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.emit_under("a", &["panic", "2"]).await;
        let parked = event("panic", Some("a"));
        for attempt in 1..10 {
            assert_eq!(instance.step().await, worked(0, 1), "{attempt}");
            instance.clock.advance(Duration::from_mins(5));
        }
        // At the tenth it gives up, and the next goes on without it.
        assert_eq!(instance.step().await, worked(0, 1));
        assert_eq!(instance.step().await, worked(1, 0));
        assert_eq!(instance.payloads().await, ["2"]);
        instance.clock.advance(Duration::from_hours(48));
        assert_eq!(instance.step().await, Step::Idle);

        let all = instance.events.parked(0, 10).await.unwrap();
        assert_eq!(all.len(), 1);
        let one = &all[0];
        assert_eq!((one.event.payload.as_str(), one.failures), (parked.payload.as_str(), 10));
        assert!(!one.error.is_empty() && instance.events.parked(one.event.position, 10).await.unwrap().is_empty());
        let stats = instance.events.stats().await.unwrap();
        assert_eq!((stats.depth, stats.held, stats.parked), (0, 0, 1));
    }
}

#[tokio::test]
async fn what_is_parked_stays_until_it_is_released_or_discarded() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let limits = Limits { max_failures: 1, ..LIMITS };
        instance.subscriber.fail("bad", 2);
        instance.subscriber.fail("worse", 1);
        instance.emit(&["bad", "worse"]).await;
        assert_eq!(instance.events.step(&*instance.subscriber, limits).await.unwrap(), worked(0, 2));
        // Long after everything that was dispatched is gone.
        instance.clock.advance(Duration::from_hours(24 * 365));
        let relay = instance.relay(Settings::default());
        relay.started().await;
        assert_eq!(instance.rows().await, 2);

        let ids: Vec<_> = instance.events.parked(0, 10).await.unwrap().into_iter().map(|one| one.event.id).collect();
        assert!(instance.events.release(ids[0]).await.unwrap());
        assert!(instance.events.discard(ids[1]).await.unwrap());
        instance.delivered_reaches(1).await;
        relay.stop().await;
        assert_eq!(instance.payloads().await, ["bad"]);
        assert!(!instance.events.release(ids[0]).await.unwrap() && !instance.events.discard(ids[0]).await.unwrap());
        assert_eq!(instance.rows().await, 1);
    }
}

/// Refuses everything, as a database that is busy does.
struct Busy;

impl Deliver for Busy {
    fn deliver<'a>(&'a self, _tx: &'a Tx, _events: &'a [Emitted]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(Error::unavailable("busy", Duration::from_secs(1))) })
    }
}

#[tokio::test]
async fn a_database_that_is_busy_is_no_events_fault() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.emit(&["1", "2"]).await;
        assert_eq!(instance.events.step(&Busy, LIMITS).await.unwrap_err().status(), 503);
        assert_eq!(instance.events.stats().await.unwrap().held, 0);
        assert_eq!(instance.step().await, worked(2, 0));
    }
}
