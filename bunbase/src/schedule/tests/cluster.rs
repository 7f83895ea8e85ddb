use std::collections::BTreeMap;

use super::*;

/// The clocks of five instances, in microseconds from the middle one.
const SKEWS: [i64; 5] = [-1_000_000, -400_000, 0, 300_000, 1_000_000];

/// How far time goes on at a time.
const STEP: TimeDelta = TimeDelta::minutes(10);

fn declared() -> Vec<NewSchedule> {
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    let mut all = vec![
        schedule("quarters", "*/15 * * * *"),
        schedule("seconds", "15 */20 * * * *"),
        schedule("hours", "0 * * * *"),
        NewSchedule { zone: berlin, ..schedule("night", "30 2 * * *") },
        NewSchedule { zone: berlin, ..schedule("office", "0 9-17 * * *") },
        schedule("sevens", "every 7m"),
    ];
    all.extend((0..10).map(|n| schedule(&format!("tens_{n}"), "every 10m")));
    all
}

fn made_at_run_time(from: DateTime<Utc>) -> Vec<NewSchedule> {
    let once = |n: i32| {
        let rule = Rule::once(from + TimeDelta::minutes(i64::from(n) * 95)).unwrap();
        NewSchedule::new(format!("once_{n}"), "mail.remind", rule)
    };
    (1..=10).map(once).chain([schedule("dynamic", "*/30 * * * *")]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_instances_with_clocks_apart_run_each_tick_of_a_day_once() {
    let days = each().await.into_iter().map(|database| async move { a_day_of(&database).await });
    futures_util::future::join_all(days).await;
}

async fn a_day_of(database: &TestDatabase) {
    let mut instances = Vec::new();
    for skew in SKEWS {
        instances.push(Instance::of(database, Clock::skewed(skew)).await);
    }
    // All write into one table, and learn from each other when to look.
    let recorder = Arc::new(Recorder::default());
    for instance in &mut instances {
        instance.recorder = recorder.clone();
    }
    let middle = &instances[2];
    let (declared, from) = (declared(), an_hour(&middle.clock));
    let go_to = |at: DateTime<Utc>| {
        let by = (at - middle.clock.now()).to_std().unwrap();
        for instance in &instances {
            instance.clock.advance(by);
        }
    };
    // Not near a tick: what was declared before `from` has its first tick at or after it.
    go_to(from - TimeDelta::seconds(30));
    let dynamic = made_at_run_time(from);
    for schedule in &dynamic {
        middle.schedules.create(schedule).await.unwrap();
    }
    let settings = Settings { grace: Duration::from_mins(20), ..Settings::default() };
    let tickers: Vec<_> = instances.iter().map(|instance| instance.ticker(&declared, settings.clone())).collect();
    for ticker in &tickers {
        ticker.started().await;
    }

    let all: Vec<_> = declared.iter().chain(&dynamic).collect();
    let expected = |until: DateTime<Utc>| {
        let ticks = |of: &&NewSchedule| {
            let name = of.name.clone();
            let ticks: Vec<_> = of.rule.ticks_between(from - TimeDelta::seconds(30), until, of.zone).collect();
            ticks.into_iter().map(move |at| (name.clone(), at))
        };
        let mut expected: Vec<_> = all.iter().flat_map(ticks).collect();
        expected.sort();
        expected
    };
    let (mut now, end) = (from, from + TimeDelta::hours(24));
    while now <= end {
        // The middle clock shows a tick to the moment: one instance is a second past it, another a second before.
        go_to(now);
        middle.fired_reaches(expected(now).len()).await;
        now += STEP;
    }
    // All clocks are past the end, and what came twice would have come.
    go_to(end + TimeDelta::seconds(10));
    for ticker in &tickers {
        tokio::join!(ticker.stop(), ticker.stop());
    }
    let mut counted: BTreeMap<_, usize> = BTreeMap::new();
    for fired in middle.fired().await {
        *counted.entry(fired).or_default() += 1;
    }
    let twice: Vec<_> = counted.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let fired: Vec<_> = counted.into_keys().collect();
    assert_eq!(fired, expected(end + TimeDelta::seconds(1)));
    assert!(fired.len() > 1900, "{}", fired.len());
    let ticks: i64 =
        middle.db.sql("SELECT count(*) FROM schedule_ticks WHERE job_id IS NOT NULL").scalar().await.unwrap();
    assert_eq!(usize::try_from(ticks).unwrap(), fired.len());
}
