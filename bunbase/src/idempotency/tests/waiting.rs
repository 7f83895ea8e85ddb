//! Calls that wait for the one that has their key.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::task::JoinSet;

use super::*;
use crate::{Result, db::Tx};

const WAIT: Duration = Duration::from_secs(10);

/// Counts the statements of a store.
#[derive(Debug)]
struct Counted {
    store: Arc<dyn KeyStore>,
    asked: AtomicU64,
}

impl Counted {
    fn count(&self) -> &dyn KeyStore {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &*self.store
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl KeyStore for Counted {
    fn begin<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Begun>> {
        self.count().begin(call)
    }

    fn look<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<Begun>>> {
        self.count().look(call)
    }

    fn finish<'a>(&'a self, owner: &'a Owner, answer: &'a Stored) -> BoxFuture<'a, Result<bool>> {
        self.count().finish(owner, answer)
    }

    fn finish_in<'a>(&'a self, tx: &'a Tx, owner: &'a Owner, answer: &'a Stored) -> BoxFuture<'a, Result<bool>> {
        self.count().finish_in(tx, owner, answer)
    }

    fn abandon<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<bool>> {
        self.count().abandon(owner)
    }

    fn extend<'a>(&'a self, owner: &'a Owner, lock: Duration) -> BoxFuture<'a, Result<bool>> {
        self.count().extend(owner, lock)
    }

    fn prune(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        self.count().prune(limit)
    }
}

fn keys(place: &Place) -> (Keys, Arc<Counted>) {
    let store = Arc::new(Counted { store: place.store.clone(), asked: AtomicU64::new(0) });
    (Keys::with(store.clone(), &place.clock, WAIT), store)
}

/// Lets so many more calls begin, and returns once all of them wait.
async fn waiting(keys: &Keys, count: usize) -> JoinSet<Begun<Held>> {
    let before = keys.waiting(&call("k", "body"));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let keys = keys.clone();
        tasks.spawn(async move { keys.begin(&call("k", "body")).await.unwrap() });
    }
    while keys.waiting(&call("k", "body")) < before + count {
        tokio::task::yield_now().await;
    }
    tasks
}

fn is_replay(begun: &Begun<Held>, body: &[u8]) -> bool {
    matches!(begun, Begun::Replay(kept) if *kept == answer(body))
}

#[tokio::test]
async fn a_thousand_that_wait_are_one_stream_of_questions_and_get_one_answer() {
    for place in each().await {
        let (keys, store) = keys(&place);
        let first = held(keys.begin(&call("k", "body")).await.unwrap());
        let tasks = waiting(&keys, 1000).await;
        place
            .db
            .transaction(async |tx: &Tx| {
                assert!(first.finish_in(tx, &answer(b"x")).await?);
                Ok(())
            })
            .await
            .unwrap();
        first.committed(answer(b"x"));
        let begun = tasks.join_all().await;
        assert!(begun.iter().all(|begun| is_replay(begun, b"x")));
        assert!(store.asked() < 100, "{} questions", store.asked());
        assert_eq!(keys.wanted(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_at_once_one_runs_and_the_others_get_its_answer() {
    for place in each().await {
        // Longer than a loaded machine takes.
        let patience = Duration::from_mins(5);
        let here = Keys::with(place.store.clone(), &place.clock, patience);
        let there = Keys::with(place.another(Duration::ZERO).await, &place.clock, patience);
        let runs = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..1000 {
            let (keys, runs) = (if number % 2 == 0 { here.clone() } else { there.clone() }, runs.clone());
            tasks.spawn(async move {
                match keys.begin(&call("k", "body")).await.unwrap() {
                    Begun::Mine(held) => {
                        let run = runs.fetch_add(1, Ordering::Relaxed).to_string();
                        tokio::task::yield_now().await;
                        assert!(held.finish(answer(run.as_bytes())).await.unwrap());
                        answer(run.as_bytes())
                    }
                    Begun::Replay(answer) => answer,
                    other => panic!("{other:?}"),
                }
            });
        }
        assert!(tasks.join_all().await.iter().all(|kept| *kept == answer(b"0")));
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!((here.wanted(), there.wanted()), (0, 0));
    }
}

#[tokio::test]
async fn an_answer_of_another_instance_is_found() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let elsewhere = place.another(Duration::ZERO).await;
        let first = owner(elsewhere.begin(&call("k", "body")).await.unwrap());
        let tasks = waiting(&keys, 20).await;
        assert!(elsewhere.finish(&first, &answer(b"x")).await.unwrap());
        assert!(tasks.join_all().await.iter().all(|begun| is_replay(begun, b"x")));
    }
}

#[tokio::test]
async fn after_the_wait_it_still_runs() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let _first = held(keys.begin(&call("k", "body")).await.unwrap());
        let tasks = waiting(&keys, 5).await;
        place.clock.advance(WAIT);
        for begun in tasks.join_all().await {
            let Begun::Running { until } = begun else { panic!("{begun:?}") };
            assert!(until > place.clock.now(), "{until}");
        }
        assert_eq!(keys.wanted(), 0);
    }
}

