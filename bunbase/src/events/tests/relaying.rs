use tokio::sync::oneshot;

use super::*;

/// Only a wake-up, or a clock that is moved, makes it look.
fn woken() -> Settings {
    Settings { poll_interval: Duration::from_hours(1), ..Settings::default() }
}

#[tokio::test]
async fn what_is_emitted_wakes_the_relay() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.emit(&["before"]).await;
        let relay = instance.relay(woken());
        relay.started().await;
        assert_eq!(instance.payloads().await, ["before"]);
        for n in 0..5 {
            instance.emit(&[&n.to_string()]).await;
            instance.delivered_reaches(n + 2).await;
        }
        relay.stop().await;
        tokio::join!(relay.stop(), relay.stop());
        assert_eq!(instance.payloads().await, ["before", "0", "1", "2", "3", "4"]);
    }
}

#[tokio::test]
async fn what_another_process_emits_is_found_by_looking() {
    for database in each().await {
        let (instance, other) = (Instance::of(&database).await, Instance::of(&database).await);
        let relay = instance.relay(woken());
        relay.started().await;
        other.emit(&["1"]).await;
        instance.clock.advance(Duration::from_hours(1));
        instance.delivered_reaches(1).await;
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn relays_of_many_instances_deliver_each_event_once() {
    for database in each().await {
        let mut instances = Vec::new();
        for _ in 0..3 {
            instances.push(Instance::of(&database).await);
        }
        let settings = Settings { batch: 7, ..Settings::default() };
        let relays: Vec<_> = instances.iter().map(|instance| instance.relay(settings.clone())).collect();
        let numbers: Vec<_> = (0..300).map(|n| n.to_string()).collect();
        for (n, part) in numbers.chunks(10).enumerate() {
            let part: Vec<_> = part.iter().map(String::as_str).collect();
            instances[n % 3].emit(&part).await;
        }
        // Any of them may deliver the last one.
        let reached = instances.iter().map(|instance| Box::pin(instance.delivered_reaches(300)));
        futures_util::future::select_all(reached).await;
        for relay in &relays {
            relay.stop().await;
        }
        assert_eq!(instances[0].payloads().await, numbers);
    }
}

#[tokio::test]
async fn only_one_relay_works_at_a_time() {
    for database in each().await {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let instance = Instance::of(&database).await;
        instance.emit(&["1"]).await;
        let other = instance.db.begin_tx().await.unwrap();
        assert!(instance.events.outbox.turn(&other).await.unwrap().is_mine);
        assert_eq!(instance.step().await, Step::Busy);
        other.rollback().await.unwrap();
        assert_eq!(instance.step().await, worked(1, 0));
    }
}

/// Delivers, and then never returns.
struct Unending(std::sync::Mutex<Option<oneshot::Sender<()>>>);

impl Deliver for Unending {
    fn deliver<'a>(&'a self, tx: &'a Tx, events: &'a [Emitted]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            Subscriber::default().deliver(tx, events).await?;
            if let Some(delivered) = self.0.lock().unwrap().take() {
                let _ = delivered.send(());
            }
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn a_relay_that_is_killed_on_the_way_loses_nothing() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.emit(&["1", "2"]).await;
        let (sender, delivered) = oneshot::channel();
        // A runtime of its own, which takes its tasks with it.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let settings = database.settings();
        let dead = runtime.spawn(async move {
            let db = Db::open(&settings).await.unwrap();
            let events = Events::new(db, Clock::system(), Broadcast::of([]), Arc::default());
            let relay = Relay::start(events, Arc::new(Unending(Some(sender).into())), Settings::default());
            std::future::pending::<()>().await;
            drop(relay);
        });
        delivered.await.unwrap();
        runtime.shutdown_background();
        assert!(dead.await.unwrap_err().is_cancelled());

        let relay = instance.relay(Settings::default());
        instance.delivered_reaches(2).await;
        relay.stop().await;
        assert_eq!(instance.payloads().await, ["1", "2"]);
    }
}

#[tokio::test]
async fn steps_that_are_dropped_at_any_moment_lose_nothing() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.emit(&["1", "2"]).await;
        for polls in 0..30 {
            let unending = Unending(None.into());
            let mut step = std::pin::pin!(instance.events.step(&unending, LIMITS));
            for _ in 0..polls {
                // It ends when the one before, whose rollback is on its way, still has the turn.
                if let Ok(ended) = tokio::time::timeout(Duration::from_millis(1), step.as_mut()).await {
                    assert_eq!(ended.unwrap(), Step::Busy);
                    break;
                }
            }
        }
        while instance.step().await != worked(2, 0) {}
        assert_eq!(instance.payloads().await, ["1", "2"]);
    }
}

#[tokio::test]
async fn dispatched_events_are_deleted_after_their_retention() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let relay = instance.relay(Settings { retention: Some(Duration::from_hours(2)), ..woken() });
        instance.emit(&["1"]).await;
        instance.delivered_reaches(1).await;
        // A step that has begun would mark the next one with the time before.
        relay.stop().await;
        instance.clock.advance(Duration::from_mins(90));
        let relay = instance.relay(Settings { retention: Some(Duration::from_hours(2)), ..woken() });
        instance.emit(&["2"]).await;
        instance.delivered_reaches(2).await;
        relay.stop().await;
        assert_eq!(instance.rows().await, 2);
        instance.clock.advance(Duration::from_mins(45));
        let relay = instance.relay(Settings { retention: Some(Duration::from_hours(2)), ..woken() });
        relay.started().await;
        relay.stop().await;
        let left: String = instance.db.sql("SELECT payload FROM event_outbox").scalar().await.unwrap();
        assert_eq!((left.as_str(), instance.rows().await), ("2", 1));
    }
}

#[tokio::test]
async fn without_retention_an_event_goes_as_it_is_dispatched() {
    for database in each().await {
        let instance = Instance::with(&database, Broadcast::of(["cache.cleared".to_owned()])).await;
        let relay = instance.relay(Settings { retention: None, ..woken() });
        relay.started().await;
        let told = NewEvent { name: "cache.cleared".into(), ..event("told", None) };
        instance.events.emit(&[event("1", None), told]).await.unwrap();
        instance.delivered_reaches(2).await;
        // The other instances have yet to read what is broadcast.
        assert_eq!(instance.rows().await, 1);
        relay.stop().await;
        instance.clock.advance(Duration::from_mins(2));
        let relay = instance.relay(Settings { retention: None, ..woken() });
        relay.started().await;
        relay.stop().await;
        assert_eq!(instance.rows().await, 0);
    }
}

#[tokio::test]
async fn a_relay_stops_while_the_database_is_away() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        instance.db.close().await;
        let relay = instance.relay(Settings::default());
        tokio::join!(relay.stop(), relay.stop());
    }
}
