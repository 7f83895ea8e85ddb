//! Records on their way into real databases of both kinds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use sea_orm::DbBackend;
use tokio::time::Instant;
use tracing::Level;

use super::{
    read::{self, StoredRun},
    writer::{FILLED, flush_once, full},
    *,
};
use crate::db::{Db, migrate::Plan, testing::TestDatabase};

async fn each() -> Vec<(TestDatabase, Db)> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        all.push((database, db));
    }
    all
}

fn record(action: &'static str) -> RunRecord {
    RunRecord {
        action,
        door: "http",
        trace_id: *b"0123456789abcdef",
        attempt: 2,
        status: RunStatus::Succeeded,
        started_us: 1_790_000_000_123_456,
        duration: Duration::from_micros(1234),
        http_status: Some(200),
        failure: None,
        details: None,
    }
}

fn failure(text: Option<&str>) -> Failure {
    Failure { code: "timeout".into(), text: text.map(str::to_owned) }
}

fn line(message: &str) -> LogLine {
    LogLine {
        logged_at: began(),
        level: Level::WARN,
        target: "a::b".into(),
        message: message.to_owned(),
        fields: Some(r#"{"n":1}"#.to_owned()),
    }
}

/// When a record of these tests began.
fn began() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(record("a").started_us).unwrap()
}

async fn all(db: &Db) -> Vec<StoredRun> {
    read::latest(db, None, false, 100_000).await.unwrap()
}

async fn count(db: &Db, sql: &str) -> i64 {
    db.sql(sql).scalar().await.unwrap()
}

/// Makes the database refuse runs of the action `bad`.
async fn refuse_bad(db: &Db) {
    let sql = match db.backend() {
        DbBackend::Postgres => "ALTER TABLE action_runs ADD CONSTRAINT not_bad CHECK (action <> 'bad')",
        _ => {
            "CREATE TRIGGER not_bad BEFORE INSERT ON action_runs WHEN NEW.action = 'bad'
             BEGIN SELECT RAISE(ABORT, 'bad'); END"
        }
    };
    db.sql(sql).execute().await.unwrap();
}

