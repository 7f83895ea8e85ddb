use super::*;

/// Ten minutes apart, declared before a downtime of 65 minutes that begins right after a tick.
async fn after_a_downtime(database: &TestDatabase, missed: Missed) -> (Instance, DateTime<Utc>) {
    let instance = Instance::of(database, Clock::system()).await;
    let declared = [NewSchedule { missed, ..schedule("tens", "every 10m") }];
    let hour = an_hour(&instance.clock);
    instance.go_to(hour - TimeDelta::minutes(5));
    let ticker = instance.ticker(&declared, Settings::default());
    ticker.started().await;
    instance.go_to(hour);
    instance.fired_reaches(1).await;
    ticker.stop().await;

    instance.go_to(hour + TimeDelta::minutes(65));
    let ticker = instance.ticker(&declared, Settings::default());
    ticker.started().await;
    ticker.stop().await;
    (instance, hour)
}

async fn minutes_after_a_downtime(database: &TestDatabase, missed: Missed) -> Vec<i64> {
    let (instance, hour) = after_a_downtime(database, missed).await;
    assert_eq!(instance.entry("tens").await.next_run_at, Some(hour + TimeDelta::minutes(70)));
    instance.fired().await.into_iter().map(|(_, at)| (at - hour).num_minutes()).collect()
}

#[tokio::test]
async fn skipped_ticks_of_a_downtime_do_not_run() {
    for database in each().await {
        assert_eq!(minutes_after_a_downtime(&database, Missed::Skip).await, [0]);
    }
}

#[tokio::test]
async fn the_latest_tick_of_a_downtime_runs_for_all_of_them() {
    for database in each().await {
        assert_eq!(minutes_after_a_downtime(&database, Missed::Once).await, [0, 60]);
    }
}

#[tokio::test]
async fn all_ticks_of_a_downtime_run() {
    for database in each().await {
        assert_eq!(minutes_after_a_downtime(&database, Missed::All).await, [0, 10, 20, 30, 40, 50, 60]);
    }
}

#[tokio::test]
async fn a_tick_within_its_grace_runs_late() {
    for database in each().await {
        let instance = Instance::of(&database, Clock::system()).await;
        let declared = [schedule("tens", "every 10m")];
        let hour = an_hour(&instance.clock);
        instance.go_to(hour - TimeDelta::minutes(5));
        instance.schedules.declare(&declared).await.unwrap();
        instance.go_to(hour + TimeDelta::seconds(55));
        assert_eq!(instance.take(&declared).await.unwrap(), 1);
        assert_eq!(instance.fired_of("tens").await, [hour]);
    }
}

#[tokio::test]
async fn a_tick_is_seen_by_the_clocks_of_its_zone() {
    for database in each().await {
        let instance = Instance::of(&database, Clock::system()).await;
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let night = NewSchedule { zone, ..schedule("night", "30 2 * * *") };
        let declared = [night.clone()];
        instance.schedules.declare(&declared).await.unwrap();
        // Through both changes of the clocks, whatever the day today is.
        let (from, mut expected) = (instance.clock.now(), Vec::new());
        for at in night.rule.ticks_between(from, from + TimeDelta::days(370), zone) {
            assert_eq!(instance.entry("night").await.next_run_at, Some(at));
            instance.go_to(at);
            assert_eq!(instance.take(&declared).await.unwrap(), 1);
            expected.push(at);
        }
        assert_eq!(instance.fired_of("night").await, expected);
        let hours: std::collections::BTreeSet<_> = expected.iter().map(|at| at.format("%H:%M").to_string()).collect();
        // 02:30 in winter, 02:30 in summer, and 03:00 on the day that has no 02:30.
        assert_eq!(hours.into_iter().collect::<Vec<_>>(), ["00:30", "01:00", "01:30"]);
    }
}
