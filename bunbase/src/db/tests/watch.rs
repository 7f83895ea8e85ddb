//! What is logged and measured of statements.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionOptions};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{Layer, layer::SubscriberExt};

use super::{
    super::{All, Run, Settings},
    *,
};
use crate::observe::{Format, Metrics};

/// The fields of one line of the log, as texts.
pub(super) type Line = BTreeMap<&'static str, String>;

/// The lines of this room that this thread logs.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    pub(super) fn listen() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let listening = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
        (lines, listening)
    }

    pub(super) fn take(&self, message: &str) -> Vec<Line> {
        let all = std::mem::take(&mut *self.0.lock().unwrap());
        all.into_iter().filter(|line| line["message"].contains(message)).collect()
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target().starts_with("bunbase::db") {
            let mut line = Fields::default();
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }
}

#[derive(Default)]
struct Fields(Line);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Opens one database of each kind with other settings.
async fn each_as(change: impl Fn(Settings) -> Settings) -> Vec<(TestDatabase, Db)> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await.unwrap() {
        let db = Db::open(&change(database.settings())).await.unwrap();
        all.push((database, db));
    }
    all
}

fn run() -> Run {
    Run::new("tasks.list", 0xabc, 0)
}

#[tokio::test]
async fn a_slow_statement_is_logged_with_its_run_and_without_its_values() {
    let (lines, _listening) = Lines::listen();
    let every = |settings| Settings { slow_query: Some(Duration::ZERO), ..settings };
    for (_database, db) in each_as(every).await {
        with_counter(&db).await;
        lines.take("");
        let sql = "SELECT n, 'secret' AS a, $1 AS b FROM counter WHERE n < 42";
        let statement = Statement::from_sql_and_values(db.backend(), sql, ["hidden".into()]);
        db.ask::<All>(Some(&run()), statement.clone()).await.unwrap();
        let told = lines.take("a slow statement");
        assert_eq!(told.len(), 1);
        let line = &told[0];
        assert_eq!(line["sql"], "SELECT n, ? AS a, $1 AS b FROM counter WHERE n < ?");
        assert_eq!(
            (line["action"].as_str(), line["rows"].as_str(), line["on"].as_str()),
            ("tasks.list", "1", "primary")
        );
        assert_eq!(line["trace_id"], format!("{:032x}", 0xabc));
        assert!(line["duration_ms"].parse::<f64>().is_ok());
        assert!(!format!("{told:?}").contains("secret") && !format!("{told:?}").contains("hidden"));

        // A transaction's are of its run, and what nobody's run does is told as well.
        let tx = db.begin_for(Some(run()), TransactionOptions::default()).await.unwrap();
        tx.query_all_raw(statement).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(lines.take("a slow statement")[0]["action"], "tasks.list");
        db.sql("UPDATE counter SET n = 1").execute().await.unwrap();
        let told = lines.take("a slow statement");
        assert_eq!((told[0]["sql"].as_str(), told[0]["rows"].as_str()), ("UPDATE counter SET n = ?", "1"));
        assert!(!told[0].contains_key("action"));
    }
}

#[tokio::test]
async fn what_is_fast_or_not_asked_for_is_not_logged() {
    let (lines, _listening) = Lines::listen();
    let patient = |settings| Settings { slow_query: Some(Duration::from_hours(1)), ..settings };
    for (_database, db) in
        each_as(patient).await.into_iter().chain(each_as(|s| Settings { slow_query: None, ..s }).await)
    {
        with_counter(&db).await;
        assert_eq!(counter(&db).await, 0);
        assert!(lines.take("").is_empty());
    }
}