#[tokio::test]
async fn everything_of_a_record_comes_back() {
    for (_database, db) in each().await {
        let recorder = Recorder::new(Limits::default());
        let odd = "tab\t, line\r\n, back\\slash \\N, 'quotes\", ünïcödé";
        let details = Details {
            input: Some(r#"{"a":"\t"}"#.to_owned()),
            output: Some("[]".to_owned()),
            lines: vec![line("first"), line(odd), line("")],
        };
        recorder.record(RunRecord {
            status: RunStatus::TimedOut,
            http_status: Some(504),
            failure: Some(Box::new(failure(Some(odd)))),
            details: Some(Box::new(details)),
            ..record("a.b")
        });
        recorder.record(RunRecord { failure: Some(Box::new(failure(Some("")))), ..record("c") });
        recorder.record(RunRecord { failure: Some(Box::new(failure(None))), trace_id: [7; 16], ..record("d") });
        flush_once(&recorder, &db).await.unwrap();
        let runs = all(&db).await;
        let first = runs.iter().find(|run| run.action == "a.b").unwrap();
        assert_eq!((first.door.as_str(), first.attempt, first.status.as_str()), ("http", 2, "timed_out"));
        assert_eq!(first.trace_id, "30313233343536373839616263646566");
        assert_eq!((first.started_at, first.duration_us), (began(), 1234));
        assert_eq!((first.http_status, first.error_code.as_deref()), (Some(504), Some("timeout")));
        assert_eq!(first.error.as_deref(), Some(odd));
        assert_eq!((first.input.as_deref(), first.output.as_deref()), (Some(r#"{"a":"\t"}"#), Some("[]")));
        let second = runs.iter().find(|run| run.action == "c").unwrap();
        assert_eq!((second.error.as_deref(), &second.input), (Some(""), &None));
        let third = runs.iter().find(|run| run.action == "d").unwrap();
        assert_eq!((third.error_code.as_deref(), &third.error), (Some("timeout"), &None));

        let lines = read::lines(&db, first.id).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["first", odd, ""]);
        assert_eq!((lines[0].level.as_str(), lines[0].target.as_str(), lines[0].line), ("warn", "a::b", 1));
        assert_eq!((lines[0].logged_at, lines[0].fields.as_deref()), (began(), Some(r#"{"n":1}"#)));
        assert_eq!(read::find(&db, first.id).await.unwrap(), std::slice::from_ref(first));
        let trace = first.trace_id.parse().unwrap();
        assert_eq!(read::find(&db, trace).await.unwrap().len(), 2, "the runs of a trace");
        assert_eq!(read::latest(&db, None, true, 10).await.unwrap(), std::slice::from_ref(first));
        let counts = recorder.counts();
        assert_eq!((counts.recorded, counts.written, recorder.bytes()), (3, 3, 0));
        // A time that was written compares with one that is bound.
        let at = "SELECT count(*) FROM action_runs WHERE started_at = $1";
        assert_eq!(db.sql(at).bind(began()).scalar::<i64>().await.unwrap(), 3);
    }
}

#[tokio::test]
async fn a_record_that_the_database_refuses_is_lost_alone() {
    for (_database, db) in each().await {
        refuse_bad(&db).await;
        let recorder = Recorder::new(Limits::default());
        for number in 0..1000 {
            let action = if matches!(number, 3 | 250 | 999) { "bad" } else { "good" };
            let details = Some(Box::new(Details { lines: vec![line(action)], ..Details::default() }));
            recorder.record(RunRecord { details, ..record(action) });
        }
        flush_once(&recorder, &db).await.unwrap();
        assert_eq!(all(&db).await.len(), 997);
        assert_eq!(count(&db, "SELECT count(*) FROM action_logs").await, 997);
        let counts = recorder.counts();
        assert_eq!((counts.written, counts.refused, recorder.len(), recorder.bytes()), (997, 3, 0, 0));
    }
}

#[tokio::test]
async fn when_the_database_refuses_one_after_the_other_the_rest_waits() {
    for (_database, db) in each().await {
        refuse_bad(&db).await;
        let recorder = Recorder::new(Limits::default());
        (0..100).for_each(|_| recorder.record(record("bad")));
        flush_once(&recorder, &db).await.unwrap_err();
        assert_eq!((recorder.counts().refused, recorder.len()), (8, 92));
    }
}

#[tokio::test]
async fn a_record_whose_statement_ended_unknown_is_not_there_twice() {
    for (_database, db) in each().await {
        let recorder = Recorder::new(Limits::default());
        let details = || Some(Box::new(Details { lines: vec![line("a")], ..Details::default() }));
        (0..5).for_each(|_| recorder.record(RunRecord { details: details(), ..record("a") }));
        let batch = recorder.take(5, usize::MAX);
        store::write(&db, recorder.ids(), &batch).await.unwrap();
        // As if the answer had been lost on its way.
        recorder.put_back(batch);
        recorder.record(RunRecord { details: details(), ..record("a") });
        flush_once(&recorder, &db).await.unwrap();
        assert_eq!(all(&db).await.len(), 6);
        assert_eq!(count(&db, "SELECT count(*) FROM action_logs").await, 6);
    }
}

#[tokio::test]
async fn a_database_that_is_away_keeps_everything_in_the_buffer_and_in_order() {
    for (database, db) in each().await {
        let recorder = Recorder::new(Limits::default());
        for attempt in 1..=700 {
            recorder.record(RunRecord { attempt, ..record("a") });
        }
        let closed = Db::open(&database.settings()).await.unwrap();
        closed.close().await;
        assert_eq!(flush_once(&recorder, &closed).await.unwrap_err().status(), 503);
        assert_eq!((recorder.len(), recorder.counts().refused), (700, 0));
        flush_once(&recorder, &db).await.unwrap();
        let attempts: Vec<(i32,)> = db.sql("SELECT attempt FROM action_runs ORDER BY id").columns().await.unwrap();
        assert_eq!(attempts, (1..=700).map(|attempt| (attempt,)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_full_buffer_is_written_before_its_time_and_a_stop_writes_the_rest() {
    for (_database, db) in each().await {
        let recorder = Recorder::new(Limits { flush_at: 10, ..Limits::default() });
        let settings = Settings { flush_interval: Duration::from_hours(1) };
        let mut writer = Writer::start(recorder.clone(), db.clone(), settings);
        (0..9).for_each(|_| recorder.record(record("a")));
        tokio::task::yield_now().await;
        assert_eq!(recorder.counts().written, 0);
        recorder.record(record("a"));
        while recorder.counts().written < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (0..3).for_each(|_| recorder.record(record("a")));
        writer.stop().await;
        writer.stop().await;
        assert_eq!(all(&db).await.len(), 13);
    }
}

#[tokio::test]
async fn what_the_application_writes_on_sqlite_comes_before_the_records() {
    let database = TestDatabase::sqlite().unwrap();
    let db = database.db().await.unwrap();
    Plan::new().up(&db).await.unwrap();
    db.sql("CREATE TABLE seen (runs BIGINT NOT NULL)").execute().await.unwrap();
    let recorder = Recorder::new(Limits::default());
    (0..2000).for_each(|_| recorder.record(record("a")));
    // The application holds the writer; a write of its own waits, and then the flush comes.
    let holds = db.begin_tx().await.unwrap();
    let write = |db: Db| async move {
        db.sql("INSERT INTO seen SELECT count(*) FROM action_runs").execute().await.unwrap();
    };
    let first = tokio::spawn(write(db.clone()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let flushing = {
        let (recorder, db) = (recorder.clone(), db.clone());
        tokio::spawn(async move { flush_once(&recorder, &db).await.unwrap() })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = tokio::spawn(write(db.clone()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    holds.commit().await.unwrap();
    first.await.unwrap();
    second.await.unwrap();
    flushing.await.unwrap();
    let seen: Vec<(i64,)> = db.sql("SELECT runs FROM seen ORDER BY runs").columns().await.unwrap();
    // The second has waited for one batch, not for the backlog.
    assert_eq!(seen, [(0,), (250,)]);
    assert_eq!(all(&db).await.len(), 2000);
}

#[tokio::test]
async fn records_are_kept_for_as_long_as_is_said() {
    for (_database, db) in each().await {
        let now: DateTime<Utc> = "2090-03-15T12:00:00Z".parse().unwrap();
        let recorder = Recorder::new(Limits::default());
        for days in 0..120 {
            let at = now - TimeDelta::days(days);
            for _ in 0..10 {
                let details = Details { lines: vec![LogLine { logged_at: at, ..line("a") }], ..Details::default() };
                recorder.record(RunRecord {
                    started_us: at.timestamp_micros(),
                    details: Some(Box::new(details)),
                    ..record("a")
                });
            }
        }
        flush_once(&recorder, &db).await.unwrap();
        // Whatever the months that there are: what belongs to none is deleted by its age.
        let deleted = tidy(&db, now, Some(Duration::from_hours(24 * 30))).await.unwrap();
        assert_eq!(deleted, 2 * 890);
        assert_eq!(all(&db).await.len(), 310);
        assert_eq!(count(&db, "SELECT count(*) FROM action_logs").await, 310);
        assert_eq!(tidy(&db, now, None).await.unwrap(), 0, "for ever");
    }
}

#[tokio::test]
async fn months_are_made_ahead_and_dropped_as_a_whole() {
    let Ok(database) = TestDatabase::postgres().await else { return };
    let db = database.db().await.unwrap();
    Plan::new().up(&db).await.unwrap();
    let parts = async || -> Vec<String> {
        let sql = "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'action_runs_2%' ORDER BY 1";
        db.sql(sql).columns::<(String,)>().await.unwrap().into_iter().map(|(name,)| name).collect()
    };
    let of_today = parts().await;
    assert_eq!(of_today.len(), 2, "this month and the next are there from the start");
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    // What came before its month was there is moved to it.
    let recorder = Recorder::new(Limits::default());
    for text in ["2031-01-31T23:59:59.999999Z", "2031-02-01T00:00:00Z"] {
        recorder.record(RunRecord { started_us: at(text).timestamp_micros(), ..record("early") });
    }
    flush_once(&recorder, &db).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM action_runs_default").await, 2);
    // Two instances at once.
    let month = Some(Duration::from_hours(24 * 30));
    let (one, other) =
        tokio::join!(tidy(&db, at("2031-01-15T00:00:00Z"), None), tidy(&db, at("2031-01-15T00:00:00Z"), None));
    assert_eq!((one.unwrap(), other.unwrap()), (0, 0));
    let ahead = ["action_runs_2031_01", "action_runs_2031_02", "action_runs_2031_03"].map(str::to_owned);
    assert_eq!(parts().await, [of_today.as_slice(), &ahead].concat());
    assert_eq!(count(&db, "SELECT count(*) FROM action_runs_default").await, 0);
    assert_eq!(count(&db, "SELECT count(*) FROM action_runs_2031_01").await, 1);
    assert_eq!(count(&db, "SELECT count(*) FROM action_runs").await, 2);
    // January is over on the first of February, and 30 days old on the third of March.
    tidy(&db, at("2031-03-02T23:00:00Z"), month).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM action_runs").await, 2);
    tidy(&db, at("2031-03-03T00:00:00Z"), month).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM action_runs").await, 1);
    let left = ["02", "03", "04", "05"].map(|month| format!("action_runs_2031_{month}"));
    assert_eq!(parts().await, left);
    assert_eq!(
        db.sql("SELECT indexname::text FROM pg_indexes WHERE tablename = 'action_runs_2031_04'")
            .columns::<(String,)>()
            .await
            .unwrap()
            .len(),
        5
    );
}

#[tokio::test]
async fn right_after_a_write_more_is_waited_for_unless_room_gets_scarce() {
    let recorder = Recorder::new(Limits { flush_at: 2, most_bytes: 100_000, ..Limits::default() });
    let take = |records| (0..records).for_each(|_| recorder.record(record("a")));
    let (past, later) = (Instant::now(), Instant::now() + Duration::from_hours(1));
    take(1);
    assert!(full(&recorder, past).now_or_never().is_none(), "one is not enough");
    take(1);
    full(&recorder, past).await;
    take(2);
    assert!(full(&recorder, later).now_or_never().is_none(), "enough, and not yet time");
    while recorder.bytes() < 100_000 / FILLED {
        take(2);
    }
    assert!(full(&recorder, later).now_or_never().is_some(), "an eighth of the room is taken");
}
