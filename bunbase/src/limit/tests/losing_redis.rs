//! Redis goes away, comes back, and loses what it had.

use std::{sync::Arc, time::Duration};

use super::places::key;
use crate::{
    clock::Clock,
    error::code,
    limit::{Algorithm, Fallback, LimitStore, Memory, Redis, Rule},
    redis::testing::RedisServer,
};

#[tokio::test]
async fn while_redis_is_away_it_is_an_error_or_counted_elsewhere() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let (redis, clock) = (server.redis().unwrap(), Clock::system());
    let first: Arc<dyn LimitStore> = Arc::new(Redis::new(redis.clone(), clock.clone()));
    let second = Arc::new(Memory::new(clock, 10));
    let both = Fallback::new(first.clone(), second, |error| error.code() == code::REDIS_UNAVAILABLE);
    let (rule, key) = (Rule::new(1, Duration::from_hours(16), Algorithm::Window).unwrap(), key());
    assert!(both.take(key.clone(), rule).await.unwrap().is_allowed);
    assert!(!first.take(key.clone(), rule).await.unwrap().is_allowed);
    server.stop();
    let error = first.take(key.clone(), rule).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, code::REDIS_UNAVAILABLE));
    assert!(both.take(key.clone(), rule).await.unwrap().is_allowed, "the other one begins anew");
    assert!(!both.take(key.clone(), rule).await.unwrap().is_allowed);
    server.start_again().await.unwrap();
    let mut back = first.take(key.clone(), rule).await;
    while back.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        back = first.take(key.clone(), rule).await;
    }
    assert!(back.unwrap().is_allowed, "it has lost what it counted");
    server.flush().await.unwrap();
    assert!(first.take(key, rule).await.unwrap().is_allowed);
}
