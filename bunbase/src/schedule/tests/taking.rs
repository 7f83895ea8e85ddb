use sea_orm::DbBackend;

use super::*;

/// An instance with two schedules that are due.
async fn two_due(database: &TestDatabase) -> (Instance, [NewSchedule; 2], DateTime<Utc>) {
    let instance = Instance::of(database, Clock::system()).await;
    let declared = [schedule("a", "every 10m"), schedule("b", "every 10m")];
    let hour = an_hour(&instance.clock);
    instance.go_to(hour - TimeDelta::minutes(5));
    instance.schedules.declare(&declared).await.unwrap();
    instance.go_to(hour);
    (instance, declared, hour)
}

#[tokio::test]
async fn a_tick_that_fails_is_undone_and_comes_again_while_others_go_on() {
    for panics in [false, true] {
        for database in each().await {
            let (instance, declared, hour) = two_due(&database).await;
            *instance.recorder.broken.lock().unwrap() = Some(("a".into(), panics));
            assert_eq!(instance.take(&declared).await.unwrap(), 1);
            assert_eq!(instance.fired().await, [("b".to_owned(), hour)]);
            let entry = instance.entry("a").await;
            assert!(entry.error.is_some(), "{entry:?}");
            assert_eq!(entry.next_run_at, Some(hour));
            // It is left alone for a while.
            assert_eq!(instance.take(&declared).await.unwrap(), 0);
            assert_eq!(instance.recorder.seen.lock().unwrap().len(), 2);

            *instance.recorder.broken.lock().unwrap() = None;
            instance.clock.advance(Duration::from_secs(2));
            assert_eq!(instance.take(&declared).await.unwrap(), 1);
            assert_eq!(instance.fired_of("a").await, [hour]);
            assert_eq!(instance.entry("a").await.error, None);
        }
    }
}

#[tokio::test]
async fn the_ticker_tries_a_tick_again_by_itself() {
    for database in each().await {
        let (instance, declared, hour) = two_due(&database).await;
        *instance.recorder.broken.lock().unwrap() = Some(("a".into(), false));
        let ticker = instance.ticker(&declared, Settings::default());
        ticker.started().await;
        *instance.recorder.broken.lock().unwrap() = None;
        instance.clock.advance(Duration::from_secs(2));
        instance.fired_reaches(2).await;
        ticker.stop().await;
        assert_eq!(instance.fired_of("a").await, [hour]);
    }
}

#[tokio::test]
async fn a_take_that_is_dropped_on_the_way_leaves_nothing() {
    for database in each().await {
        let (instance, declared, hour) = two_due(&database).await;
        for polls in 0..30 {
            let names = ["a".to_owned(), "b".to_owned()];
            let take = instance.schedules.take(&names, Duration::from_mins(1), &Unending);
            let mut take = std::pin::pin!(take);
            for _ in 0..polls {
                // It ends when the one before, whose rollback is on its way, still holds the rows.
                if let Ok(ended) = tokio::time::timeout(Duration::from_millis(1), take.as_mut()).await {
                    assert_eq!(ended.unwrap().schedules, 0);
                    break;
                }
            }
        }
        assert_eq!(instance.entry("a").await.next_run_at, Some(hour));
        assert!(instance.schedules.ticks("a", 1).await.unwrap().is_empty());
        let mut taken = 0;
        while taken < 2 {
            taken += instance.take(&declared).await.unwrap();
        }
        assert_eq!(instance.fired().await, [("a".to_owned(), hour), ("b".to_owned(), hour)]);
    }
}

/// Never ends what it began.
struct Unending;

impl OnTick for Unending {
    fn fire<'a>(&'a self, tx: &'a Tx, tick: &'a Tick) -> BoxFuture<'a, Result<Option<Uuid>>> {
        Box::pin(async move {
            let insert = tx.sql("INSERT INTO fired (schedule, tick_at) VALUES ($1, $2)");
            insert.bind(tick.schedule.as_str()).bind(tick.at).execute().await?;
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn what_another_instance_is_taking_is_not_waited_for() {
    for database in each().await {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let (instance, declared, _) = two_due(&database).await;
        let tx = instance.db.begin_tx().await.unwrap();
        tx.sql("SELECT name FROM schedules WHERE name = 'a' FOR UPDATE").execute().await.unwrap();
        assert_eq!(instance.take(&declared).await.unwrap(), 1);
        tx.rollback().await.unwrap();
        assert_eq!(instance.take(&declared).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_tick_knows_the_job_of_the_one_before() {
    for database in each().await {
        let (instance, declared, hour) = two_due(&database).await;
        instance.take(&declared).await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(10));
        instance.take(&declared).await.unwrap();
        let seen = instance.recorder.seen.lock().unwrap().clone();
        let of_a: Vec<_> = seen.iter().filter(|tick| tick.schedule == "a").collect();
        let jobs: Vec<_> =
            instance.schedules.ticks("a", 5).await.unwrap().into_iter().map(|tick| tick.job_id).collect();
        assert_eq!(of_a[0].previous_job, None);
        assert_eq!(of_a[1].previous_job, jobs[1]);
        assert_eq!(instance.entry("a").await.last_job_id, jobs[0]);
        assert_eq!(of_a[1].overlap, Overlap::Skip);
    }
}

#[tokio::test]
async fn a_tick_that_was_taken_is_never_taken_again() {
    for database in each().await {
        let (instance, declared, hour) = two_due(&database).await;
        instance.take(&declared).await.unwrap();
        // As if a restored or mistaken row had gone back.
        instance.db.sql("UPDATE schedules SET next_run_at = $1").bind(hour).execute().await.unwrap();
        assert_eq!(instance.take(&declared).await.unwrap(), 0);
        assert_eq!(instance.fired().await.len(), 2);
        assert_eq!(instance.entry("a").await.next_run_at, Some(hour + TimeDelta::minutes(10)));
    }
}

#[tokio::test]
async fn a_rule_that_this_version_does_not_know_is_left_alone() {
    for database in each().await {
        let (instance, declared, _) = two_due(&database).await;
        instance.db.sql("UPDATE schedules SET rule = 'moon full' WHERE name = 'a'").execute().await.unwrap();
        assert_eq!(instance.take(&declared).await.unwrap(), 1);
        assert_eq!(instance.take(&declared).await.unwrap(), 0);
        let entry = instance.entry("a").await;
        assert_eq!((entry.rule.as_str(), entry.error.is_some()), ("moon full", true));
    }
}

#[tokio::test]
async fn old_ticks_are_deleted() {
    for database in each().await {
        let (instance, declared, hour) = two_due(&database).await;
        instance.take(&declared).await.unwrap();
        let settings = Settings { retention: Duration::from_hours(1), ..Settings::default() };
        instance.go_to(hour + TimeDelta::minutes(90));
        let ticker = instance.ticker(&declared, settings);
        ticker.started().await;
        ticker.stop().await;
        let left: Vec<_> =
            instance.schedules.ticks("a", 5).await.unwrap().into_iter().map(|tick| tick.tick_at).collect();
        assert_eq!(left, [hour + TimeDelta::minutes(90)]);
    }
}

#[tokio::test]
async fn a_ticker_stops_while_the_database_is_away() {
    for database in each().await {
        let (instance, declared, _) = two_due(&database).await;
        instance.db.close().await;
        let ticker = instance.ticker(&declared, Settings::default());
        tokio::join!(ticker.stop(), ticker.stop());
        ticker.stop().await;
    }
}
