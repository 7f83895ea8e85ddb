use std::sync::atomic::Ordering;

use futures_util::FutureExt;

use super::{probe::settings, *};
use crate::db::{DbErr, Settings as DbSettings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_run_and_completed_in_batches_and_each_by_itself() {
    for batch in [1, 100] {
        for bed in each().await {
            let wake = Bed::wake();
            let (worker, probe) = bed.worker(&wake, WorkerSettings { batch, ..settings(4) }).await;
            bed.add(&(0..300).map(|_| job("works")).collect::<Vec<_>>()).await;
            wake.jobs("default");
            probe.over(300).await;
            bed.until(Status::Completed, 300).await;
            assert!(probe.most_at_once.load(Ordering::SeqCst) <= 4);
            worker.stop().await;
            assert_eq!(probe.began.borrow().len(), 300);
        }
    }
}

#[tokio::test]
async fn a_job_that_comes_while_it_idles_is_taken_at_once() {
    for bed in each().await {
        let wake = Bed::wake();
        let (_worker, probe) = bed.worker(&wake, settings(2)).await;
        for round in 1..=20 {
            bed.add(&[job("works")]).await;
            wake.jobs("default");
            probe.began(round).await;
        }
    }
}

#[tokio::test]
async fn a_delayed_job_and_a_retry_are_taken_when_they_are_due() {
    for bed in each().await {
        let wake = Bed::wake();
        bed.add(&[NewJob { due: Due::After(Duration::from_mins(1)), ..job("works") }]).await;
        let (_worker, probe) = bed.worker(&wake, settings(2)).await;
        assert!(probe.began.borrow().is_empty());
        bed.clock.advance(Duration::from_secs(61));
        probe.began(1).await;
        bed.add(&[job("fails")]).await;
        wake.jobs("default");
        let began = probe.began(4).await;
        assert_eq!(began[1..].iter().map(|job| job.attempt).collect::<Vec<_>>(), [1, 2, 3]);
        let dead = async { while bed.store.failure(began[1].id).await.unwrap().is_none() {} };
        tokio::time::timeout(Duration::from_secs(30), dead).await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_that_nobody_wakes_looks_by_itself() {
    for bed in each().await {
        let polling = WorkerSettings { poll_interval: Duration::from_millis(10), ..settings(2) };
        let (_worker, probe) = bed.worker(&Bed::wake(), polling).await;
        bed.add(&[job("works"), grouped("g", 1)]).await;
        probe.began(2).await;
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_failed_attempt_and_no_dead_worker() {
    for bed in each().await {
        let wake = Bed::wake();
        let (_worker, probe) = bed.worker(&wake, settings(1)).await;
        let panics = NewJob { max_attempts: 1, ..job("panics") };
        bed.add(&[panics.clone(), job("works")]).await;
        wake.jobs("default");
        probe.began(2).await;
        bed.until(Status::Completed, 1).await;
        let dead = async {
            loop {
                if let Some(dead) = bed.store.failure(panics.id).await.unwrap() {
                    return dead;
                }
            }
        };
        let dead = tokio::time::timeout(Duration::from_secs(30), dead).await.unwrap();
        assert_eq!((dead.error_code.as_str(), dead.error.as_str()), ("panic", "the handler panicked"));
    }
}

#[tokio::test]
async fn a_job_whose_lease_is_lost_is_dropped_and_never_completed() {
    for bed in each().await {
        let wake = Bed::wake();
        let (worker, probe) = bed.worker(&wake, settings(1)).await;
        bed.add(&[job("is deaf")]).await;
        wake.jobs("default");
        let lost = probe.began(1).await.remove(0);
        // As if it had been paused for longer than its lease.
        let past = bed.clock.now() - chrono::TimeDelta::hours(1);
        bed.db.sql("UPDATE job_queue SET leased_until = $1").bind(past).execute().await.unwrap();
        assert_eq!(bed.store.reap(10).await.unwrap().retrying, 1);
        let holder = bed.claim(1).await.remove(0);
        wake.cancel();
        probe.over(1).await;
        assert_eq!(bed.job(lost.id).await.claims, holder.claims);
        assert_eq!(bed.store.complete(&[holder.lease()]).await.unwrap(), [lost.id]);
        // Its slot is free again.
        bed.add(&[job("works")]).await;
        wake.jobs("default");
        bed.until(Status::Completed, 2).await;
        worker.stop().await;
    }
}

#[tokio::test]
async fn leases_are_extended_for_as_long_as_jobs_run() {
    for bed in each().await {
        let wake = Bed::wake();
        let (_worker, probe) = bed.worker(&wake, settings(1)).await;
        bed.add(&[job("blocks")]).await;
        wake.jobs("default");
        let running = probe.began(1).await.remove(0);
        let mut until = bed.job(running.id).await.leased_until;
        for _ in 0..4 {
            bed.clock.advance(LEASE / 2);
            let extended = async {
                loop {
                    let now = bed.job(running.id).await.leased_until;
                    if now > until {
                        return now;
                    }
                }
            };
            until = tokio::time::timeout(Duration::from_secs(30), extended).await.unwrap();
            assert_eq!(bed.store.reap(10).await.unwrap().jobs(), 0);
        }
        probe.open.send_replace(true);
        bed.until(Status::Completed, 1).await;
    }
}

#[tokio::test]
async fn a_running_job_is_cancelled_on_request_whether_it_listens_or_not() {
    for bed in each().await {
        let wake = Bed::wake();
        let (_worker, probe) = bed.worker(&wake, settings(2)).await;
        bed.add(&[job("blocks"), job("is deaf")]).await;
        wake.jobs("default");
        let began = probe.began(2).await;
        for job in &began {
            assert_eq!(bed.store.cancel(job.id).await.unwrap(), Cancel::Requested);
        }
        wake.cancel();
        bed.until(Status::Cancelled, 1).await;
        bed.until(Status::Cancelled, 2).await;
        assert_eq!(*probe.over.borrow(), 2);
    }
}

#[tokio::test]
async fn stopping_lets_what_runs_end_and_takes_nothing_more() {
    for bed in each().await {
        let wake = Bed::wake();
        let (worker, probe) = bed.worker(&wake, settings(1)).await;
        bed.add(&[job("blocks"), job("works")]).await;
        wake.jobs("default");
        probe.began(1).await;
        let stopping = worker.stop();
        tokio::pin!(stopping);
        assert!(stopping.as_mut().now_or_never().is_none());
        probe.open.send_replace(true);
        stopping.await;
        worker.stop().await;
        assert_eq!(bed.count(Status::Completed).await, 1);
        assert_eq!((bed.count(Status::Pending).await, bed.claim(5).await[0].attempt), (1, 1));
    }
}

#[tokio::test]
async fn what_does_not_end_by_the_deadline_goes_back_without_being_charged() {
    for bed in each().await {
        let wake = Bed::wake();
        let (worker, probe) = bed.worker(&wake, settings(2)).await;
        bed.add(&[job("blocks"), job("is deaf")]).await;
        wake.jobs("default");
        probe.began(2).await;
        let stopping = worker.stop();
        tokio::pin!(stopping);
        // The deadline begins when the worker sees that it is to stop.
        while stopping.as_mut().now_or_never().is_none() {
            bed.clock.advance(Duration::from_secs(31));
            tokio::task::yield_now().await;
        }
        assert_eq!(*probe.over.borrow(), 2);
        let again = bed.claim(5).await;
        assert_eq!(again.iter().map(|job| (job.attempt, job.claims)).collect::<Vec<_>>(), [(1, 2), (1, 2)]);
    }
}

#[tokio::test]
async fn dropping_a_worker_stops_it() {
    for bed in each().await {
        let wake = Bed::wake();
        let (worker, probe) = bed.worker(&wake, settings(1)).await;
        bed.add(&[job("blocks")]).await;
        wake.jobs("default");
        probe.began(1).await;
        drop(worker);
        while bed.count(Status::Pending).await == 0 {
            bed.clock.advance(Duration::from_secs(31));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_claimed_ahead_go_to_others_when_those_before_them_take_long() {
    for bed in each().await {
        let wake = Bed::wake();
        let mut batch: Vec<_> = (0..500).map(|_| job("works")).collect();
        batch[250].action = "blocks".to_owned();
        bed.add(&batch).await;
        let (blocked, probe) = bed.worker(&wake, settings(1)).await;
        // Not after 250 others: what a slow machine makes the lane hand back comes later.
        probe.began_one_of("blocks").await;
        let (_other, _) = bed.worker(&wake, settings(1)).await;
        bed.until(Status::Completed, 499).await;
        probe.open.send_replace(true);
        bed.until(Status::Completed, 500).await;
        blocked.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_other_jobs_run_beside_each_other() {
    for bed in each().await {
        let wake = Bed::wake();
        let mut batch: Vec<_> = (0..200).map(|_| job("works")).collect();
        batch.extend((0..20).map(|position| ordered("g", position)));
        batch.extend((0..20).map(|_| grouped("h", 1)));
        bed.add(&batch).await;
        let (_worker, probe) = bed.worker(&wake, settings(4)).await;
        bed.until(Status::Completed, batch.len()).await;
        let began = probe.began.borrow();
        let positions: Vec<i64> = began.iter().filter_map(|job| job.origin.as_ref()?.parse().ok()).collect();
        assert!(positions.len() == 20 && positions.is_sorted(), "{positions:?}");
    }
}

#[tokio::test]
async fn every_queue_has_its_own_slots() {
    for bed in each().await {
        let wake = Bed::wake();
        let queues = vec![("default".to_owned(), 1), ("mail".to_owned(), 2)];
        let (worker, probe) = bed.worker(&wake, WorkerSettings { queues, ..settings(1) }).await;
        let of = |queue: &str, action: &str| NewJob { queue: queue.into(), ..job(action) };
        bed.add(&[of("default", "blocks"), of("default", "blocks"), of("mail", "blocks"), of("other", "blocks")]).await;
        wake.jobs("default");
        wake.jobs("mail");
        probe.began(2).await;
        bed.add(&[of("mail", "works")]).await;
        wake.jobs("mail");
        bed.until(Status::Completed, 1).await;
        assert_eq!((probe.began.borrow().len(), bed.count(Status::Running).await), (3, 2));
        probe.open.send_replace(true);
        bed.until(Status::Completed, 4).await;
        assert_eq!(bed.count(Status::Pending).await, 1);
        worker.stop().await;
    }
}

/// Runs a statement on the server, outside of the database.
async fn on_server(bed: &Bed, sql: &str) -> Result<(), DbErr> {
    let (server, name) = bed.database.url().rsplit_once('/').unwrap();
    let server = Db::open(&DbSettings::new(format!("{server}/postgres"))).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&server, &sql.replace("NAME", name)).await?;
    server.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_nothing_is_lost_and_then_all_goes_on() {
    for mut bed in each().await {
        // A lock that another process keeps, or a server that lets nobody in.
        let patience = Duration::from_millis(50);
        let settings = DbSettings { busy_timeout: patience, acquire_timeout: patience * 10, ..bed.database.settings() };
        let other = bed.db.clone();
        bed.store = open(
            Db::open(&settings).await.unwrap(),
            bed.clock.clone(),
            Settings { retention: Some(LEASE), ..Settings::default() },
        );
        let wake = Bed::wake();
        let polling = WorkerSettings { poll_interval: Duration::from_millis(20), ..probe::settings(2) };
        let (worker, probe) = bed.worker(&wake, polling).await;
        bed.add(&[job("blocks"), job("works")]).await;
        probe.over(1).await;
        bed.until(Status::Completed, 1).await;

        let lock = if bed.database.backend() == DbBackend::Postgres {
            other.close().await;
            on_server(&bed, "ALTER DATABASE \"NAME\" ALLOW_CONNECTIONS false").await.unwrap();
            on_server(&bed, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'NAME'")
                .await
                .unwrap();
            None
        } else {
            Some(other.begin_tx().await.unwrap())
        };
        let refused = bed.store.insert(&[job("works")]).await.unwrap_err();
        assert_eq!(refused.status(), 503, "{refused:?}");
        // It ends while nobody can be told.
        probe.open.send_replace(true);
        probe.over(2).await;
        assert_eq!(bed.store.prioritise(Uuid::now_v7(), Priority::Low).await.unwrap_err().status(), 503);
        match lock {
            Some(tx) => tx.rollback().await.unwrap(),
            None => on_server(&bed, "ALTER DATABASE \"NAME\" ALLOW_CONNECTIONS true").await.unwrap(),
        }
        bed.until(Status::Completed, 2).await;
        while bed.store.insert(&[job("works")]).await.is_err() {}
        bed.until(Status::Completed, 3).await;
        assert_eq!(probe.began.borrow().len(), 3);
        worker.stop().await;
    }
}
