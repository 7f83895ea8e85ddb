use super::*;

#[tokio::test]
async fn jobs_are_listed_by_what_they_are_in_pages() {
    for bed in each().await {
        let mut batch: Vec<_> = (0..7).map(|_| job("mail.send")).collect();
        batch[2].queue = "other".into();
        batch[3].action = "report.make".into();
        batch[4].group = Some(Group { key: "g".into(), limit: 1, position: None });
        bed.add(&batch).await;
        bed.claim(1).await;
        let list = async |filter: JobFilter| {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = bed.store.list(&filter, 2, cursor.as_ref()).await.unwrap();
                assert!(page.items.len() <= 2);
                found.extend(page.items.into_iter().map(|job| job.id));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return found;
                }
            }
        };
        let newest_first = |keep: &[usize]| keep.iter().rev().map(|n| batch[*n].id).collect::<Vec<_>>();
        let all = JobFilter::default;
        assert_eq!(list(all()).await, newest_first(&[0, 1, 2, 3, 4, 5, 6]));
        assert_eq!(list(JobFilter { queue: Some("other".into()), ..all() }).await, newest_first(&[2]));
        assert_eq!(list(JobFilter { action: Some("report.make".into()), ..all() }).await, newest_first(&[3]));
        assert_eq!(list(JobFilter { status: Some(Status::Running), ..all() }).await, newest_first(&[0]));
        assert_eq!(list(JobFilter { group: Some("g".into()), ..all() }).await, newest_first(&[4]));
        let none = JobFilter { status: Some(Status::Completed), queue: Some("default".into()), ..all() };
        assert!(list(none).await.is_empty());
    }
}

#[tokio::test]
async fn the_numbers_of_every_known_queue_are_there_zeros_included() {
    for bed in each().await {
        let empty = bed.store.stats(&["idle".into()]).await.unwrap();
        assert_eq!(empty.queues, [QueueStats { queue: "idle".into(), ..QueueStats::default() }]);
        bed.add(&[
            job("runs"),
            job("waits"),
            NewJob { priority: Priority::Critical, ..grouped("g", 1) },
            NewJob { priority: Priority::Critical, due: Due::After(Duration::from_hours(1)), ..job("later") },
            NewJob { queue: "later".into(), due: Due::After(Duration::from_hours(1)), ..job("later") },
        ])
        .await;
        bed.claim(1).await;
        let dead = bed.running(NewJob { priority: Priority::Critical, ..job("dead") }).await;
        bed.fail(&dead, None).await;
        bed.clock.advance(Duration::from_mins(10));
        let stats = bed.store.stats(&["idle".into()]).await.unwrap();
        let [default, idle, later] = &stats.queues[..] else { panic!("{stats:?}") };
        assert_eq!((default.waiting, default.running, default.dead_letters), ([0, 1, 0, 2], 1, 1));
        assert!(default.oldest_due.unwrap() >= Duration::from_mins(10));
        assert_eq!(idle, &empty.queues[0]);
        assert_eq!((later.waiting, later.oldest_due), ([0, 1, 0, 0], None));
    }
}

#[tokio::test]
async fn cancelling_is_at_once_for_what_waits_and_too_late_for_what_has_ended() {
    for bed in each().await {
        let (waits, runs) = (job("waits"), bed.running(job("runs")).await);
        bed.add(std::slice::from_ref(&waits)).await;
        assert_eq!(bed.store.cancel(waits.id).await.unwrap(), Cancel::Done);
        let job = bed.job(waits.id).await;
        assert!(job.status == Status::Cancelled && job.finished_at.is_some());
        assert_eq!(bed.store.cancel(waits.id).await.unwrap(), Cancel::TooLate);
        assert_eq!(bed.store.cancel(Uuid::now_v7()).await.unwrap(), Cancel::TooLate);
        assert!(bed.claim(1).await.is_empty());
        assert_eq!(bed.store.cancel(runs.id).await.unwrap(), Cancel::Requested);
        assert_eq!(bed.job(runs.id).await.status, Status::Running);
    }
}

