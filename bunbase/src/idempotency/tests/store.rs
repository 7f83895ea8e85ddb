//! What every store must do.

use tokio::task::JoinSet;

use super::*;
use crate::db::Tx;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_at_once_one_takes_the_key() {
    for place in each().await {
        let other = place.another(Duration::ZERO).await;
        let mut tasks = JoinSet::new();
        for number in 0..200 {
            let store = if number % 2 == 0 { place.store.clone() } else { other.clone() };
            tasks.spawn(async move { store.begin(&call("k", "body")).await.unwrap() });
        }
        let begun = tasks.join_all().await;
        assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Mine(_))).count(), 1);
        assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Running { .. })).count(), 199);
    }
}

#[tokio::test]
async fn an_answer_is_replayed_byte_for_byte() {
    let body: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    for place in each().await {
        for (key, answer) in [("large", answer(&body)), ("empty", Stored { status: 204, ..Stored::default() })] {
            let owner = owner(place.store.begin(&call(key, "body")).await.unwrap());
            assert!(place.store.finish(&owner, &answer).await.unwrap());
            assert_eq!(place.store.begin(&call(key, "body")).await.unwrap(), Begun::Replay(answer.clone()));
            assert_eq!(place.store.look(&call(key, "body")).await.unwrap(), Some(Begun::Replay(answer)));
        }
    }
}

#[tokio::test]
async fn the_same_key_with_another_call_is_a_mismatch() {
    for place in each().await {
        let owner = owner(place.store.begin(&call("k", "body")).await.unwrap());
        assert_eq!(place.store.begin(&call("k", "other")).await.unwrap(), Begun::Mismatch);
        assert_eq!(place.store.look(&call("k", "other")).await.unwrap(), Some(Begun::Mismatch));
        place.store.finish(&owner, &answer(b"x")).await.unwrap();
        assert_eq!(place.store.begin(&call("k", "other")).await.unwrap(), Begun::Mismatch);
    }
}

#[tokio::test]
async fn a_key_means_nothing_outside_of_its_scope() {
    for place in each().await {
        owner(place.store.begin(&call("k", "body")).await.unwrap());
        let another = Call::new("orders.create user:2", Key::of("k"), Fingerprint::of(&[b"other"]), LOCK);
        owner(place.store.begin(&another).await.unwrap());
    }
}

#[tokio::test]
async fn when_a_lock_has_ended_another_takes_over_and_the_first_changes_nothing() {
    for place in each().await {
        let first = owner(place.store.begin(&call("k", "body")).await.unwrap());
        place.clock.advance(LOCK);
        // Nothing was answered, but the key was given to this call.
        assert_eq!(place.store.begin(&call("k", "other")).await.unwrap(), Begun::Mismatch);
        assert_eq!(place.store.look(&call("k", "body")).await.unwrap(), None);
        let second = owner(place.store.begin(&call("k", "body")).await.unwrap());

        assert!(!place.store.finish(&first, &answer(b"first")).await.unwrap());
        assert!(!place.store.extend(&first, LOCK).await.unwrap());
        assert!(!place.store.abandon(&first).await.unwrap());
        let tx = place.db.begin_tx().await.unwrap();
        assert!(!place.store.finish_in(&tx, &first, &answer(b"first")).await.unwrap());
        tx.commit().await.unwrap();

        assert!(place.store.finish(&second, &answer(b"second")).await.unwrap());
        assert_eq!(place.store.begin(&call("k", "body")).await.unwrap(), Begun::Replay(answer(b"second")));
    }
}

#[tokio::test]
async fn a_lock_that_has_ended_and_that_nobody_took_is_still_ones_own() {
    for place in each().await {
        let first = owner(place.store.begin(&call("k", "body")).await.unwrap());
        place.clock.advance(LOCK * 2);
        assert!(place.store.extend(&first, LOCK).await.unwrap());
        assert!(matches!(place.store.begin(&call("k", "body")).await.unwrap(), Begun::Running { .. }));
        place.clock.advance(LOCK * 2);
        assert!(place.store.finish(&first, &answer(b"x")).await.unwrap());
        assert_eq!(place.store.begin(&call("k", "body")).await.unwrap(), Begun::Replay(answer(b"x")));
    }
}