#[tokio::test]
async fn a_slow_select_is_explained_beside_its_transaction_and_not_run_again() {
    let (lines, _listening) = Lines::listen();
    let explained = |settings| Settings { slow_query: Some(Duration::ZERO), explain_slow: true, ..settings };
    for (_database, db) in each_as(explained).await {
        db.sql("CREATE TABLE note (title TEXT NOT NULL)").execute().await.unwrap();
        let told = async || {
            loop {
                let told = lines.take("the plan of a slow statement");
                if !told.is_empty() {
                    break told;
                }
                tokio::task::yield_now().await;
            }
        };
        lines.take("");
        let sql = "SELECT title FROM note WHERE title = $1";
        let statement = Statement::from_sql_and_values(db.backend(), sql, ["hidden".into()]);
        db.ask::<All>(Some(&run()), statement.clone()).await.unwrap();
        let plan = told().await;
        let words = if db.backend() == DbBackend::Sqlite { "SCAN note" } else { "Seq Scan on note" };
        assert!(plan[0]["plan"].contains(words) && !plan[0]["plan"].contains("hidden"), "{plan:?}");
        assert_eq!((plan[0]["sql"].as_str(), plan[0]["action"].as_str()), (sql, "tasks.list"));

        let tx = db.begin_for(Some(run()), TransactionOptions::default()).await.unwrap();
        tx.query_all_raw(statement).await.unwrap();
        assert!(told().await[0]["plan"].contains(words));
        tx.rollback().await.unwrap();
        // What writes is not planned.
        db.sql("DELETE FROM note").execute().await.unwrap();
        for _ in 0..20 {
            db.ping().await.unwrap();
        }
        assert!(lines.take("the plan of").iter().all(|line| !line["sql"].contains("DELETE")));
    }
}

#[tokio::test]
async fn a_run_that_repeats_a_statement_is_told_of_once() {
    let (lines, _listening) = Lines::listen();
    for (_database, db) in each_as(|settings| Settings { slow_query: None, ..settings }).await {
        with_counter(&db).await;
        let run = Run::new("tasks.list", 0xabc, 3);
        for n in 0..3 {
            let sql = format!("SELECT n FROM counter WHERE n = {n}");
            db.ask::<All>(Some(&run), Statement::from_string(db.backend(), sql)).await.unwrap();
        }
        assert!(lines.take("").is_empty(), "so often is allowed");
        let tx = db.begin_for(Some(run.clone()), TransactionOptions::default()).await.unwrap();
        for n in 3..9 {
            let sql = format!("SELECT n FROM counter WHERE n = {n}");
            tx.query_all_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
        }
        tx.rollback().await.unwrap();
        let told = lines.take("the same statement");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["sql"], "SELECT n FROM counter WHERE n = ?");
        assert_eq!((told[0]["action"].as_str(), told[0]["count"].as_str()), ("tasks.list", "4"));
    }
}

#[tokio::test]
async fn statements_waits_and_connections_are_measured() {
    for (_database, db) in
        each_as(|s| Settings { max_connections: 1, readers: 1, acquire_timeout: Duration::from_secs(1), ..s }).await
    {
        let metrics = Metrics::new(vec![1.0, 10.0]);
        db.measure(&metrics, &[]);
        with_counter(&db).await;
        counter(&db).await;
        counter(&db).await;
        let tx = db.begin_tx().await.unwrap();
        tx.sql("UPDATE counter SET n = 1").execute().await.unwrap();
        assert_eq!(db.sql("DELETE FROM counter").execute().await.unwrap_err().status(), 503);
        let text = metrics.text(Format::Prometheus);
        let mut expected = vec![
            "bunbase_db_query_duration_ms_count{operation=\"select\",target=\"primary\"} 2",
            "bunbase_db_query_duration_ms_count{operation=\"insert\",target=\"primary\"} 1",
            "bunbase_db_query_duration_ms_count{operation=\"update\",target=\"primary\"} 1",
            "bunbase_db_query_duration_ms_count{operation=\"other\",target=\"primary\"} 1",
            "bunbase_db_acquire_timeouts_total 1",
            "bunbase_db_pool_connections{state=\"busy\"} 1",
        ];
        if db.kept().is_some() {
            // The transaction, and what came before it; who gave up has no wait that ended.
            expected.push("bunbase_db_acquire_wait_ms_count 5");
        }
        if db.backend() == DbBackend::Postgres {
            expected.push("bunbase_db_pool_connections{state=\"idle\"} 0");
        }
        assert!(!text.contains("target=\"replica\""), "none has answered: {text}");
        for line in expected {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        tx.rollback().await.unwrap();
        // What is measured does not keep the database.
        drop(db);
        assert!(metrics.text(Format::Prometheus).contains("bunbase_db_pool_connections{state=\"busy\"} 0"));
    }
}