#[tokio::test]
async fn what_waits_can_be_moved_in_time_and_in_urgency() {
    for bed in each().await {
        let [first, second] = [job("first"), job("second")];
        bed.add(&[first.clone(), second.clone()]).await;
        assert!(bed.store.prioritise(second.id, Priority::Critical).await.unwrap());
        assert!(bed.store.reschedule(first.id, bed.clock.now() + chrono::TimeDelta::hours(1)).await.unwrap());
        assert_eq!(actions(&bed.claim(10).await), ["second"]);
        assert!(!bed.store.prioritise(second.id, Priority::Low).await.unwrap(), "it runs");
        assert!(!bed.store.reschedule(second.id, bed.clock.now()).await.unwrap());
        assert!(bed.store.reschedule(first.id, bed.clock.now()).await.unwrap());
        assert_eq!(actions(&bed.claim(10).await), ["first"]);
    }
}

/// Stores jobs of these actions and lets them end in the dead letters, one after the other.
async fn dead_letters(bed: &Bed, actions: &[&str]) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for action in actions {
        let claimed = bed.running(job(action)).await;
        bed.fail(&claimed, None).await;
        bed.clock.advance(Duration::from_secs(1));
        ids.push(claimed.id);
    }
    ids
}

#[tokio::test]
async fn a_dead_letter_is_retried_with_fresh_attempts_and_its_history() {
    for bed in each().await {
        let [id] = dead_letters(&bed, &["mail.send"]).await[..] else { panic!() };
        let requeued = bed.store.retry(&FailureFilter::one(id), 10).await.unwrap();
        assert_eq!(requeued, Requeued { jobs: 1, queues: vec!["default".into()] });
        assert_eq!(bed.store.failure(id).await.unwrap(), None);
        let job = bed.job(id).await;
        assert_eq!((job.status, job.attempt, job.max_attempts, job.history().len()), (Status::Pending, 0, 3, 1));
        let claimed = bed.claim(1).await.remove(0);
        assert_eq!((claimed.attempt, claimed.claims), (1, 2), "an old claim's token names nothing");
        bed.fail(&claimed, Some(Duration::ZERO)).await;
        assert_eq!(bed.job(id).await.history().len(), 2);
        assert_eq!(bed.store.retry(&FailureFilter::one(id), 10).await.unwrap(), Requeued::default());
    }
}

#[tokio::test]
async fn dead_letters_are_listed_latest_first_and_retried_and_discarded_in_bulk() {
    for bed in each().await {
        let ids = dead_letters(&bed, &["a", "b", "a", "b", "a"]).await;
        let list = async |filter: FailureFilter| {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = bed.store.failures(&filter, 2, cursor.as_ref()).await.unwrap();
                found.extend(page.items);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return found;
                }
            }
        };
        let all = list(FailureFilter::default()).await;
        assert_eq!(all.iter().map(|dead| dead.id).collect::<Vec<_>>(), ids.iter().rev().copied().collect::<Vec<_>>());
        let of = |action: &str| FailureFilter { action: Some(action.into()), ..FailureFilter::default() };
        assert_eq!(list(of("b")).await.len(), 2);

        let until = FailureFilter { failed_until: Some(all[1].failed_at), ..of("b") };
        assert_eq!(bed.store.discard(&until, 1).await.unwrap(), 1);
        assert_eq!(bed.store.failure(ids[1]).await.unwrap(), None, "the oldest is meant first");
        let elsewhere = FailureFilter { queue: Some("other".into()), ..FailureFilter::default() };
        assert_eq!(bed.store.discard(&elsewhere, 10).await.unwrap(), 0);
        let before_the_last = FailureFilter { failed_until: Some(all[1].failed_at), ..of("a") };
        assert_eq!(bed.store.retry(&before_the_last, 10).await.unwrap().jobs, 2);
        assert_eq!(bed.store.discard(&FailureFilter { ids: Some(ids.clone()), ..of("b") }, 10).await.unwrap(), 1);
        let left = list(FailureFilter::default()).await;
        assert_eq!(left.iter().map(|dead| dead.id).collect::<Vec<_>>(), [ids[4]]);
        assert_eq!(bed.count(Status::Pending).await, 2);
    }
}