#[tokio::test]
async fn without_a_wait_there_is_one_question() {
    for place in each().await {
        let (keys, store) = keys(&place);
        let _first = held(keys.begin(&call("k", "body")).await.unwrap());
        let before = store.asked();
        let begun = keys.begin_within(&call("k", "body"), Duration::ZERO).await.unwrap();
        assert!(matches!(begun, Begun::Running { .. }), "{begun:?}");
        assert_eq!(store.asked(), before + 1);
    }
}

#[tokio::test]
async fn when_the_first_gives_up_one_that_waits_runs_and_the_others_wait_for_that_one() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let first = held(keys.begin(&call("k", "body")).await.unwrap());
        let mut tasks = waiting(&keys, 10).await;
        first.abandon().await.unwrap();
        let second = held(tasks.join_next().await.unwrap().unwrap());
        assert_eq!(keys.waiting(&call("k", "body")), 9);
        assert!(second.finish(answer(b"second")).await.unwrap());
        assert!(tasks.join_all().await.iter().all(|begun| is_replay(begun, b"second")));
    }
}

#[tokio::test]
async fn when_the_first_dies_one_that_waits_runs_after_its_lock() {
    for place in each().await {
        let keys = Keys::with(place.store.clone(), &place.clock, LOCK * 2);
        // In another process, which is gone.
        owner(place.store.begin(&call("k", "body")).await.unwrap());
        let mut tasks = waiting(&keys, 3).await;
        place.clock.advance(LOCK);
        let second = held(tasks.join_next().await.unwrap().unwrap());
        assert!(second.finish(answer(b"second")).await.unwrap());
        assert!(tasks.join_all().await.iter().all(|begun| is_replay(begun, b"second")));
    }
}

#[tokio::test]
async fn a_holder_that_is_dropped_gives_the_key_back() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let first = held(keys.begin(&call("k", "body")).await.unwrap());
        let mut tasks = waiting(&keys, 1).await;
        drop(first);
        held(tasks.join_next().await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_caller_that_leaves_while_the_key_is_taken_leaves_no_key_behind() {
    for place in each().await {
        let (keys, store) = keys(&place);
        {
            let call = call("k", "body");
            let begin = keys.begin_within(&call, Duration::ZERO);
            tokio::pin!(begin);
            // Once: the statement is on its way in a task of its own.
            assert!(begin.as_mut().now_or_never().is_none());
        }
        held(keys.begin(&call("k", "body")).await.unwrap());
        assert!(store.asked() >= 2);
    }
}

#[tokio::test]
async fn whoever_asks_may_leave_and_another_asks_in_its_place() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let elsewhere = place.another(Duration::ZERO).await;
        let first = owner(elsewhere.begin(&call("k", "body")).await.unwrap());
        let mut leaving = waiting(&keys, 4).await;
        let staying = waiting(&keys, 4).await;
        leaving.shutdown().await;
        elsewhere.finish(&first, &answer(b"x")).await.unwrap();
        assert!(staying.join_all().await.iter().all(|begun| is_replay(begun, b"x")));
        assert_eq!(keys.wanted(), 0);
    }
}

#[tokio::test]
async fn another_call_with_the_key_does_not_wait_to_be_refused() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let first = held(keys.begin(&call("k", "body")).await.unwrap());
        let tasks = waiting(&keys, 3).await;
        let begun = keys.begin(&call("k", "other")).await.unwrap();
        assert!(matches!(begun, Begun::Mismatch), "{begun:?}");
        first.finish(answer(b"x")).await.unwrap();
        assert!(tasks.join_all().await.iter().all(|begun| is_replay(begun, b"x")));
    }
}

#[tokio::test]
async fn a_key_that_another_took_over_cannot_be_ended() {
    for place in each().await {
        let (keys, _) = keys(&place);
        let first = held(keys.begin(&call("k", "body")).await.unwrap());
        assert!(first.extend(LOCK).await.unwrap());
        place.clock.advance(LOCK);
        let second = held(keys.begin(&call("k", "body")).await.unwrap());
        assert!(!first.extend(LOCK).await.unwrap());
        let lost = place.db.transaction(async |tx: &Tx| first.finish_in(tx, &answer(b"first")).await).await;
        assert!(!lost.unwrap());
        assert!(!first.finish(answer(b"first")).await.unwrap());
        assert!(second.finish(answer(b"second")).await.unwrap());
        assert!(is_replay(&keys.begin(&call("k", "body")).await.unwrap(), b"second"));
    }
}

#[tokio::test]
async fn expired_keys_are_pruned() {
    for place in each().await {
        let (keys, _) = keys(&place);
        for key in 0..5 {
            held(keys.begin(&call(&key.to_string(), "body")).await.unwrap()).finish(answer(b"x")).await.unwrap();
        }
        assert_eq!(keys.prune().await.unwrap(), 0);
        place.clock.advance(RETENTION);
        assert_eq!(keys.prune().await.unwrap(), 5);
        assert_eq!(place.rows().await, 0);
    }
}

#[test]
fn refusals_have_their_codes() {
    let error = still_running(Duration::from_secs(2));
    assert_eq!((error.status(), error.code()), (409, "idempotency_running"));
    assert_eq!(error.retry_class(), crate::error::Retry::After(Duration::from_secs(2)));
    assert_eq!((mismatch().status(), mismatch().code()), (422, "idempotency_mismatch"));
}
