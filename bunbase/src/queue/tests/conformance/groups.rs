use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::task::JoinSet;

use super::*;

fn origins(jobs: &[Claimed]) -> Vec<&str> {
    jobs.iter().filter_map(|job| job.origin.as_deref()).collect()
}

#[tokio::test]
async fn jobs_of_groups_are_left_to_those_who_ask_for_them() {
    for bed in each().await {
        bed.add(&[grouped("g", 1), job("plain")]).await;
        assert_eq!(actions(&bed.claim(10).await), ["plain"]);
        let claimed = bed.claim_grouped(10).await;
        assert_eq!((claimed.len(), claimed[0].group.as_deref()), (1, Some("g")));
    }
}

#[tokio::test]
async fn a_full_group_waits_and_others_go_on() {
    for bed in each().await {
        let mut batch: Vec<_> = (0..5).map(|_| grouped("full", 2)).collect();
        batch.push(NewJob { priority: Priority::Low, ..grouped("free", 1) });
        batch.push(NewJob { priority: Priority::Critical, ..grouped("free", 3) });
        bed.add(&batch).await;
        let claimed = bed.claim_grouped(10).await;
        let groups: Vec<_> = claimed.iter().filter_map(|job| job.group.as_deref()).collect();
        assert_eq!(groups, ["free", "full", "full"]);
        assert!(bed.claim_grouped(10).await.is_empty());
        bed.store.complete(&[claimed[1].lease()]).await.unwrap();
        assert_eq!(bed.claim_grouped(10).await.len(), 1);
        bed.fail(&claimed[2], Some(Duration::from_hours(1))).await;
        assert_eq!(bed.claim_grouped(10).await.len(), 1, "one that waits for its retry runs not");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_is_never_fuller_than_its_limit() {
    const LIMITS: [u32; 3] = [1, 2, 5];
    for bed in each().await {
        let batch: Vec<_> = (0..240).map(|n| grouped(&format!("g{}", n % 3), LIMITS[n % 3])).collect();
        bed.add(&batch).await;
        let running: Arc<[AtomicUsize; 3]> = Arc::default();
        let left = Arc::new(AtomicUsize::new(batch.len()));
        let mut workers = JoinSet::new();
        for _ in 0..6 {
            let (store, running, left) = (Arc::clone(&bed.store), Arc::clone(&running), Arc::clone(&left));
            workers.spawn(async move {
                while left.load(Ordering::SeqCst) > 0 {
                    let claimed = store.claim(&Claim { grouped: true, ..asking(4) }).await.unwrap().jobs;
                    for job in &claimed {
                        let group: usize = job.group.as_ref().unwrap()[1..].parse().unwrap();
                        let now = running[group].fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(now <= LIMITS[group] as usize, "{now} of group {group} run");
                    }
                    tokio::task::yield_now().await;
                    for job in &claimed {
                        let group: usize = job.group.as_ref().unwrap()[1..].parse().unwrap();
                        // Counted down first: whoever sees the room sees a group that counts less.
                        running[group].fetch_sub(1, Ordering::SeqCst);
                        store.complete(&[job.lease()]).await.unwrap();
                        left.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            });
        }
        workers.join_all().await;
        assert_eq!(bed.count(Status::Completed).await, batch.len());
    }
}

#[tokio::test]
async fn an_ordered_group_runs_one_at_a_time_in_the_order_of_positions() {
    for bed in each().await {
        let mut batch: Vec<_> = [3, 1, 2].map(|position| ordered("g", position)).into();
        batch[0].priority = Priority::Critical;
        bed.add(&batch).await;
        bed.add(&[ordered("h", 9)]).await;
        let first = bed.claim_grouped(10).await;
        assert_eq!(origins(&first), ["1", "9"]);
        assert!(bed.claim_grouped(10).await.is_empty());
        bed.store.complete(&[first[0].lease()]).await.unwrap();
        let second = bed.claim_grouped(10).await;
        assert_eq!(origins(&second), ["2"]);

        bed.fail(&second[0], Some(Duration::from_mins(1))).await;
        assert!(bed.claim_grouped(10).await.is_empty(), "one that waits for its retry is overtaken");
        bed.clock.advance(Duration::from_secs(61));
        let again = bed.claim_grouped(10).await;
        assert_eq!(origins(&again), ["2"]);
        bed.fail(&again[0], None).await;
        assert_eq!(origins(&bed.claim_grouped(10).await), ["3"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ordered_groups_stay_in_order_under_many_workers() {
    for bed in each().await {
        let batch: Vec<_> = (0..120).rev().map(|n| ordered(&format!("g{}", n % 4), n)).collect();
        bed.add(&batch).await;
        let left = Arc::new(AtomicUsize::new(batch.len()));
        let seen: Arc<std::sync::Mutex<BTreeMap<String, Vec<i64>>>> = Arc::default();
        let mut workers = JoinSet::new();
        for _ in 0..5 {
            let (store, left, seen) = (Arc::clone(&bed.store), Arc::clone(&left), Arc::clone(&seen));
            workers.spawn(async move {
                while left.load(Ordering::SeqCst) > 0 {
                    for job in store.claim(&Claim { grouped: true, ..asking(3) }).await.unwrap().jobs {
                        let position = job.origin.as_ref().unwrap().parse().unwrap();
                        let group = job.group.clone().unwrap();
                        seen.lock().unwrap().entry(group).or_default().push(position);
                        // The first attempt of every tenth fails.
                        if position % 10 == 0 && job.attempt == 1 {
                            seen.lock().unwrap().get_mut(job.group.as_ref().unwrap()).unwrap().pop();
                            let failed = Failed { lease: job.lease(), failure: failure(Some(Duration::ZERO)) };
                            store.fail(&[failed]).await.unwrap();
                        } else {
                            store.complete(&[job.lease()]).await.unwrap();
                            left.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
        workers.join_all().await;
        for (group, positions) in seen.lock().unwrap().iter() {
            assert!(positions.len() == 30 && positions.is_sorted(), "{group}: {positions:?}");
        }
    }
}

#[tokio::test]
async fn groups_behind_a_long_line_of_full_ones_have_their_turn() {
    for bed in each().await {
        let long: Vec<_> = (0..1200).map(|_| NewJob { priority: Priority::Critical, ..grouped("m", 1) }).collect();
        bed.add(&long).await;
        let turns: Vec<_> =
            (0..700).map(|position| NewJob { priority: Priority::High, ..ordered("n", position) }).collect();
        bed.add(&turns).await;
        bed.add(&["a", "b", "x", "y"].map(|key| grouped(key, 1))).await;
        let mut groups = Vec::new();
        for _ in 0..3 {
            groups.extend(bed.claim_grouped(10).await.into_iter().filter_map(|job| job.group));
        }
        groups.sort_unstable();
        assert_eq!(groups, ["a", "b", "m", "n", "x", "y"]);
    }
}

#[tokio::test]
async fn more_groups_than_one_claim_looks_at_have_their_turn_in_several() {
    for bed in each().await {
        // A thousand groups that are full, each with a job that runs, and behind them one that is free.
        let full: Vec<_> = (0..1100).flat_map(|n| [(); 2].map(|()| grouped(&format!("g{n:04}"), 1))).collect();
        bed.add(&full).await;
        let mut running = 0;
        for _ in 0..20 {
            running += bed.claim_grouped(400).await.len();
        }
        assert_eq!(running, 1100);
        bed.add(&[NewJob { priority: Priority::Low, ..grouped("z", 1) }]).await;
        let mut found = 0;
        for _ in 0..4 {
            found += bed.claim_grouped(10).await.len();
        }
        assert_eq!(found, 1);
    }
}

#[tokio::test]
async fn a_group_counts_over_all_queues() {
    for bed in each().await {
        bed.add(&[grouped("g", 1), NewJob { queue: "other".into(), ..grouped("g", 1) }]).await;
        assert_eq!(bed.claim_grouped(10).await.len(), 1);
        let elsewhere = Claim { queue: "other".into(), grouped: true, ..asking(10) };
        assert!(bed.store.claim(&elsewhere).await.unwrap().jobs.is_empty());
        bed.add(&[NewJob { queue: "other".into(), ..ordered("o", 1) }, ordered("o", 2)]).await;
        assert!(bed.claim_grouped(10).await.is_empty(), "another queue's turn");
        assert_eq!(bed.store.claim(&elsewhere).await.unwrap().jobs.len(), 1);
    }
}
