//! The store goes away, and comes back empty: on a server of the test's own.

use std::sync::Arc;

use super::MINUTE;
use crate::{
    cache::{Cache, Settings},
    clock::Clock,
    kv::{self, Kv},
    redis::testing::RedisServer,
};

#[tokio::test]
async fn without_its_store_everything_is_loaded_unless_that_is_an_error() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let kv = Kv::new(Arc::new(kv::Redis::new(server.redis().unwrap())), kv::Settings::default());
    let falling = Cache::new(&kv, Clock::system(), Settings::default());
    let strict = Cache::new(&kv, Clock::system(), Settings { falls_back: false, ..Settings::default() });
    let get = async |cache: &Cache, value: u32| cache.get_or_load("a", MINUTE, async || Ok(value)).await;
    assert_eq!(get(&falling, 1).await.unwrap(), 1);
    assert_eq!(get(&strict, 2).await.unwrap(), 1);
    server.flush().await.unwrap();
    assert_eq!(get(&falling, 3).await.unwrap(), 3, "what was lost is loaded again");
    server.stop();
    assert_eq!(get(&falling, 4).await.unwrap(), 4);
    let refreshed = falling.entry("a", MINUTE).get_or_refresh(|| async { Ok(4) });
    assert_eq!(refreshed.await.unwrap(), 4);
    assert_eq!(get(&strict, 5).await.unwrap_err().status(), 503);
    assert_eq!(falling.remove("a").await.unwrap_err().status(), 503, "it may still be there");
    server.start_again().await.unwrap();
    while get(&strict, 6).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(get(&falling, 7).await.unwrap(), 6, "it is kept again");
}
