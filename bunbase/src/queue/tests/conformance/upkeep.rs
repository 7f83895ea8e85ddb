use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn an_expired_lease_is_taken_back_and_the_attempt_charged() {
    for bed in each().await {
        let lost = bed.running(job("mail.send")).await;
        assert_eq!(bed.store.reap(10).await.unwrap(), Reaped::default());
        bed.expire();
        let reaped = bed.store.reap(10).await.unwrap();
        assert_eq!(reaped, Reaped { retrying: 1, queues: vec!["default".into()], ..Reaped::default() });
        let job = bed.job(lost.id).await;
        assert_eq!((job.status, job.attempt), (Status::Retrying, 1));
        assert_eq!((job.history()[0].code.as_str(), job.history()[0].attempt), ("lease_expired", 1));
        assert_eq!(bed.claim(1).await[0].attempt, 2);
    }
}

#[tokio::test]
async fn a_job_that_kills_its_workers_ends_in_the_dead_letters() {
    for bed in each().await {
        let new = NewJob { max_attempts: 2, ..job("poison") };
        bed.add(std::slice::from_ref(&new)).await;
        for _ in 0..2 {
            assert_eq!(bed.claim(1).await.len(), 1);
            bed.expire();
            assert_eq!(bed.store.reap(10).await.unwrap().jobs(), 1);
        }
        let dead = bed.store.failure(new.id).await.unwrap().unwrap();
        assert_eq!((dead.error_code.as_str(), dead.attempts, dead.history().len()), ("lease_expired", 2, 2));
        assert!(bed.claim(1).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_reapers_take_each_job_back_once() {
    for bed in each().await {
        bed.add(&(0..300).map(|_| job("mail.send")).collect::<Vec<_>>()).await;
        assert_eq!(bed.claim(300).await.len(), 300);
        bed.expire();
        let mut reapers = JoinSet::new();
        for _ in 0..4 {
            let store = Arc::clone(&bed.store);
            reapers.spawn(async move {
                let mut reaped = 0;
                for _ in 0..20 {
                    reaped += store.reap(40).await.unwrap().jobs();
                }
                reaped
            });
        }
        assert_eq!(reapers.join_all().await.into_iter().sum::<u64>(), 300);
        assert!(bed.claim(300).await.iter().all(|job| (job.attempt, job.claims) == (2, 2)));
    }
}

#[tokio::test]
async fn a_job_that_waits_for_too_long_is_raised_one_level_at_a_time() {
    const AFTER: Duration = Duration::from_mins(5);
    for bed in each().await {
        let low = NewJob { priority: Priority::Low, ..job("low") };
        let grouped = NewJob { priority: Priority::High, ..grouped("g", 1) };
        let critical = NewJob { priority: Priority::Critical, ..job("critical") };
        let later = NewJob { due: Due::After(Duration::from_hours(24)), queue: "other".into(), ..job("later") };
        bed.add(&[low.clone(), grouped.clone(), critical.clone(), later.clone()]).await;
        assert_eq!(bed.store.raise(AFTER, 100).await.unwrap(), 0);
        let level = async |job: &NewJob| bed.job(job.id).await.priority;
        bed.clock.advance(AFTER + Duration::from_secs(1));
        assert_eq!(bed.store.raise(AFTER, 100).await.unwrap(), 2);
        assert_eq!(bed.store.raise(AFTER, 100).await.unwrap(), 0);
        assert_eq!((level(&low).await, level(&grouped).await), (Priority::Normal, Priority::Critical));
        bed.clock.advance(AFTER + Duration::from_secs(1));
        assert_eq!(bed.store.raise(AFTER, 100).await.unwrap(), 1);
        assert_eq!((level(&low).await, level(&grouped).await), (Priority::High, Priority::Critical));
        assert_eq!((level(&critical).await, level(&later).await), (Priority::Critical, Priority::Normal));
    }
}

#[tokio::test]
async fn raising_is_bounded_and_starts_with_whoever_waits_longest() {
    for bed in each().await {
        let of = |queue: &str| NewJob { queue: queue.into(), priority: Priority::Low, ..job("low") };
        bed.add(&[of("a"), of("a"), of("b"), of("c")]).await;
        bed.clock.advance(Duration::from_mins(10));
        let mut raised = Vec::new();
        for _ in 0..4 {
            raised.push(bed.store.raise(Duration::from_mins(5), 3).await.unwrap());
        }
        assert_eq!(raised, [3, 1, 0, 0]);
    }
}

#[tokio::test]
async fn what_has_ended_is_deleted_after_its_retention() {
    let hour = Duration::from_hours(1);
    for bed in each_with(Settings { retention: Some(hour), failure_retention: Some(hour * 24) }).await {
        let done = bed.running(job("done")).await;
        bed.store.complete(&[done.lease()]).await.unwrap();
        let keyed = bed.running(unique("k", UniqueScope::Period(hour * 10))).await;
        bed.store.complete(&[keyed.lease()]).await.unwrap();
        let dead = bed.running(job("dead")).await;
        bed.fail(&dead, None).await;
        let waiting = job("waiting");
        bed.add(std::slice::from_ref(&waiting)).await;
        assert_eq!(bed.store.prune(100).await.unwrap(), 0);
        bed.clock.advance(hour * 2);
        assert_eq!(bed.store.prune(100).await.unwrap(), 1);
        assert_eq!(bed.store.get(done.id).await.unwrap(), None);
        bed.clock.advance(hour * 10);
        assert_eq!(bed.store.prune(100).await.unwrap(), 1);
        assert_eq!(bed.store.get(keyed.id).await.unwrap(), None);
        bed.clock.advance(hour * 24);
        assert_eq!(bed.store.prune(100).await.unwrap(), 1);
        assert_eq!(bed.store.failure(dead.id).await.unwrap(), None);
        assert_eq!(bed.job(waiting.id).await.status, Status::Pending);
    }
}

#[tokio::test]
async fn pruning_is_bounded() {
    for bed in each_with(Settings { retention: Some(Duration::ZERO), failure_retention: None }).await {
        bed.add(&(0..5).map(|_| job("done")).collect::<Vec<_>>()).await;
        let leases: Vec<_> = bed.claim(5).await.iter().map(Claimed::lease).collect();
        bed.store.complete(&leases).await.unwrap();
        bed.clock.advance(Duration::from_secs(1));
        assert_eq!((bed.store.prune(3).await.unwrap(), bed.store.prune(3).await.unwrap()), (3, 2));
    }
}
