//! Broadcasts and wake-ups over a stream of Redis, on both engines.

use super::{super::redis::Stream, *};
use crate::redis::{Redis, testing::RedisServer};

async fn over(database: &TestDatabase, redis: &Redis) -> (Instance, super::super::Subscription, Listener) {
    let broadcast = Broadcast::of(["task.created".to_owned()]);
    let mut instance = Instance::with(database, broadcast.clone()).await;
    instance.events = instance.events.over(Stream::new(redis.clone()));
    let listener = Listener::start(instance.events.clone(), None);
    listener.started().await;
    (instance, broadcast.subscribe(), listener)
}

async fn next(subscription: &mut super::super::Subscription) -> String {
    tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap().payload.clone()
}

#[tokio::test]
async fn a_stream_carries_what_is_emitted_to_every_instance_and_loses_no_event() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    for database in each().await {
        let redis = server.redis().unwrap();
        let (one, mut here, listener) = over(&database, &redis).await;
        let (other, mut there, other_listener) = over(&database, &redis).await;
        one.emit(&["1", "2"]).await;
        for payload in ["1", "2"] {
            assert_eq!((next(&mut here).await, next(&mut there).await), (payload.to_owned(), payload.to_owned()));
        }
        // The relay there has been woken; and nobody hears twice of what it emitted itself.
        tokio::time::timeout(PATIENCE, other.events.emitted.notified()).await.unwrap();
        other.emit(&["3"]).await;
        assert_eq!((next(&mut here).await, next(&mut there).await), ("3".to_owned(), "3".to_owned()));

        server.flush().await.unwrap();
        one.emit(&["4"]).await;
        assert_eq!((next(&mut here).await, next(&mut there).await), ("4".to_owned(), "4".to_owned()));

        server.stop();
        one.emit(&["5"]).await;
        assert_eq!(next(&mut here).await, "5");
        assert!(matches!(other.step().await, Step::Worked { delivered: 5, failed: 0 }), "the outbox needs no Redis");
        server.start_again().await.unwrap();
        one.emit(&["6"]).await;
        assert_eq!((next(&mut there).await, next(&mut there).await), ("5".to_owned(), "6".to_owned()));
        assert!(matches!(one.step().await, Step::Worked { delivered: 1, failed: 0 }));
        tokio::join!(listener.stop(), other_listener.stop());
    }
}
