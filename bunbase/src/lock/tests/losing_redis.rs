//! Redis loses what it has, and goes away, while locks are held: on a server of the test's own.

use std::{sync::Arc, time::Duration};

use super::places::{WAIT, sql};
use crate::{
    clock::Clock,
    db::{Db, migrate::Plan, notify::Notifier, testing::TestDatabase},
    error::Error,
    lock::{Fallback, Fences, LockStore, Locks, Redis},
    redis::testing::RedisServer,
};

const LEASE: Duration = Duration::from_secs(30);

struct Place {
    server: RedisServer,
    clock: Clock,
    db: Db,
    _database: TestDatabase,
}

impl Place {
    async fn new() -> Option<Self> {
        let server = RedisServer::start().await.unwrap()?;
        let database = TestDatabase::create().await.unwrap();
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        Some(Self { server, clock: Clock::system(), db, _database: database })
    }

    /// Returns the locks as one more instance has them.
    fn instance(&self, falls_back: bool) -> Locks {
        let fences = Fences::new(self.db.clone(), self.clock.clone());
        let mut store: Arc<dyn LockStore> = Arc::new(Redis::new(self.server.redis().unwrap(), fences));
        if falls_back {
            let away = |error: &Error| error.code() == "redis_unavailable";
            store = Arc::new(Fallback::new(store, sql(&self.db, &self.clock), away));
        }
        Locks::new(store, self.clock.clone(), Notifier::local(), WAIT)
    }
}

#[tokio::test]
async fn after_a_flush_tokens_grow_on_and_the_holder_before_notices() {
    let Some(place) = Place::new().await else { return };
    let (one, other) = (place.instance(false), place.instance(false));
    let mut last = 0;
    for _ in 0..5 {
        let before = one.acquire("a", Duration::from_millis(900)).await.unwrap();
        place.server.flush().await.unwrap();
        let after = other.acquire("a", LEASE).try_now().await.unwrap().expect("Redis knows nothing of the first");
        assert!(before.fence() > last && after.fence() > before.fence(), "a resource refuses the first one's writes");
        last = after.fence();
        before.lost().await;
        assert!(!before.release().await.unwrap());
        after.check().unwrap();
        assert!(after.release().await.unwrap(), "the first one's end took nothing from the second");
    }
}

#[tokio::test]
async fn without_redis_it_is_an_error_unless_the_database_steps_in() {
    let Some(mut place) = Place::new().await else { return };
    let (strict, falling, another) = (place.instance(false), place.instance(true), place.instance(true));
    let before = falling.acquire("a", Duration::from_millis(900)).await.unwrap();
    place.server.stop();
    assert_eq!(strict.acquire("b", LEASE).await.unwrap_err().code(), "redis_unavailable");
    let held = falling.acquire("b", LEASE).await.unwrap();
    assert!(held.fence() > before.fence());
    assert!(another.acquire("b", LEASE).try_now().await.unwrap().is_none(), "instances agree in the database");
    // Its lease ends, and nobody can say that it was renewed.
    before.lost().await;

    place.server.start_again().await.unwrap();
    loop {
        // As soon as Redis is asked again: what the database says is held is held.
        match strict.acquire("b", LEASE).try_now().await {
            Ok(taken) => break assert!(taken.is_none()),
            Err(error) => assert_eq!(error.code(), "redis_unavailable"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    held.check().unwrap();
    assert!(held.release().await.unwrap());
    let last = strict.acquire("b", LEASE).await.unwrap();
    assert!(last.release().await.unwrap());
}
