//! The connections to Postgres that are kept: how much is said on them, how many there are, and what becomes of a broken one.

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use sea_orm::{ConnectionTrait, DbBackend};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use super::{super::Settings, wire::Wire, *};

const PID: &str = "SELECT pg_backend_pid()";

/// A Postgres database, settings for it with a name of their own, and a handle that watches from outside.
async fn watched() -> Option<(TestDatabase, Settings, Watch)> {
    let mut all = TestDatabase::each().await.unwrap();
    let database = all.pop().filter(|database| database.backend() == DbBackend::Postgres)?.directly();
    let name = format!("kept-{}", uuid::Uuid::new_v4().simple());
    let settings = Settings { application_name: name.clone(), ..database.settings() };
    let watch = Watch { db: database.db().await.unwrap(), name };
    Some((database, settings, watch))
}

struct Watch {
    db: Db,
    name: String,
}

impl Watch {
    /// Returns the sessions that the server has for the watched handle.
    async fn sessions(&self) -> BTreeSet<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = $1";
        let pids: Vec<(i32,)> = self.db.sql(sql).bind(self.name.as_str()).columns().await.unwrap();
        pids.into_iter().map(|(pid,)| pid).collect()
    }

    /// Waits until so many of them wait for a lock.
    async fn waits_for_a_lock(&self, count: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
        while self.db.sql(sql).bind(self.name.as_str()).scalar::<i64>().await.unwrap() != count {}
    }

    async fn end_all(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
        self.db.sql(sql).bind(self.name.as_str()).columns::<(bool,)>().await.unwrap();
        while !self.sessions().await.is_empty() {}
    }
}

/// Opens so many connections, by as many statements that all wait for the same lock, and does something while they wait.
async fn while_busy<T>(db: &Db, watch: &Watch, count: u32, then: impl AsyncFnOnce() -> T) -> T {
    let tx = watch.db.begin_tx().await.unwrap();
    tx.sql("LOCK TABLE counter").execute().await.unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..count {
        let db = db.clone();
        waiting.spawn(async move { counter(&db).await });
    }
    watch.waits_for_a_lock(count.into()).await;
    let made = then().await;
    tx.rollback().await.unwrap();
    waiting.join_all().await;
    made
}

/// A runtime besides the test's own, as each worker of a server is one.
struct Elsewhere(Option<Runtime>);

impl Elsewhere {
    fn new() -> Self {
        Self(Some(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()))
    }

