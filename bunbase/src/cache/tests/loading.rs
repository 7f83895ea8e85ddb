//! One load at a time, and what is shown meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use tokio::sync::{Notify, Semaphore};

use super::{MINUTE, begun, in_memory, instances};
use crate::{Error, Result, cache::Cache, clock::Clock, error::Retry};

/// Counts loads, and answers their number.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_want_one_key_load_it_once() {
    for (place, one, other) in instances().await {
        let (loads, begun) = (Counted::default(), Arc::new(Semaphore::new(0)));
        let all: Vec<_> = (0..1000)
            .map(|i| {
                let cache = if i % 2 == 0 { one.clone() } else { other.clone() };
                let (loads, begun) = (loads.clone(), begun.clone());
                tokio::spawn(async move {
                    begun.add_permits(1);
                    let load = async || {
                        let number = loads.next();
                        // Until all want it, and then some.
                        let _all = begun.acquire_many(1000).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Ok(number)
                    };
                    cache.get_or_load("a", MINUTE, load).await.unwrap()
                })
            })
            .collect();
        for answer in join_all(all).await {
            assert_eq!(answer.unwrap(), 1, "{}", place.name);
        }
        assert_eq!(loads.count(), 1, "{}", place.name);
        assert_eq!((one.inner.flights.count(), other.inner.flights.count()), (0, 0), "{}", place.name);
    }
}

#[tokio::test]
async fn a_value_is_kept_for_its_time_and_for_all_instances() {
    for (place, one, other) in instances().await {
        let loads = Counted::default();
        let load = async || Ok(loads.next());
        assert_eq!(one.get_or_load("a", MINUTE, load).await.unwrap(), 1, "{}", place.name);
        assert_eq!(other.get_or_load("a", MINUTE, load).await.unwrap(), 1, "{}", place.name);
        assert_eq!(other.get_or_load("b", MINUTE, load).await.unwrap(), 2, "{}", place.name);
        place.pass(MINUTE + Duration::from_secs(1)).await;
        assert_eq!(other.get_or_load("a", MINUTE, load).await.unwrap(), 3, "{}", place.name);
        assert_eq!(one.get_or_load("a", MINUTE, load).await.unwrap(), 3, "{}", place.name);
        one.remove("a").await.unwrap();
        assert_eq!(other.get_or_load("a", MINUTE, load).await.unwrap(), 4, "{}", place.name);
    }
}

