use super::{probe::settings, *};

const SETTINGS: ReaperSettings = ReaperSettings { lease: LEASE, raise_after: Some(Duration::from_mins(5)) };

#[tokio::test]
async fn what_a_dead_worker_held_runs_again_elsewhere() {
    for bed in each().await {
        let wake = Bed::wake();
        bed.add(&[job("works")]).await;
        let dead = bed.claim(1).await.remove(0);
        let (_worker, probe) = bed.worker(&wake, settings(1)).await;
        let reaper = Reaper::start(Arc::clone(&bed.store), wake, bed.clock.clone(), SETTINGS);
        reaper.started().await;
        assert!(probe.began.borrow().is_empty());
        bed.expire();
        let again = probe.began(1).await.remove(0);
        assert_eq!((again.id, again.attempt, again.claims), (dead.id, 2, 2));
        reaper.stop().await;
        reaper.stop().await;
    }
}

#[tokio::test]
async fn it_raises_and_deletes_by_and_by() {
    for bed in each_with(Settings { retention: Some(Duration::from_mins(1)), failure_retention: None }).await {
        let done = bed.running(job("done")).await;
        bed.store.complete(&[done.lease()]).await.unwrap();
        let waits = NewJob { priority: Priority::Low, ..job("waits") };
        bed.add(std::slice::from_ref(&waits)).await;
        let reaper = Reaper::start(Arc::clone(&bed.store), Bed::wake(), bed.clock.clone(), SETTINGS);
        reaper.started().await;
        assert_eq!(bed.job(done.id).await.status, Status::Completed);
        bed.clock.advance(Duration::from_mins(6));
        let both = async {
            while bed.store.get(done.id).await.unwrap().is_some() || bed.job(waits.id).await.priority == Priority::Low {
            }
        };
        tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    }
}
