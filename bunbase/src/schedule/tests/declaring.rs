use super::*;

async fn instance_at_an_hour(database: &TestDatabase) -> (Instance, DateTime<Utc>) {
    let instance = Instance::of(database, Clock::system()).await;
    let hour = an_hour(&instance.clock);
    instance.go_to(hour + TimeDelta::minutes(5));
    (instance, hour)
}

#[tokio::test]
async fn what_is_declared_is_stored_with_its_next_tick() {
    for database in each().await {
        let (instance, hour) = instance_at_an_hour(&database).await;
        let declared = [schedule("tens", "every 10m"), schedule("nightly", "0 2 * * *")];
        for _ in 0..2 {
            instance.schedules.declare(&declared).await.unwrap();
            let names: Vec<_> = instance.schedules.list("", 10).await.unwrap();
            assert_eq!(names.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["nightly", "tens"]);
        }
        let tens = instance.entry("tens").await;
        assert!(tens.is_declared && !tens.paused);
        let minutes: Vec<_> = tens.upcoming(3).into_iter().map(|at| (at - hour).num_minutes()).collect();
        assert_eq!(minutes, [10, 20, 30]);
    }
}

#[tokio::test]
async fn a_changed_rule_runs_by_its_new_ticks_and_none_twice() {
    for database in each().await {
        let (instance, hour) = instance_at_an_hour(&database).await;
        let old = [NewSchedule { missed: Missed::All, ..schedule("reports", "every 10m") }];
        instance.schedules.declare(&old).await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(10));
        assert_eq!(instance.take(&old).await.unwrap(), 1);

        let new = [NewSchedule { missed: Missed::All, ..schedule("reports", "every 5m") }];
        instance.schedules.declare(&new).await.unwrap();
        assert_eq!(instance.entry("reports").await.next_run_at, Some(hour + TimeDelta::minutes(15)));
        assert_eq!(instance.take(&new).await.unwrap(), 0);
        instance.go_to(hour + TimeDelta::minutes(15));
        assert_eq!(instance.take(&new).await.unwrap(), 1);
        // What was missed by the rule that changed is not caught up.
        instance.go_to(hour + TimeDelta::hours(3));
        let last = [NewSchedule { missed: Missed::All, ..schedule("reports", "every 1h") }];
        instance.schedules.declare(&last).await.unwrap();
        assert_eq!(instance.take(&last).await.unwrap(), 0);
        assert_eq!(instance.fired_of("reports").await, [10, 15].map(|minutes| hour + TimeDelta::minutes(minutes)));
    }
}

#[tokio::test]
async fn what_changed_beside_the_rule_leaves_the_next_tick_alone() {
    for database in each().await {
        let (instance, hour) = instance_at_an_hour(&database).await;
        instance.schedules.declare(&[schedule("reports", "every 10m")]).await.unwrap();
        // A downtime in which it was redeployed with another action.
        instance.go_to(hour + TimeDelta::minutes(35));
        let new =
            [NewSchedule { action: "reports.write".into(), missed: Missed::All, ..schedule("reports", "every 10m") }];
        instance.schedules.declare(&new).await.unwrap();
        assert_eq!(instance.take(&new).await.unwrap(), 3);
        assert!(instance.recorder.seen.lock().unwrap().iter().all(|tick| tick.action == "reports.write"));
    }
}

#[tokio::test]
async fn paused_stays_paused_whatever_is_declared() {
    for database in each().await {
        let (instance, hour) = instance_at_an_hour(&database).await;
        instance.schedules.declare(&[schedule("reports", "every 10m")]).await.unwrap();
        instance.schedules.pause("reports").await.unwrap();
        let new = [schedule("reports", "every 5m")];
        instance.schedules.declare(&new).await.unwrap();
        let entry = instance.entry("reports").await;
        assert!(entry.paused && entry.upcoming(1).is_empty());
        instance.go_to(hour + TimeDelta::minutes(30));
        assert_eq!(instance.take(&new).await.unwrap(), 0);
        instance.schedules.resume("reports").await.unwrap();
        assert_eq!(instance.entry("reports").await.next_run_at, Some(hour + TimeDelta::minutes(35)));
        assert_eq!(instance.take(&new).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn what_nobody_declares_any_more_does_not_run_and_is_deleted() {
    for database in each().await {
        let (instance, hour) = instance_at_an_hour(&database).await;
        let (kept, dropped) = (schedule("kept", "every 10m"), schedule("dropped", "every 10m"));
        instance.schedules.declare(&[kept.clone(), dropped]).await.unwrap();
        let kept = [kept];
        instance.schedules.declare(&kept).await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(10));
        assert_eq!(instance.take(&kept).await.unwrap(), 1);
        assert!(instance.fired_of("dropped").await.is_empty());
        instance.schedules.declare(&kept).await.unwrap();
        assert!(instance.schedules.get("dropped").await.unwrap().is_none());
        assert!(instance.schedules.get("kept").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn two_versions_that_run_at_once_do_not_take_it_from_each_other() {
    for database in each().await {
        let (instance, _) = instance_at_an_hour(&database).await;
        let (old, new) =
            ([schedule("reports", "every 10m"), schedule("gone", "every 1h")], [schedule("reports", "every 5m")]);
        let rule = async || instance.entry("reports").await.rule;
        let seconds = |seconds| instance.clock.advance(Duration::from_secs(seconds));
        instance.schedules.declare(&old).await.unwrap();
        instance.schedules.declare(&new).await.unwrap();
        for _ in 0..10 {
            // The old ones go on, and one of them restarts.
            seconds(15);
            instance.schedules.declare(&old).await.unwrap();
            assert_eq!(rule().await, "every 5m");
            instance.schedules.declare(&new).await.unwrap();
            assert_eq!(rule().await, "every 5m");
            assert!(instance.schedules.get("gone").await.unwrap().is_some());
        }
        // The new version is rolled back: its instances are gone.
        seconds(61);
        instance.schedules.declare(&old).await.unwrap();
        assert_eq!(rule().await, "every 10m");
    }
}

#[tokio::test]
async fn a_name_that_was_made_at_run_time_is_not_taken_over() {
    for database in each().await {
        let (instance, _) = instance_at_an_hour(&database).await;
        instance.schedules.create(&schedule("reports", "every 10m")).await.unwrap();
        let error = instance.schedules.declare(&[schedule("reports", "every 5m")]).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (409, "schedule_name_taken"));
        assert_eq!(instance.entry("reports").await.rule, "every 10m");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_may_start_at_once() {
    for database in each().await {
        let declared: Vec<_> = (0..20).map(|n| schedule(&format!("s{n}"), "every 10m")).collect();
        let one = Instance::of(&database, Clock::system()).await;
        let mut starting = tokio::task::JoinSet::new();
        for n in 0..10 {
            let (schedules, mut declared) = (one.schedules.clone(), declared.clone());
            declared.rotate_left(n);
            starting.spawn(async move { schedules.declare(&declared).await });
        }
        assert!(starting.join_all().await.into_iter().all(|result| result.is_ok()));
        assert_eq!(one.schedules.list("", 100).await.unwrap().len(), 20);
    }
}