    /// Returns the sessions that so many statements find there, one after the other.
    async fn sessions(&self, db: &Db, statements: usize) -> Vec<i32> {
        let db = db.clone();
        let asked = self.0.as_ref().unwrap().spawn(async move { sessions(&db, statements).await });
        asked.await.unwrap()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Returns the sessions that so many statements find here.
async fn sessions(db: &Db, statements: usize) -> Vec<i32> {
    let mut pids = Vec::new();
    for _ in 0..statements {
        pids.push(db.sql(PID).scalar().await.unwrap());
    }
    pids
}

#[tokio::test]
async fn a_runtime_takes_the_connection_first_that_it_has_opened() {
    let Some((_database, settings, watch)) = watched().await else { return };
    let db = Db::open(&settings).await.unwrap();
    with_counter(&db).await;
    let here = sessions(&db, 1).await[0];
    let elsewhere = Elsewhere::new();
    // The one that there is stays busy meanwhile.
    let there = while_busy(&db, &watch, 1, async || elsewhere.sessions(&db, 1).await[0]).await;
    assert_ne!(there, here);
    for _ in 0..5 {
        assert_eq!(elsewhere.sessions(&db, 2).await, [there; 2]);
        assert_eq!(sessions(&db, 2).await, [here; 2]);
    }
    assert_eq!(watch.sessions().await, BTreeSet::from([here, there]));
}

#[tokio::test]
async fn a_connection_that_is_used_elsewhere_for_long_makes_room_for_one_that_is_opened_there() {
    let Some((_database, settings, _watch)) = watched().await else { return };
    let db = Db::open(&Settings { max_connections: 1, ..settings }).await.unwrap();
    let here = sessions(&db, 1).await[0];
    let elsewhere = Elsewhere::new();
    let pids = elsewhere.sessions(&db, 2500).await;
    let there = pids[1000];
    assert_ne!(there, here);
    assert!(pids[..1000].iter().all(|pid| *pid == here) && pids[1000..].iter().all(|pid| *pid == there));
    // The next one is given twice as many.
    let pids = sessions(&db, 2001).await;
    assert!(pids[..2000].iter().all(|pid| *pid == there) && pids[2000] != there);
}

#[tokio::test]
async fn one_statement_is_one_round_trip() {
    let Some((database, settings, _watch)) = watched().await else { return };
    let wire = Wire::before(database.url()).await;
    let db = Db::open(&Settings { url: wire.url(database.url()), ..settings }).await.unwrap();
    with_counter(&db).await;
    // Prepared once.
    counter(&db).await;
    let update = "UPDATE counter SET n = n + $1";
    db.sql(update).bind(1_i64).execute().await.unwrap();
    wire.round_trips();
    for _ in 0..50 {
        counter(&db).await;
        db.sql(update).bind(1_i64).execute().await.unwrap();
        db.execute_unprepared("SELECT 1").await.unwrap();
    }
    assert_eq!(wire.round_trips(), 150);
    assert_eq!(wire.connections(), 1);
    // BEGIN, the statement, what asks whether it may be committed, COMMIT; the driver's pool tests the connection before and after.
    db.transaction(async |tx: &Tx| tx.sql(update).bind(1_i64).execute().await).await.unwrap();
    assert!(wire.round_trips() <= 6);
    assert_eq!(wire.connections(), 1, "the transaction had the connection that was there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_statement_is_one_round_trip_under_load_and_after_transactions_too() {
    const CALLERS: u32 = 8;
    const EACH: u32 = 100;
    let Some((database, settings, watch)) = watched().await else { return };
    let wire = Wire::far_before(database.url(), Duration::from_millis(3)).await;
    let db = Db::open(&Settings { url: wire.url(database.url()), max_connections: CALLERS, ..settings }).await.unwrap();
    with_counter(&db).await;
    while_busy(&db, &watch, CALLERS, async || ()).await;
    wire.round_trips();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let db = db.clone();
        callers.spawn(async move {
            for round in 0..EACH {
                if round == 10 {
                    db.begin_tx().await.unwrap().rollback().await.unwrap();
                }
                counter(&db).await;
            }
        });
    }
    callers.join_all().await;
    let more = wire.round_trips() - CALLERS * EACH;
    // For each transaction BEGIN, ROLLBACK, and what the driver's pool asks about it and now and then about another; nothing for all the statements that follow.
    assert!(more <= 8 * CALLERS, "{more} more than one each");
    assert_eq!(wire.connections(), CALLERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_asks_nothing_of_the_connections_and_ends_them_all() {
    const CONNECTIONS: u32 = 16;
    let Some((database, settings, watch)) = watched().await else { return };
    let wire = Wire::before(database.url()).await;
    let settings = Settings { url: wire.url(database.url()), max_connections: CONNECTIONS, ..settings };
    let db = Db::open(&settings).await.unwrap();
    with_counter(&db).await;
    while_busy(&db, &watch, CONNECTIONS, async || ()).await;
    wire.round_trips();
    db.close().await;
    assert_eq!(wire.round_trips(), 0);
    while !watch.sessions().await.is_empty() {}
}

#[tokio::test]
async fn an_error_of_a_statement_costs_no_connection() {
    let Some((_database, settings, _watch)) = watched().await else { return };
    let db = Db::open(&settings).await.unwrap();
    let pid: i32 = db.sql(PID).scalar().await.unwrap();
    for wrong in ["SELECT 1 / 0", "SELEC 1", "SELECT no_such_column"] {
        assert_eq!(db.sql(wrong).execute().await.unwrap_err().status(), 500);
        assert_eq!(db.sql(PID).scalar::<i32>().await.unwrap(), pid, "after {wrong}");
    }
}

#[tokio::test]
async fn a_statement_that_is_dropped_closes_its_connection_and_keeps_its_place_while_the_server_is_at_it() {
    let Some((_database, settings, watch)) = watched().await else { return };
    let db = Db::open(&Settings { max_connections: 1, ..settings }).await.unwrap();
    with_counter(&db).await;
    let before = watch.sessions().await;
    let tx = watch.db.begin_tx().await.unwrap();
    tx.sql("LOCK TABLE counter").execute().await.unwrap();
    let dropped = tokio::spawn({
        let db = db.clone();
        async move { counter(&db).await }
    });
    watch.waits_for_a_lock(1).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    // Nobody else gets a connection while the server still has that one.
    let next = db.sql(PID).scalar::<i32>();
    let mut next = std::pin::pin!(next);
    for _ in 0..20 {
        watch.db.ping().await.unwrap();
        assert!(poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending())).await);
    }
    assert_eq!(watch.sessions().await, before);
    tx.rollback().await.unwrap();
    let pid = next.await.unwrap();
    assert!(!before.contains(&pid), "it was used again");
}

#[tokio::test]
async fn after_a_restart_one_statement_fails_and_the_others_do_not() {
    let Some((_database, settings, watch)) = watched().await else { return };
    let db = Db::open(&Settings { max_connections: 8, ..settings }).await.unwrap();
    with_counter(&db).await;
    for _ in 0..3 {
        while_busy(&db, &watch, 8, async || ()).await;
        assert_eq!(watch.sessions().await.len(), 8);
        watch.end_all().await;
        let error = db.sql("SELECT 1").execute().await.unwrap_err();
        assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
        for _ in 0..20 {
            assert_eq!(counter(&db).await, 0);
        }
        while_busy(&db, &watch, 8, async || ()).await;
        watch.end_all().await;
        // A transaction looks for a connection that works: nothing has happened yet.
        db.transaction(async |tx: &Tx| tx.sql("SELECT 1").execute().await).await.unwrap();
        let _ = db.ping().await;
        db.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statements_and_transactions_share_the_connections_and_all_have_their_turn() {
    const MOST: u32 = 5;
    let Some((database, settings, watch)) = watched().await else { return };
    let wire = Wire::before(database.url()).await;
    let settings = Settings {
        url: wire.url(database.url()),
        max_connections: MOST,
        acquire_timeout: Duration::from_mins(1),
        ..settings
    };
    let db = Db::open(&settings).await.unwrap();
    with_counter(&db).await;
    let mut tasks = JoinSet::new();
    for task in 0..200 {
        let db = db.clone();
        tasks.spawn(async move {
            for round in 0..5 {
                match (task + round) % 4 {
                    0 | 1 => {
                        db.sql("SELECT n FROM counter").scalar::<i64>().await.unwrap();
                    }
                    2 => {
                        db.sql("UPDATE counter SET n = n + 1").execute().await.unwrap();
                    }
                    _ => {
                        let add = async |tx: &Tx| tx.sql("UPDATE counter SET n = n + 1").execute().await;
                        db.transaction(add).await.unwrap();
                    }
                }
            }
        });
    }
    let mut most = 0;
    while !tasks.is_empty() {
        most = most.max(watch.sessions().await.len());
        while tasks.try_join_next().is_some_and(|result| result.map(|()| true).unwrap()) {}
    }
    assert_eq!(counter(&db).await, 500);
    assert!(most <= MOST as usize, "{most} sessions");
    assert!(wire.connections() <= MOST, "{} were opened, so some were closed for nothing", wire.connections());
}

#[tokio::test]
async fn a_transaction_can_have_the_last_connection_and_so_can_a_statement() {
    let Some((_database, settings, watch)) = watched().await else { return };
    let db = Db::open(&Settings { max_connections: 3, ..settings }).await.unwrap();
    with_counter(&db).await;
    for _ in 0..3 {
        while_busy(&db, &watch, 3, async || ()).await;
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(db.begin_tx().await.unwrap());
        }
        for tx in all {
            tx.commit().await.unwrap();
        }
    }
    assert!(watch.sessions().await.len() <= 3);
}

#[tokio::test]
async fn connections_that_idle_too_long_or_are_too_old_are_replaced() {
    let Some((_database, settings, watch)) = watched().await else { return };
    let short = Some(Duration::from_millis(100));
    let idle = Db::open(&Settings { idle_timeout: short, ..settings.clone() }).await.unwrap();
    let first: i32 = idle.sql(PID).scalar().await.unwrap();
    while watch.sessions().await.contains(&first) {}
    idle.ping().await.unwrap();

    let aging = Db::open(&Settings { max_lifetime: short, ..settings }).await.unwrap();
    let first: i32 = aging.sql(PID).scalar().await.unwrap();
    // It is in use all the time.
    while aging.sql(PID).scalar::<i32>().await.unwrap() == first {}
}

#[tokio::test]
async fn as_many_as_are_asked_for_are_kept_open() {
    let Some((_database, settings, watch)) = watched().await else { return };
    let settings = Settings { min_connections: 3, idle_timeout: Some(Duration::from_millis(100)), ..settings };
    let db = Db::open(&settings).await.unwrap();
    while watch.sessions().await.len() != 3 {}
    watch.end_all().await;
    // The one that is found broken wakes who opens others.
    while watch.sessions().await.len() != 3 {
        let _ = db.ping().await;
    }
}

#[test]
fn a_handle_can_be_dropped_where_there_is_no_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(async {
        let (database, settings, _watch) = watched().await?;
        let db = Db::open(&Settings { min_connections: 2, ..settings }).await.unwrap();
        db.ping().await.unwrap();
        Some((database, db))
    });
    let Some((_database, db)) = db else { return };
    drop(runtime);
    drop(db);
}
