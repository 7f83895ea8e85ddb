use std::collections::BTreeSet;

use chrono::SubsecRound;
use tokio::task::JoinSet;

use super::*;
use crate::{Error, db::Tx};

#[tokio::test]
async fn a_job_comes_back_as_it_was_stored() {
    for bed in each().await {
        let at = bed.clock.now() + chrono::TimeDelta::hours(1);
        let new = NewJob {
            priority: Priority::High,
            due: Due::At(at),
            unique: Some(Unique { key: "k".into(), scope: UniqueScope::Unfinished }),
            group: Some(Group { key: "g".into(), limit: 2, position: Some(-7) }),
            origin: Some("evt_1".into()),
            door: "event",
            ..job("mail.send")
        };
        let before = bed.clock.now();
        bed.add(std::slice::from_ref(&new)).await;
        let job = bed.job(new.id).await;
        assert_eq!(
            (job.queue.as_str(), job.action.as_str(), job.input.as_str()),
            ("default", "mail.send", &*new.input)
        );
        assert_eq!((job.status, job.priority, job.attempt, job.max_attempts), (Status::Pending, Priority::High, 0, 3));
        assert_eq!(job.run_at, at.trunc_subsecs(6));
        assert_eq!((job.unique_key.as_deref(), job.group_key.as_deref()), (Some("k"), Some("g")));
        assert_eq!((job.group_limit, job.position), (Some(2), Some(-7)));
        assert_eq!((job.door.as_str(), job.origin.as_deref()), ("event", Some("evt_1")));
        assert_eq!((&job.identity, &job.traceparent), (&new.identity, &new.traceparent));
        assert!((job.created_at - before).abs() < chrono::TimeDelta::seconds(5));
        assert!(job.history().is_empty() && job.progress.is_none() && job.finished_at.is_none());
    }
}

#[tokio::test]
async fn a_batch_is_stored_as_its_jobs_would_be_one_by_one() {
    for bed in each().await {
        let at = bed.clock.now() + chrono::TimeDelta::hours(1);
        let mixed = |n: i64| NewJob {
            due: if n == 0 { Due::At(at) } else { Due::After(Duration::from_hours(1)) },
            group: (n == 1).then(|| Group { key: String::new(), limit: 3, position: None }),
            origin: (n == 2).then(String::new),
            priority: Priority::of_level(i16::try_from(n).unwrap()),
            ..job("mail.send")
        };
        let batch: Vec<_> = (0..4).map(mixed).collect();
        let single: Vec<_> = batch.iter().map(|job| NewJob { id: Uuid::now_v7(), ..job.clone() }).collect();
        let answers = bed.add(&batch).await;
        assert_eq!(answers.iter().map(|answer| answer.id).collect::<Vec<_>>(), ids(&batch));
        for (one, of_batch) in single.iter().zip(&batch) {
            bed.add(std::slice::from_ref(one)).await;
            let (one, of_batch) = (bed.job(one.id).await, bed.job(of_batch.id).await);
            assert!((one.run_at - of_batch.run_at).abs() < chrono::TimeDelta::seconds(5));
            let same = Job { id: one.id, run_at: one.run_at, created_at: one.created_at, ..of_batch };
            assert_eq!(one, same);
        }
        assert!(bed.add(&[]).await.is_empty());
    }
}

