use super::*;

#[tokio::test]
async fn a_job_that_is_done_stays_for_its_retention_or_goes_at_once() {
    for bed in each().await {
        let done = bed.running(job("mail.send")).await;
        assert_eq!(bed.store.complete(&[done.lease()]).await.unwrap(), [done.id]);
        let job = bed.job(done.id).await;
        assert_eq!((job.status, job.leased_until), (Status::Completed, None));
        assert!(job.finished_at.is_some());
    }
    for bed in each_with(Settings::default()).await {
        let done = bed.running(job("mail.send")).await;
        let keyed = bed.running(unique("k", UniqueScope::Period(Duration::from_hours(1)))).await;
        assert_eq!(bed.store.complete(&[done.lease(), keyed.lease()]).await.unwrap().len(), 2);
        assert_eq!(bed.store.get(done.id).await.unwrap(), None);
        assert_eq!(bed.job(keyed.id).await.status, Status::Completed);
        assert!(bed.add(&[unique("k", UniqueScope::Unfinished)]).await[0].is_duplicate);
    }
}

#[tokio::test]
async fn whoever_lost_the_lease_changes_nothing() {
    for bed in each().await {
        let lost = bed.running(job("mail.send")).await;
        bed.expire();
        bed.store.reap(10).await.unwrap();
        let holder = bed.claim(1).await.remove(0);
        assert_eq!((holder.id, holder.claims, holder.attempt), (lost.id, 2, 2));
        let before = bed.job(lost.id).await;

        let stale = [lost.lease()];
        assert!(bed.store.complete(&stale).await.unwrap().is_empty());
        assert!(bed.store.cancelled(&stale).await.unwrap().is_empty());
        assert!(bed.store.release(&stale).await.unwrap().is_empty());
        assert!(bed.store.heartbeat(&stale, LEASE).await.unwrap().is_empty());
        assert!(!bed.store.progress(lost.lease(), "half").await.unwrap());
        assert!(bed.fail(&lost, Some(Duration::ZERO)).await.is_empty());
        assert!(bed.fail(&lost, None).await.is_empty());
        assert_eq!(bed.job(lost.id).await, before);

        assert_eq!(bed.store.complete(&[lost.lease(), holder.lease()]).await.unwrap(), [holder.id]);
        assert!(bed.store.complete(&[holder.lease()]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_failed_job_comes_back_after_its_backoff_and_remembers_why() {
    for bed in each().await {
        let first = bed.running(job("mail.send")).await;
        let ended = bed.fail(&first, Some(Duration::from_mins(1))).await;
        assert_eq!(ended, [Ended { id: first.id, is_dead: false }]);
        let job = bed.job(first.id).await;
        assert_eq!((job.status, job.attempt, job.leased_until), (Status::Retrying, 1, None));
        let [attempt] = &job.history()[..] else { panic!("{:?}", job.errors) };
        assert_eq!((attempt.attempt, attempt.code.as_str(), attempt.message.as_str()), (1, "boom", "it did not work"));
        assert!((attempt.at - bed.clock.now()).abs() < chrono::TimeDelta::seconds(10));

        assert!(bed.claim(1).await.is_empty());
        bed.clock.advance(Duration::from_secs(61));
        let second = bed.claim(1).await.remove(0);
        assert_eq!((second.attempt, second.claims), (2, 2));
    }
}

#[tokio::test]
async fn a_job_out_of_attempts_is_a_dead_letter_with_its_history() {
    for bed in each().await {
        let new = NewJob { max_attempts: 25, priority: Priority::High, ..grouped("g", 4) };
        bed.add(std::slice::from_ref(&new)).await;
        for attempt in 1..=25 {
            let claimed = bed.claim_grouped(1).await.remove(0);
            assert_eq!(claimed.attempt, attempt);
            let ended = bed.fail(&claimed, Some(Duration::ZERO)).await;
            assert_eq!(ended, [Ended { id: new.id, is_dead: attempt == 25 }]);
        }
        assert_eq!(bed.store.get(new.id).await.unwrap(), None);
        let dead = bed.store.failure(new.id).await.unwrap().unwrap();
        assert_eq!((dead.attempts, dead.claims, dead.max_attempts, dead.priority), (25, 25, 25, Priority::High));
        assert_eq!((dead.error_code.as_str(), dead.error.as_str()), ("boom", "it did not work"));
        assert_eq!((&dead.input, dead.group_key.as_deref(), dead.group_limit), (&new.input, Some("g"), Some(4)));
        let attempts: Vec<_> = dead.history().iter().map(|attempt| attempt.attempt).collect();
        assert_eq!(attempts, (6..=25).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_failure_that_no_retry_helps_is_a_dead_letter_at_once() {
    for bed in each().await {
        let [hopeless, hopeful] = [job("a"), job("b")];
        bed.add(&[hopeless, hopeful]).await;
        let claimed = bed.claim(2).await;
        let failed = [
            Failed { lease: claimed[0].lease(), failure: failure(None) },
            Failed { lease: claimed[1].lease(), failure: failure(Some(Duration::ZERO)) },
        ];
        let mut ended = bed.store.fail(&failed).await.unwrap();
        ended.sort_by_key(|ended| ended.is_dead);
        assert_eq!(ended.iter().map(|ended| ended.is_dead).collect::<Vec<_>>(), [false, true]);
        assert_eq!(bed.store.failure(ended[1].id).await.unwrap().unwrap().attempts, 1);
        assert_eq!(bed.count(Status::Retrying).await, 1);
    }
}

#[tokio::test]
async fn a_text_that_a_database_cannot_hold_is_no_reason_to_lose_a_failure() {
    for bed in each().await {
        let claimed = bed.running(job("mail.send")).await;
        let failure = Failure { code: "a\0b".into(), message: format!("\0{}", "ü".repeat(5000)), retry_after: None };
        let ended = bed.store.fail(&[Failed { lease: claimed.lease(), failure }]).await.unwrap();
        assert_eq!(ended, [Ended { id: claimed.id, is_dead: true }]);
        let dead = bed.store.failure(claimed.id).await.unwrap().unwrap();
        assert_eq!(dead.error_code, "a\u{fffd}b");
        assert!(dead.error.starts_with("\u{fffd}ü") && dead.error.len() < 5000);
        assert_eq!(dead.history()[0].message, dead.error);
    }
}

#[tokio::test]
async fn handing_back_charges_no_attempt() {
    for bed in each().await {
        let first = bed.running(job("mail.send")).await;
        assert_eq!(bed.store.release(&[first.lease()]).await.unwrap(), [first.id]);
        assert_eq!(bed.job(first.id).await.status, Status::Pending);
        let second = bed.claim(1).await.remove(0);
        assert_eq!((second.attempt, second.claims), (1, 2));
        bed.fail(&second, Some(Duration::ZERO)).await;
        let third = bed.claim(1).await.remove(0);
        bed.store.release(&[third.lease()]).await.unwrap();
        let job = bed.job(first.id).await;
        assert_eq!((job.status, job.attempt, job.claims), (Status::Retrying, 1, 3));
    }
}

#[tokio::test]
async fn a_heartbeat_extends_the_lease_and_says_who_is_to_stop() {
    for bed in each().await {
        let (kept, stopped) = (bed.running(job("a")).await, bed.running(job("b")).await);
        bed.clock.advance(LEASE / 2);
        assert_eq!(bed.store.cancel(stopped.id).await.unwrap(), Cancel::Requested);
        let mut held = bed.store.heartbeat(&[kept.lease(), stopped.lease()], LEASE).await.unwrap();
        held.sort_by_key(|held| held.cancel_requested);
        assert_eq!(held[0], Held { lease: kept.lease(), cancel_requested: false });
        assert_eq!(held[1], Held { lease: stopped.lease(), cancel_requested: true });
        bed.clock.advance(LEASE * 3 / 4);
        assert_eq!(bed.store.reap(10).await.unwrap().jobs(), 0);
        bed.clock.advance(LEASE / 2);
        assert_eq!(bed.store.reap(10).await.unwrap().jobs(), 2);
    }
}

#[tokio::test]
async fn a_job_that_was_asked_to_stop_is_cancelled_however_its_run_ends() {
    for bed in each().await {
        let mut running = Vec::new();
        for name in ["stops", "fails", "fails for good", "hands back", "vanishes", "completes"] {
            let claimed = bed.running(NewJob { max_attempts: 1, ..job(name) }).await;
            assert_eq!(bed.store.cancel(claimed.id).await.unwrap(), Cancel::Requested);
            running.push(claimed);
        }
        assert_eq!(bed.store.cancelled(&[running[0].lease()]).await.unwrap(), [running[0].id]);
        bed.fail(&running[1], Some(Duration::ZERO)).await;
        assert_eq!(bed.fail(&running[2], None).await, [Ended { id: running[2].id, is_dead: false }]);
        bed.store.release(&[running[3].lease()]).await.unwrap();
        bed.store.complete(&[running[5].lease()]).await.unwrap();
        bed.expire();
        assert_eq!(bed.store.reap(10).await.unwrap().cancelled, 1);
        assert_eq!(bed.count(Status::Cancelled).await, 5);
        assert_eq!(bed.job(running[5].id).await.status, Status::Completed);
    }
}

#[tokio::test]
async fn progress_is_kept_with_the_job() {
    for bed in each().await {
        let claimed = bed.running(job("mail.send")).await;
        assert!(bed.store.progress(claimed.lease(), r#"{"done":7}"#).await.unwrap());
        assert!(bed.store.progress(claimed.lease(), "8\0").await.unwrap());
        assert_eq!(bed.job(claimed.id).await.progress.as_deref(), Some("8\u{fffd}"));
    }
}
