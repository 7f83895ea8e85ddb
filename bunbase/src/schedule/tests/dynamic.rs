use super::*;

async fn running(database: &TestDatabase) -> (Instance, Ticker, DateTime<Utc>) {
    let instance = Instance::of(database, Clock::system()).await;
    let hour = an_hour(&instance.clock);
    instance.go_to(hour + TimeDelta::minutes(5));
    // So that nothing but a wake-up is what it reacts to.
    let settings = Settings { poll_interval: Duration::from_hours(24), ..Settings::default() };
    let ticker = instance.ticker(&[schedule("declared", "0 0 1 1 *")], settings);
    ticker.started().await;
    (instance, ticker, hour)
}

#[tokio::test]
async fn one_that_is_made_wakes_the_ticker_and_runs_once() {
    for database in each().await {
        let (instance, ticker, hour) = running(&database).await;
        let at = hour + TimeDelta::minutes(10);
        let once = NewSchedule::new("remind", "mail.remind", Rule::once(at).unwrap());
        instance.schedules.create(&once).await.unwrap();
        assert_eq!(instance.entry("remind").await.upcoming(5), [at]);
        instance.go_to(at);
        instance.fired_reaches(1).await;
        ticker.stop().await;
        assert!(instance.schedules.get("remind").await.unwrap().is_none());
        let ticks = instance.schedules.ticks("remind", 10).await.unwrap();
        assert_eq!(ticks.iter().map(|tick| tick.tick_at).collect::<Vec<_>>(), [at]);
        assert!(ticks[0].job_id.is_some());
    }
}

#[tokio::test]
async fn a_time_that_has_passed_runs_at_once() {
    for database in each().await {
        let (instance, ticker, hour) = running(&database).await;
        instance.schedules.create(&NewSchedule::new("late", "mail.remind", Rule::once(hour).unwrap())).await.unwrap();
        instance.fired_reaches(1).await;
        ticker.stop().await;
        assert_eq!(instance.fired().await, [("late".to_owned(), hour)]);
    }
}

#[tokio::test]
async fn recurring_ones_go_on_until_they_are_deleted() {
    for database in each().await {
        let (instance, ticker, hour) = running(&database).await;
        instance.schedules.create(&schedule("tens", "every 10m")).await.unwrap();
        for n in 1..=3 {
            instance.go_to(hour + TimeDelta::minutes(n * 10));
            instance.fired_reaches(usize::try_from(n).unwrap()).await;
        }
        instance.schedules.delete("tens").await.unwrap();
        assert_eq!(instance.schedules.delete("tens").await.unwrap_err().status(), 404);
        instance.go_to(hour + TimeDelta::minutes(60));
        ticker.stop().await;
        assert_eq!(instance.take(&[]).await.unwrap(), 0);
        assert_eq!(instance.fired().await.len(), 3);
    }
}

#[tokio::test]
async fn a_name_is_made_once_and_can_be_replaced() {
    for database in each().await {
        let (instance, ticker, hour) = running(&database).await;
        instance.schedules.create(&schedule("tens", "every 10m")).await.unwrap();
        let other = NewSchedule { input: r#"{"n":2}"#.into(), ..schedule("tens", "every 20m") };
        let error = instance.schedules.create(&other).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (409, "schedule_exists"));
        instance.schedules.pause("tens").await.unwrap();
        instance.schedules.replace(&other).await.unwrap();
        let entry = instance.entry("tens").await;
        assert_eq!((entry.rule.as_str(), entry.paused), ("every 20m", true));
        instance.schedules.resume("tens").await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(20));
        instance.fired_reaches(1).await;
        assert_eq!(instance.recorder.seen.lock().unwrap()[0].input, r#"{"n":2}"#);
        instance.schedules.replace(&schedule("new", "every 1h")).await.unwrap();
        assert!(!instance.entry("new").await.is_declared);
        ticker.stop().await;
    }
}

#[tokio::test]
async fn what_the_code_declares_can_be_paused_and_not_replaced_or_deleted() {
    for database in each().await {
        let (instance, ticker, _) = running(&database).await;
        for error in [
            instance.schedules.replace(&schedule("declared", "every 1s")).await.unwrap_err(),
            instance.schedules.delete("declared").await.unwrap_err(),
        ] {
            assert_eq!((error.status(), error.code()), (409, "schedule_declared"));
        }
        instance.schedules.pause("declared").await.unwrap();
        assert!(instance.entry("declared").await.paused);
        assert_eq!(instance.schedules.pause("missing").await.unwrap_err().status(), 404);
        ticker.stop().await;
    }
}

#[tokio::test]
async fn ticks_of_a_pause_are_left_out() {
    for database in each().await {
        let (instance, ticker, hour) = running(&database).await;
        let all = NewSchedule { missed: Missed::All, ..schedule("tens", "every 10m") };
        instance.schedules.create(&all).await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(10));
        instance.fired_reaches(1).await;
        instance.schedules.pause("tens").await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(42));
        instance.schedules.resume("tens").await.unwrap();
        instance.go_to(hour + TimeDelta::minutes(50));
        instance.fired_reaches(2).await;
        ticker.stop().await;
        let minutes: Vec<_> = instance.fired().await.into_iter().map(|(_, at)| (at - hour).num_minutes()).collect();
        assert_eq!(minutes, [10, 50]);
    }
}

#[tokio::test]
async fn what_a_transaction_makes_is_there_when_it_commits() {
    for database in each().await {
        let (instance, ticker, hour) = running(&database).await;
        let once = |name: &str| NewSchedule::new(name, "mail.remind", Rule::once(hour).unwrap());
        let (kept, undone) = (once("kept"), once("undone"));
        let schedules = &instance.schedules;
        let refused = instance.db.transaction(async |tx: &Tx| {
            schedules.create_in(tx, &undone).await?;
            Err::<(), _>(Error::conflict("no"))
        });
        assert_eq!(refused.await.unwrap_err().status(), 409);
        instance.db.transaction(async |tx: &Tx| schedules.create_in(tx, &kept).await).await.unwrap();
        schedules.wake();
        instance.fired_reaches(1).await;
        ticker.stop().await;
        assert_eq!(instance.fired().await, [("kept".to_owned(), hour)]);
    }
}

#[tokio::test]
async fn they_are_listed_in_pages() {
    for database in each().await {
        let (instance, ticker, _) = running(&database).await;
        for n in 0..5 {
            instance.schedules.create(&schedule(&format!("s{n}"), "every 10m")).await.unwrap();
        }
        let names = async |after: &str| {
            let page = instance.schedules.list(after, 3).await.unwrap();
            page.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
        };
        assert_eq!(names("").await, ["declared", "s0", "s1"]);
        assert_eq!(names("s1").await, ["s2", "s3", "s4"]);
        assert!(names("s4").await.is_empty());
        ticker.stop().await;
    }
}