#[tokio::test]
async fn a_transaction_that_rolls_back_leaves_no_job_and_one_that_commits_shows_all() {
    for bed in each().await {
        let batch = [job("a"), job("b"), unique("k", UniqueScope::Unfinished)];
        let refused = bed
            .db
            .transaction(async |tx: &Tx| {
                bed.store.insert_in(tx, &batch).await?;
                Err::<(), _>(Error::conflict("no"))
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(bed.count(Status::Pending).await, 0);

        let tx = bed.db.begin_tx().await.unwrap();
        let answers = bed.store.insert_in(&tx, &batch).await.unwrap();
        assert!(answers.iter().all(|answer| !answer.is_duplicate));
        if bed.database.backend() == DbBackend::Postgres {
            assert!(bed.claim(10).await.is_empty(), "it starts before it is visible");
        }
        tx.commit().await.unwrap();
        assert_eq!(bed.claim(10).await.len(), 3);
    }
}

#[tokio::test]
async fn a_key_that_is_held_answers_with_its_holder() {
    for bed in each().await {
        let first = unique("k", UniqueScope::Unfinished);
        let [stored] = bed.add(std::slice::from_ref(&first)).await[..] else { panic!() };
        assert_eq!(stored, Enqueued { id: first.id, is_duplicate: false });
        let batch = [unique("k", UniqueScope::Pending), job("free"), unique("other", UniqueScope::Unfinished)];
        let answers = bed.add(&batch).await;
        assert_eq!(answers[0], Enqueued { id: first.id, is_duplicate: true });
        assert_eq!(answers[1], Enqueued { id: batch[1].id, is_duplicate: false });
        assert_eq!(answers[2], Enqueued { id: batch[2].id, is_duplicate: false });
        assert_eq!(bed.count(Status::Pending).await, 3);
    }
}

#[tokio::test]
async fn of_equal_keys_in_one_batch_the_first_is_stored() {
    for bed in each().await {
        let batch = [unique("k", UniqueScope::Unfinished), unique("k", UniqueScope::Unfinished)];
        let answers = bed.add(&batch).await;
        assert_eq!(answers[0], Enqueued { id: batch[0].id, is_duplicate: false });
        assert_eq!(answers[1], Enqueued { id: batch[0].id, is_duplicate: true });
    }
}

#[tokio::test]
async fn a_key_is_held_for_as_long_as_its_scope_says() {
    for bed in each().await {
        let period = UniqueScope::Period(Duration::from_hours(2));
        let scopes = [("pending", UniqueScope::Pending), ("unfinished", UniqueScope::Unfinished), ("period", period)];
        let held = async || {
            let mut held = Vec::new();
            for (key, scope) in scopes {
                let tx = bed.db.begin_tx().await.unwrap();
                let answers = bed.store.insert_in(&tx, &[unique(key, scope)]).await.unwrap();
                tx.rollback().await.unwrap();
                if answers[0].is_duplicate {
                    held.push(key);
                }
            }
            held
        };
        bed.add(&scopes.map(|(key, scope)| unique(key, scope))).await;
        assert_eq!(held().await, ["pending", "unfinished", "period"]);
        let running = bed.claim(3).await;
        assert_eq!(held().await, ["unfinished", "period"]);
        for job in &running {
            bed.fail(job, Some(Duration::ZERO)).await;
        }
        assert_eq!(held().await, ["unfinished", "period"]);
        let leases: Vec<_> = bed.claim(3).await.iter().map(Claimed::lease).collect();
        assert_eq!(bed.store.complete(&leases).await.unwrap().len(), 3);
        assert_eq!(held().await, ["period"]);
        bed.clock.advance(Duration::from_hours(3));
        assert_eq!(held().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_key_whose_period_is_over_is_taken_over_from_a_job_that_still_waits() {
    for bed in each().await {
        let old = unique("k", UniqueScope::Period(Duration::from_hours(1)));
        let new = unique("k", UniqueScope::Period(Duration::from_hours(1)));
        bed.add(std::slice::from_ref(&old)).await;
        bed.clock.advance(Duration::from_hours(2));
        assert_eq!(bed.add(std::slice::from_ref(&new)).await[0], Enqueued { id: new.id, is_duplicate: false });
        assert_eq!(bed.job(old.id).await.unique_key, None);
        assert_eq!(bed.job(new.id).await.unique_key.as_deref(), Some("k"));
        assert_eq!(bed.claim(10).await.len(), 2);
    }
}

#[tokio::test]
async fn a_dead_letter_and_a_cancelled_job_let_go_of_their_keys() {
    for bed in each().await {
        let dead = bed.running(unique("dead", UniqueScope::Period(Duration::from_hours(1)))).await;
        bed.fail(&dead, None).await;
        let cancelled = unique("cancelled", UniqueScope::Unfinished);
        bed.add(std::slice::from_ref(&cancelled)).await;
        assert_eq!(bed.store.cancel(cancelled.id).await.unwrap(), Cancel::Done);
        let again = [unique("dead", UniqueScope::Unfinished), unique("cancelled", UniqueScope::Unfinished)];
        assert!(bed.add(&again).await.iter().all(|answer| !answer.is_duplicate));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_inserts_of_one_key_at_once_store_one_job() {
    for bed in each().await {
        let expired = unique("k", UniqueScope::Period(Duration::from_mins(1)));
        bed.add(std::slice::from_ref(&expired)).await;
        bed.clock.advance(Duration::from_hours(1));
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            let store = Arc::clone(&bed.store);
            tasks.spawn(async move { store.insert(&[unique("k", UniqueScope::Unfinished)]).await.unwrap()[0] });
        }
        let answers = tasks.join_all().await;
        let holders: BTreeSet<_> = answers.iter().map(|answer| answer.id).collect();
        assert_eq!((holders.len(), answers.iter().filter(|answer| !answer.is_duplicate).count()), (1, 1));
        assert!(!holders.contains(&expired.id));
        assert_eq!(bed.count(Status::Pending).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_with_the_same_keys_do_not_block_each_other_for_good() {
    for bed in each().await {
        let mut tasks = JoinSet::new();
        for round in 0..40_usize {
            let store = Arc::clone(&bed.store);
            tasks.spawn(async move {
                let key = |n: usize| format!("k{}", (n + round * 7) % 20);
                let batch: Vec<_> = (0..20).map(|n| unique(&key(n), UniqueScope::Unfinished)).collect();
                store.insert(&batch).await.unwrap().iter().filter(|answer| !answer.is_duplicate).count()
            });
        }
        assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 20);
    }
}