#[tokio::test]
async fn a_lock_is_judged_by_the_databases_clock() {
    for place in each().await {
        owner(place.store.begin(&call("k", "body")).await.unwrap());
        let Begun::Running { until } = place.store.begin(&call("k", "body")).await.unwrap() else { panic!() };
        let left = until - place.clock.now();
        assert!(left > chrono::TimeDelta::seconds(20) && left <= chrono::TimeDelta::seconds(30), "{left}");
        let ahead = place.another(LOCK).await;
        owner(ahead.begin(&call("k", "body")).await.unwrap());
    }
}

#[tokio::test]
async fn what_rolls_back_leaves_the_key_running_until_it_is_given_back() {
    for place in each().await {
        let first = owner(place.store.begin(&call("k", "body")).await.unwrap());
        let rolled_back = place
            .db
            .transaction(async |tx: &Tx| {
                assert!(place.store.finish_in(tx, &first, &answer(b"x")).await?);
                Err::<(), _>(crate::Error::conflict("no"))
            })
            .await;
        assert_eq!(rolled_back.unwrap_err().code(), "conflict");
        assert!(matches!(place.store.begin(&call("k", "body")).await.unwrap(), Begun::Running { .. }));
        assert!(place.store.abandon(&first).await.unwrap());
        assert!(!place.store.abandon(&first).await.unwrap());
        // Free for any call: nobody was ever given an answer.
        owner(place.store.begin(&call("k", "other")).await.unwrap());
    }
}

#[tokio::test]
async fn what_commits_is_there_with_its_answer() {
    for place in each().await {
        let first = owner(place.store.begin(&call("k", "body")).await.unwrap());
        place
            .db
            .transaction(async |tx: &Tx| {
                assert!(place.store.finish_in(tx, &first, &answer(b"x")).await?);
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(place.store.begin(&call("k", "body")).await.unwrap(), Begun::Replay(answer(b"x")));
        assert!(!place.store.abandon(&first).await.unwrap(), "an answer is not given back");
        assert!(!place.store.finish(&first, &answer(b"y")).await.unwrap(), "an answer is not replaced");
    }
}

#[tokio::test]
async fn a_transaction_that_keeps_an_answer_makes_others_see_running_or_the_answer() {
    for place in each().await {
        let first = owner(place.store.begin(&call("k", "body")).await.unwrap());
        let tx = place.db.begin_tx().await.unwrap();
        assert!(place.store.finish_in(&tx, &first, &answer(b"x")).await.unwrap());
        let look = place.store.look(&call("k", "body")).await.unwrap();
        assert!(matches!(look, Some(Begun::Running { .. })), "{look:?}");
        tx.commit().await.unwrap();
        assert_eq!(place.store.begin(&call("k", "body")).await.unwrap(), Begun::Replay(answer(b"x")));
    }
}

#[tokio::test]
async fn an_answer_expires_and_is_deleted() {
    for place in each().await {
        for key in ["a", "b", "c"] {
            let owner = owner(place.store.begin(&call(key, "body")).await.unwrap());
            place.store.finish(&owner, &answer(b"x")).await.unwrap();
        }
        place.clock.advance(RETENTION.checked_sub(LOCK).unwrap());
        assert_eq!(place.store.prune(10).await.unwrap(), 0);
        assert!(matches!(place.store.begin(&call("a", "body")).await.unwrap(), Begun::Replay(_)));
        place.clock.advance(LOCK);
        assert_eq!(place.store.look(&call("a", "body")).await.unwrap(), None);
        owner(place.store.begin(&call("a", "other")).await.unwrap());
        assert_eq!(place.store.prune(1).await.unwrap(), 1);
        assert_eq!(place.store.prune(10).await.unwrap(), 1);
        assert_eq!(place.rows().await, 1, "the one that runs");
        place.clock.advance(LOCK + RETENTION);
        assert_eq!(place.store.prune(10).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_take_over_one_does() {
    for place in each().await {
        for round in 0..5 {
            let mut tasks = JoinSet::new();
            for _ in 0..40 {
                let store = place.store.clone();
                tasks.spawn(async move { store.begin(&call("k", "body")).await.unwrap() });
            }
            let begun = tasks.join_all().await;
            let mine = begun.iter().filter(|begun| matches!(begun, Begun::Mine(_))).count();
            assert_eq!(mine, 1, "round {round}");
            place.clock.advance(LOCK);
        }
    }
}
