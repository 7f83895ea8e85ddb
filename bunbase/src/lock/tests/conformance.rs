//! What every backend does alike.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use uuid::Uuid;

use super::places::each;

const LEASE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn one_holds_it_and_the_next_has_a_greater_token() {
    for place in each().await {
        let (locks, name) = (&place.locks, &place.name);
        let other = place.another().await;
        let mut last = 0;
        for other_name in ["b", "c", "d"] {
            let held = locks.acquire("a", LEASE).await.unwrap();
            assert!(held.fence() > last, "{name}");
            last = held.fence();
            assert!(other.acquire("a", LEASE).try_now().await.unwrap().is_none(), "{name}");
            // One that is dropped is released in the background, so each round has its own.
            assert!(locks.acquire(other_name, LEASE).try_now().await.unwrap().is_some(), "{name}: another lock");
            held.check().unwrap();
            assert!(held.release().await.unwrap(), "{name}");
            let held = other.acquire("a", LEASE).try_now().await.unwrap().unwrap();
            assert!(held.fence() > last, "{name}");
            last = held.fence();
            assert!(held.release().await.unwrap(), "{name}");
        }
    }
}

#[tokio::test]
async fn two_never_hold_it_at_once_and_their_tokens_grow() {
    for place in each().await {
        let (inside, last, rounds) =
            (Arc::<AtomicU32>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU32>::default());
        let mut instances = Vec::new();
        for _ in 0..4 {
            instances.push(place.another().await);
        }
        let all = (0..12).map(|i| {
            let (locks, inside) = (instances[i % instances.len()].clone(), inside.clone());
            let (last, rounds) = (last.clone(), rounds.clone());
            tokio::spawn(async move {
                for _ in 0..3 {
                    let held = locks.acquire("a", LEASE).wait(Duration::from_mins(2)).await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    assert!(last.swap(held.fence(), Ordering::SeqCst) < held.fence());
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    rounds.fetch_add(1, Ordering::SeqCst);
                    assert!(held.release().await.unwrap());
                }
            })
        });
        for ended in join_all(all).await {
            ended.unwrap_or_else(|error| panic!("{}: {error}", place.name));
        }
        assert_eq!(rounds.load(Ordering::SeqCst), 36, "{}", place.name);
    }
}

#[tokio::test]
async fn who_waits_gives_up_in_time() {
    for place in each().await {
        let _held = place.locks.acquire("a", LEASE).await.unwrap();
        let waiting = place.locks.acquire("a", LEASE).wait(Duration::from_millis(50)).await;
        assert_eq!(waiting.unwrap_err().code(), "lock_held", "{}", place.name);
    }
}

#[tokio::test]
async fn who_waits_gets_it_when_it_is_dropped() {
    for place in each().await {
        let held = place.locks.acquire("a", LEASE).await.unwrap();
        let waiting = tokio::spawn(place.locks.acquire("a", LEASE).into_future());
        tokio::task::yield_now().await;
        drop(held);
        waiting.await.unwrap().unwrap_or_else(|error| panic!("{}: {error}", place.name));
    }
}

#[tokio::test]
async fn nobody_but_its_owner_renews_it_or_gives_it_back() {
    for place in each().await {
        let (store, name) = (&place.locks.store, &place.name);
        let (owner, other) = (Uuid::new_v4(), Uuid::new_v4());
        store.acquire("a".to_owned(), owner, LEASE).await.unwrap().unwrap();
        assert!(!store.renew("a".to_owned(), other, LEASE).await.unwrap(), "{name}");
        assert!(!store.release("a".to_owned(), other).await.unwrap(), "{name}");
        assert!(store.renew("a".to_owned(), owner, LEASE).await.unwrap(), "{name}");
        assert!(store.release("a".to_owned(), owner).await.unwrap(), "{name}");
        assert!(!store.release("a".to_owned(), owner).await.unwrap(), "{name}");
        assert!(!store.renew("a".to_owned(), owner, LEASE).await.unwrap(), "{name}: a lease that ended is not renewed");
    }
}

#[tokio::test]
async fn it_is_renewed_for_longer_than_its_lease() {
    for place in each().await {
        let other = place.another().await;
        let held = place.locks.acquire("a", Duration::from_millis(600)).await.unwrap();
        let looked = tokio::time::Instant::now();
        // In real time: who keeps the lock judges by its own clock.
        while looked.elapsed() < Duration::from_millis(1500) {
            assert!(other.acquire("a", LEASE).try_now().await.unwrap().is_none(), "{}", place.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        held.check().unwrap();
        assert!(held.release().await.unwrap(), "{}", place.name);
    }
}

#[tokio::test]
async fn one_whose_holder_is_gone_is_free_after_its_lease() {
    for place in each().await {
        let (store, name) = (&place.locks.store, &place.name);
        // Taken, and never renewed.
        let first = store.acquire("a".to_owned(), Uuid::new_v4(), Duration::from_millis(300)).await.unwrap().unwrap();
        let held = place.locks.acquire("a", LEASE).await.unwrap();
        assert!(held.fence() > first, "{name}");
    }
}

#[tokio::test]
async fn a_loss_is_noticed() {
    for place in each().await {
        let held = place.locks.acquire("a", Duration::from_millis(600)).await.unwrap();
        assert!(held.lost().now_or_never().is_none(), "{}", place.name);
        assert!(place.locks.store.release("a".to_owned(), held.owner()).await.unwrap());
        held.lost().await;
        assert_eq!(held.check().unwrap_err().code(), "lock_lost", "{}", place.name);
        assert!(!held.release().await.unwrap(), "{}", place.name);

        let held = place.locks.acquire("b", Duration::from_millis(600)).await.unwrap();
        place.locks.store.release("b".to_owned(), held.owner()).await.unwrap();
        let run = held.run(std::future::pending::<crate::Result<()>>()).await;
        assert_eq!(run.unwrap_err().code(), "lock_lost", "{}", place.name);
    }
}

#[tokio::test]
async fn what_runs_under_it_ends_and_gives_it_back() {
    for place in each().await {
        let held = place.locks.acquire("a", LEASE).await.unwrap();
        assert_eq!(held.run(async { Ok(7) }).await.unwrap(), 7, "{}", place.name);
        assert!(place.locks.acquire("a", LEASE).try_now().await.unwrap().is_some(), "{}", place.name);
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    for place in each().await {
        for name in ["", "a\0b", &"x".repeat(513)] {
            assert_eq!(place.locks.acquire(name, LEASE).await.unwrap_err().status(), 500, "{}", place.name);
        }
        for name in ["x".repeat(512), "{a} b:c/\u{1f980}".to_owned()] {
            place.locks.acquire(name, LEASE).await.unwrap();
        }
    }
}

#[tokio::test]
async fn rows_of_locks_that_ended_go_and_tokens_grow_on() {
    for place in each().await {
        let held = place.locks.acquire("a", LEASE).await.unwrap();
        let fence = held.fence();
        held.release().await.unwrap();
        place.locks.sweep().await.unwrap();
        if !place.name.starts_with("redis") {
            let rows = "SELECT count(*) FROM locks";
            assert_eq!(place.db.sql(rows).scalar::<i64>().await.unwrap(), 1, "{}: not yet", place.name);
            place.clock.advance(Duration::from_hours(2));
            assert_eq!(place.locks.sweep().await.unwrap(), 1, "{}", place.name);
            assert_eq!(place.db.sql(rows).scalar::<i64>().await.unwrap(), 0, "{}", place.name);
        }
        assert!(place.locks.acquire("a", LEASE).await.unwrap().fence() > fence, "{}", place.name);
    }
}
