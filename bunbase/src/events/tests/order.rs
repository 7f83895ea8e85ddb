use std::collections::HashMap;

use tokio::task::JoinSet;

use super::*;

/// Emits under a key from many transactions at once, each of which takes its time until it commits.
async fn emit_from_many_transactions(instance: &Instance, tasks: usize, each: usize) {
    let mut emitting = JoinSet::new();
    for task in 0..tasks {
        let (db, events) = (instance.db.clone(), instance.events.clone());
        emitting.spawn(async move {
            for n in 0..each {
                let key = format!("key {}", (task + n) % 3);
                let new = [event(&format!("{task}.{n}"), Some(&key))];
                let emission = db
                    .transaction(async |tx: &Tx| {
                        let emission = events.emit_in(tx, &new).await?;
                        // So long that others, which had no lock, would overtake it.
                        for _ in 0..(task % 4) {
                            tx.sql("SELECT 1").execute().await?;
                        }
                        Ok(emission)
                    })
                    .await
                    .unwrap();
                emission.committed();
            }
        });
    }
    emitting.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_of_one_key_are_delivered_in_the_order_of_their_commits() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let relay = instance.relay(Settings::default());
        relay.started().await;
        emit_from_many_transactions(&instance, 6, 25).await;
        instance.delivered_reaches(150).await;
        relay.stop().await;
        // A position that became visible after a greater one of its key would have been delivered after it.
        let mut last: HashMap<_, i64> = HashMap::new();
        for delivered in instance.delivered().await {
            let before = last.insert(delivered.ordering_key.clone(), delivered.position);
            assert!(before.is_none_or(|before| before < delivered.position), "{delivered:?} came after {before:?}");
        }
        assert_eq!(last.len(), 3);
        assert_eq!(instance.delivered().await.len(), 150);
    }
}

#[tokio::test]
async fn an_event_that_commits_after_a_later_one_is_not_left_out() {
    for database in each().await {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let instance = Instance::of(&database).await;
        let tx = instance.db.begin_tx().await.unwrap();
        instance.events.emit_in(&tx, &[event("first", Some("a"))]).await.unwrap().committed();
        instance.emit_under("b", &["second"]).await;
        assert_eq!(instance.step().await, worked(1, 0));
        tx.commit().await.unwrap();
        assert_eq!(instance.step().await, worked(1, 0));
        let positions: Vec<_> = instance.delivered().await.into_iter().map(|delivered| delivered.position).collect();
        assert_eq!(instance.payloads().await, ["second", "first"]);
        assert!(positions[0] > positions[1], "{positions:?}");
    }
}

#[tokio::test]
async fn a_second_transaction_waits_for_the_key_and_not_for_others() {
    for database in each().await {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let instance = Instance::of(&database).await;
        let first = instance.db.begin_tx().await.unwrap();
        instance.events.emit_in(&first, &[event("1", Some("a"))]).await.unwrap().committed();
        let second = {
            let events = instance.events.clone();
            tokio::spawn(async move { events.emit(&[event("2", Some("a"))]).await })
        };
        // Others go on meanwhile: another key, and none.
        instance.emit_under("b", &["3"]).await;
        instance.emit(&["4"]).await;
        assert!(!second.is_finished());
        first.commit().await.unwrap();
        second.await.unwrap().unwrap();
        instance.step().await;
        let mut of_a = instance.delivered().await;
        of_a.retain(|delivered| delivered.ordering_key.as_deref() == Some("a"));
        assert_eq!(of_a.iter().map(|delivered| delivered.payload.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_with_the_same_keys_in_another_order_do_not_deadlock() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let mut emitting = JoinSet::new();
        for task in 0..4 {
            let events = instance.events.clone();
            emitting.spawn(async move {
                for _ in 0..10 {
                    let mut new: Vec<_> = ["a", "b", "c"].map(|key| event("x", Some(key))).into();
                    new.rotate_left(task % 3);
                    events.emit(&new).await.unwrap();
                }
            });
        }
        emitting.join_all().await;
        assert_eq!(instance.rows().await, 120);
    }
}