#[tokio::test]
async fn a_load_that_fails_is_told_to_all_who_waited_and_to_nobody_else() {
    for (place, one, _) in instances().await {
        let (loads, go) = (Counted::default(), Arc::<Notify>::default());
        let failing = async |cache: Cache| {
            let load = async || {
                loads.next();
                go.notified().await;
                Err::<u32, _>(Error::new(429, "slow_down", "not now").retry(Retry::After(MINUTE)))
            };
            cache.get_or_load("a", MINUTE, load).await
        };
        let all = join_all((0..5).map(|_| failing(one.clone())));
        tokio::pin!(all);
        while loads.count() == 0 || one.inner.flights.calls("a") < 5 {
            assert!(all.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        go.notify_one();
        for answer in all.await {
            let error = answer.unwrap_err();
            assert_eq!((error.code(), error.retry_class()), ("slow_down", Retry::After(MINUTE)), "{}", place.name);
        }
        assert_eq!(loads.count(), 1, "{}", place.name);
        assert_eq!(one.get_or_load("a", MINUTE, async || Ok(7)).await.unwrap(), 7, "{}: nothing was kept", place.name);
    }
}

#[tokio::test]
async fn when_who_loads_goes_away_the_next_one_does() {
    for (place, one, other) in instances().await {
        let began = Notify::new();
        let load = async || {
            began.notify_one();
            std::future::pending::<Result<u32>>().await
        };
        let mut first = Box::pin(one.get_or_load("a", MINUTE, load));
        begun(&mut first, &began, &place).await;
        let same = one.get_or_load("a", MINUTE, async || Ok(2));
        let another = other.get_or_load("a", MINUTE, async || Ok(3));
        let waiting = async { tokio::join!(same, another) };
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        let (same, another) = waiting.await;
        assert_eq!(same.unwrap(), another.unwrap(), "{}", place.name);
    }
}

#[tokio::test]
async fn a_process_that_dies_while_it_loads_keeps_others_waiting_for_its_lease() {
    for (place, one, other) in instances().await {
        assert!(one.entry("a", MINUTE).claim().await);
        let waiting = other.get_or_load("a", MINUTE, async || Ok(1));
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none(), "{}", place.name);
        place.pass(Duration::from_secs(4)).await;
        assert_eq!(waiting.await.unwrap(), 1, "{}", place.name);
    }
}

#[tokio::test]
async fn a_stale_value_is_shown_while_one_loads_it_again() {
    for (place, one, other) in instances().await {
        let (stale, began) = (10 * MINUTE, Notify::new());
        let get = async |cache: Cache, value: u32, go: Option<Arc<Notify>>| {
            let load = async || {
                if let Some(go) = go {
                    began.notify_one();
                    go.notified().await;
                }
                Ok(value)
            };
            cache.entry("a", MINUTE).stale(stale).get_or_load(load).await.unwrap()
        };
        assert_eq!(get(one.clone(), 1, None).await, 1, "{}", place.name);
        place.pass(2 * MINUTE).await;
        let go = Arc::<Notify>::default();
        let mut loading = Box::pin(get(one.clone(), 2, Some(go.clone())));
        begun(&mut loading, &began, &place).await;
        assert_eq!(get(other.clone(), 3, None).await, 1, "{}: it is shown", place.name);
        assert_eq!(get(one.clone(), 3, None).await, 1, "{}: it is shown", place.name);
        go.notify_one();
        assert_eq!(loading.await, 2, "{}", place.name);
        assert_eq!(get(other.clone(), 3, None).await, 2, "{}", place.name);
        place.pass(12 * MINUTE).await;
        assert_eq!(get(other.clone(), 4, None).await, 4, "{}: too old to be shown", place.name);
    }
}

#[tokio::test]
async fn a_stale_value_is_shown_when_loading_it_again_fails() {
    for (place, one, _) in instances().await {
        let entry = || one.entry("a", MINUTE).stale(10 * MINUTE);
        assert_eq!(entry().get_or_load(async || Ok(1)).await.unwrap(), 1);
        place.pass(2 * MINUTE).await;
        let failing = async || Err::<u32, _>(Error::internal("no"));
        assert_eq!(entry().get_or_load(failing).await.unwrap(), 1, "{}", place.name);
        // What failed gives its claim up in the background; then the next one loads.
        while entry().get_or_load(async || Ok(2)).await.unwrap() == 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        place.pass(12 * MINUTE).await;
        assert!(entry().get_or_load(failing).await.is_err(), "{}", place.name);
    }
}

#[tokio::test]
async fn in_the_background_nobody_waits() {
    for (place, one, _) in instances().await {
        let entry = || one.entry("a", MINUTE).stale(10 * MINUTE);
        let (go, loads) = (Arc::<Notify>::default(), Counted::default());
        let get = async |waits: bool| {
            let (go, loads) = (go.clone(), loads.clone());
            let load = move || async move {
                if waits {
                    go.notified().await;
                }
                Ok(loads.next())
            };
            entry().get_or_refresh(load).await.unwrap()
        };
        assert_eq!(get(false).await, 1, "{}", place.name);
        place.pass(2 * MINUTE).await;
        for _ in 0..3 {
            assert_eq!(get(true).await, 1, "{}: at once", place.name);
        }
        go.notify_one();
        while get(false).await == 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(loads.count(), 2, "{}: one of three loaded", place.name);
    }
}

#[tokio::test]
async fn that_there_is_nothing_is_remembered_for_a_shorter_time() {
    for (place, one, _) in instances().await {
        let loads = Counted::default();
        let find = async |found: Option<u32>| {
            let entry = one.entry("a", MINUTE).negative(Duration::from_secs(5));
            let find = async || {
                loads.next();
                Ok(found)
            };
            entry.get_or_find(find).await.unwrap()
        };
        assert_eq!(find(None).await, None, "{}", place.name);
        assert_eq!(find(Some(1)).await, None, "{}", place.name);
        place.pass(Duration::from_secs(6)).await;
        assert_eq!(find(Some(1)).await, Some(1), "{}", place.name);
        place.pass(Duration::from_secs(6)).await;
        assert_eq!(find(None).await, Some(1), "{}", place.name);
        assert_eq!(loads.count(), 2, "{}", place.name);
    }
}

#[tokio::test]
async fn a_load_that_takes_longer_than_its_lease_is_not_taken_away() {
    let clock = Clock::system();
    let cache = in_memory(&clock);
    let go = Notify::new();
    let load = async || {
        go.notified().await;
        Ok(1)
    };
    let loading = cache.get_or_load("a", MINUTE, load);
    tokio::pin!(loading);
    for _ in 0..10 {
        assert!(loading.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_secs(1));
        // The renewal comes to its turn.
        for _ in 0..5 {
            assert!(loading.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        let kept = cache.inner.entries.get_text("a").await.unwrap();
        assert!(kept.is_some(), "the claim is still there");
    }
    go.notify_one();
    assert_eq!(loading.await.unwrap(), 1);
    assert_eq!(cache.get_or_load("a", MINUTE, async || Ok(2)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_value_of_another_type_is_loaded_again() {
    let cache = in_memory(&Clock::system());
    cache.get_or_load("a", MINUTE, async || Ok("text".to_owned())).await.unwrap();
    assert_eq!(cache.get_or_load("a", MINUTE, async || Ok(2)).await.unwrap(), 2);
    assert_eq!(cache.get_or_load("a", MINUTE, async || Ok(3)).await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_too_large_is_answered_and_not_kept() {
    let cache = in_memory(&Clock::system());
    let large = "x".repeat(1 << 20);
    assert_eq!(cache.get_or_load("a", MINUTE, async || Ok(large.clone())).await.unwrap(), large);
    assert_eq!(cache.get_or_load("a", MINUTE, async || Ok("small".to_owned())).await.unwrap(), "small");
}
