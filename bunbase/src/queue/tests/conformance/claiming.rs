use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn the_most_urgent_come_first_and_then_those_that_are_due_longest() {
    for bed in each().await {
        let now = bed.clock.now();
        let due = |minutes: i64| Due::At(now - chrono::TimeDelta::minutes(minutes));
        let of = |action: &str, priority, due| NewJob { priority, due, ..job(action) };
        bed.add(&[
            of("low", Priority::Low, due(90)),
            of("normal, later", Priority::Normal, due(1)),
            of("normal, first", Priority::Normal, due(30)),
            of("critical", Priority::Critical, due(2)),
            of("high", Priority::High, due(3)),
            of("high, not due", Priority::Critical, Due::After(Duration::from_mins(1))),
            NewJob { queue: "other".into(), priority: Priority::Critical, ..job("elsewhere") },
        ])
        .await;
        let claimed = bed.claim(10).await;
        assert_eq!(actions(&claimed), ["critical", "high", "normal, first", "normal, later", "low"]);
        assert!(bed.claim(10).await.is_empty());
    }
}

#[tokio::test]
async fn a_limit_takes_from_the_most_urgent_and_leaves_the_rest() {
    for bed in each().await {
        let batch: Vec<_> =
            (0..20).map(|n| NewJob { priority: Priority::of_level(n % 4), ..job(&format!("{}", n % 4)) }).collect();
        bed.add(&batch).await;
        assert_eq!(actions(&bed.claim(7).await), ["3", "3", "3", "3", "3", "2", "2"]);
        assert_eq!(actions(&bed.claim(7).await), ["2", "2", "2", "1", "1", "1", "1"]);
        assert_eq!(actions(&bed.claim(7).await), ["1", "0", "0", "0", "0", "0"]);
    }
}

#[tokio::test]
async fn a_claimed_job_has_everything_that_a_run_needs() {
    for bed in each().await {
        let new = NewJob { origin: Some("evt".into()), door: "event", ..job("mail.send") };
        let claimed = bed.running(new.clone()).await;
        assert_eq!((claimed.id, claimed.claims, claimed.attempt, claimed.max_attempts), (new.id, 1, 1, 3));
        assert_eq!(
            (&claimed.input, &claimed.identity, &claimed.traceparent),
            (&new.input, &new.identity, &new.traceparent)
        );
        assert_eq!((claimed.door.as_str(), claimed.origin.as_deref(), claimed.group), ("event", Some("evt"), None));
        let job = bed.job(new.id).await;
        assert_eq!((job.status, job.attempt, job.claims, job.worker.as_deref()), (Status::Running, 1, 1, Some("test")));
        assert!(job.leased_until.unwrap() > bed.clock.now() && job.started_at.is_some());
        assert_eq!(claimed.created_at, job.created_at);
    }
}

#[tokio::test]
async fn a_delayed_job_is_due_when_the_clock_says_so() {
    for bed in each().await {
        bed.add(&[NewJob { due: Due::After(Duration::from_mins(1)), ..job("later") }]).await;
        let claims = bed.store.claim(&asking(5)).await.unwrap();
        let next = claims.next_due.unwrap();
        assert!(claims.jobs.is_empty() && next > Duration::from_secs(50) && next <= Duration::from_mins(1), "{next:?}");
        bed.clock.advance(Duration::from_secs(61));
        assert_eq!(bed.claim(5).await.len(), 1);
    }
}

#[tokio::test]
async fn a_claim_tells_when_the_next_job_is_due_and_whether_groups_wait() {
    for bed in each().await {
        let nothing = bed.store.claim(&asking(5)).await.unwrap();
        assert!(nothing.jobs.is_empty() && nothing.next_due.is_none() && !nothing.groups_due);
        bed.add(&[
            job("now"),
            NewJob { due: Due::After(Duration::from_hours(2)), ..job("late") },
            NewJob { due: Due::After(Duration::from_hours(1)), priority: Priority::Low, ..grouped("g", 1) },
        ])
        .await;
        let claims = bed.store.claim(&asking(5)).await.unwrap();
        assert_eq!(actions(&claims.jobs), ["now"]);
        assert!(claims.next_due.unwrap() <= Duration::from_hours(1) && !claims.groups_due);
        bed.add(&[grouped("g", 1)]).await;
        assert!(bed.store.claim(&asking(5)).await.unwrap().groups_due);
    }
}

#[tokio::test]
async fn a_queue_that_is_busy_sees_groups_and_urgent_jobs_long_before_it_is_empty() {
    const JOBS: usize = 4000;
    for bed in each().await {
        for _ in 0..JOBS / 1000 {
            bed.add(&(0..1000).map(|_| job("plain")).collect::<Vec<_>>()).await;
        }
        // Full claims, one after the other: from here on it is busy.
        for _ in 0..40 {
            let claims = bed.store.claim(&asking(1)).await.unwrap();
            assert_eq!((claims.jobs.len(), claims.groups_due, claims.next_due), (1, false, None));
        }
        bed.add(&[NewJob { priority: Priority::High, ..job("urgent") }]).await;
        assert_eq!(actions(&bed.claim(1).await), ["urgent"]);
        bed.add(&[grouped("g", 1)]).await;
        let mut left = JOBS - 40;
        loop {
            let claims = bed.store.claim(&asking(1)).await.unwrap();
            left -= claims.jobs.len();
            if claims.groups_due {
                break;
            }
            assert!(left > JOBS / 4, "nobody looked around");
        }
        assert_eq!(bed.claim_grouped(1).await.len(), 1);
        // What is not full has looked, and says what is there now.
        while left >= 1000 {
            left -= bed.claim(1000).await.len();
        }
        let claims = bed.store.claim(&asking(1000)).await.unwrap();
        assert_eq!((claims.jobs.len(), claims.groups_due), (left, false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_job_is_claimed_twice_under_one_fencing_token() {
    const JOBS: usize = 2000;
    for bed in each().await {
        let batch: Vec<_> = (0..JOBS)
            .map(|n| NewJob { priority: Priority::of_level(i16::try_from(n % 4).unwrap()), ..job("mail.send") })
            .collect();
        bed.add(&batch).await;
        let mut workers = JoinSet::new();
        for worker in 0..8 {
            let store = Arc::clone(&bed.store);
            workers.spawn(async move {
                let mut seen = Vec::new();
                loop {
                    let claimed = store.claim(&asking(1 + worker * 5)).await.unwrap().jobs;
                    if claimed.is_empty() {
                        return seen;
                    }
                    // Every third is handed back or fails, so that jobs are claimed several times.
                    let (again, done): (Vec<_>, Vec<_>) = claimed
                        .iter()
                        .map(Claimed::lease)
                        .partition(|lease| lease.id.as_bytes()[15] % 3 == 0 && lease.claims < 3);
                    store.release(&again).await.unwrap();
                    store.complete(&done).await.unwrap();
                    seen.extend(claimed.iter().map(Claimed::lease));
                }
            });
        }
        let mut claims: BTreeMap<Uuid, BTreeSet<i32>> = BTreeMap::new();
        for lease in workers.join_all().await.concat() {
            assert!(claims.entry(lease.id).or_default().insert(lease.claims), "{lease:?} was claimed twice");
        }
        assert_eq!(claims.len(), JOBS);
        let completed: i64 =
            bed.db.sql("SELECT count(*) FROM job_queue WHERE status = 'completed'").scalar().await.unwrap();
        assert_eq!(completed, i64::try_from(JOBS).unwrap());
    }
}
