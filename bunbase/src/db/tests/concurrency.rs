use std::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use sea_orm::DbBackend;
use tokio::{sync::oneshot, task::JoinSet};

use super::{super::Settings, *};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_at_once_lose_no_update_and_see_no_error() {
    const TASKS: i64 = 64;
    const ROUNDS: i64 = 5;
    let database = TestDatabase::sqlite().unwrap();
    let db = database.db().await.unwrap();
    with_counter(&db).await;
    db.sql("CREATE TABLE note (task BIGINT NOT NULL)").execute().await.unwrap();

    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let db = db.clone();
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                db.transaction(async |tx: &Tx| {
                    let n: i64 = tx.sql("SELECT n FROM counter").scalar().await?;
                    tokio::task::yield_now().await;
                    set_counter(tx, n + 1).await
                })
                .await?;
                db.sql("INSERT INTO note (task) VALUES ($1)").bind(task).execute().await?;
                let _: i64 = db.sql("SELECT count(*) FROM note").scalar().await?;
            }
            Ok::<_, crate::Error>(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap().unwrap();
    }
    assert_eq!(counter(&db).await, TASKS * ROUNDS);
    let notes: i64 = db.sql("SELECT count(*) FROM note").scalar().await.unwrap();
    assert_eq!(notes, TASKS * ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_of_several_processes_share_one_file() {
    let database = TestDatabase::sqlite().unwrap();
    let settings = Settings { busy_timeout: Duration::from_mins(1), ..database.settings() };
    // Each `Db` has connections of its own, as another process would; they also race to make the file.
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let settings = settings.clone();
        opening.spawn(async move { Db::open(&settings).await });
    }
    let all: Vec<Db> = opening.join_all().await.into_iter().map(Result::unwrap).collect();
    with_counter(&all[0]).await;

    let mut tasks = JoinSet::new();
    for db in all.clone() {
        tasks.spawn(async move {
            for _ in 0..10 {
                db.transaction(async |tx: &Tx| {
                    let n: i64 = tx.sql("SELECT n FROM counter").scalar().await?;
                    set_counter(tx, n + 1).await
                })
                .await
                .unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(counter(&all[1]).await, 40);
}

#[tokio::test]
async fn readers_go_on_while_a_transaction_is_open_and_do_not_see_it() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        let tx = db.begin_tx().await.unwrap();
        set_counter(&tx, 7).await.unwrap();
        assert_eq!(counter(&db).await, 0);
        tx.commit().await.unwrap();
        assert_eq!(counter(&db).await, 7);
    }
}

#[tokio::test]
async fn waiting_too_long_for_a_connection_is_503() {
    for (database, patient) in each().await {
        with_counter(&patient).await;
        let settings =
            Settings { acquire_timeout: Duration::from_millis(300), max_connections: 1, ..database.settings() };
        let db = Db::open(&settings).await.unwrap();
        // On a loaded machine connecting itself may take longer than that.
        let tx = loop {
            if let Ok(tx) = db.begin_tx().await {
                break tx;
            }
        };
        let code = if db.backend() == DbBackend::Sqlite { "database_busy" } else { "database_unavailable" };
        let error = db.sql("UPDATE counter SET n = 1").execute().await.unwrap_err();
        assert_eq!((error.status(), error.code()), (503, code), "{error:?}");
        let error = db.begin_tx().await.unwrap_err();
        assert_eq!((error.status(), error.code()), (503, code), "{error:?}");
        tx.rollback().await.unwrap();
        assert_eq!(patient.sql("UPDATE counter SET n = 1").execute().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_lock_that_another_process_keeps_is_503() {
    let database = TestDatabase::sqlite().unwrap();
    let other = database.db().await.unwrap();
    with_counter(&other).await;
    let settings = Settings { busy_timeout: Duration::from_millis(50), ..database.settings() };
    let db = Db::open(&settings).await.unwrap();
    let tx = other.begin_tx().await.unwrap();
    let error = db.sql("UPDATE counter SET n = 1").execute().await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "database_busy"), "{error:?}");
    let error = db.begin_tx().await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "database_busy"), "{error:?}");
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_gives_its_connection_back() {
    for database in TestDatabase::each().await.unwrap() {
        let db = Db::open(&Settings { max_connections: 1, ..database.settings() }).await.unwrap();
        with_counter(&db).await;
        let (written, seen) = oneshot::channel();
        let task = tokio::spawn({
            let db = db.clone();
            async move {
                db.transaction(async |tx: &Tx| {
                    set_counter(tx, 7).await?;
                    let _ = written.send(());
                    std::future::pending::<crate::Result<()>>().await
                })
                .await
            }
        });
        seen.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        db.sql("UPDATE counter SET n = n + 1").execute().await.unwrap();
        // Seen by another, so committed: no forgotten BEGIN was in its way.
        let other = database.db().await.unwrap();
        assert_eq!(counter(&other).await, 1);
    }
}

#[tokio::test]
async fn futures_dropped_at_any_moment_leave_the_pool_usable() {
    for database in TestDatabase::each().await.unwrap() {
        let db = Db::open(&Settings { max_connections: 1, ..database.settings() }).await.unwrap();
        with_counter(&db).await;
        for polls in 0..40_u32 {
            let transaction = db.transaction(async |tx: &Tx| {
                let n: i64 = tx.sql("SELECT n FROM counter").scalar().await?;
                set_counter(tx, n - 1000).await?;
                tx.nested(async |tx: &Tx| set_counter(tx, n - 2000).await).await?;
                std::future::pending::<crate::Result<()>>().await
            });
            let mut transaction = std::pin::pin!(transaction);
            // So many wake-ups, then drop it: inside BEGIN, a statement, a savepoint.
            for _ in 0..polls {
                if tokio::time::timeout(Duration::from_millis(1), transaction.as_mut()).await.is_ok() {
                    break;
                }
            }
        }
        db.sql("UPDATE counter SET n = n + 1").execute().await.unwrap();
        // Seen by another, so committed: no forgotten BEGIN was in its way.
        let other = database.db().await.unwrap();
        assert_eq!(counter(&other).await, 1);
    }
}

#[tokio::test]
async fn statements_dropped_at_any_moment_leave_the_pool_usable() {
    for database in TestDatabase::each().await.unwrap() {
        let db = Db::open(&Settings { max_connections: 1, ..database.settings() }).await.unwrap();
        with_counter(&db).await;
        for polls in (0..600_u32).step_by(3) {
            // A text of its own, so that it is prepared first and can be dropped there too.
            let sql = format!("UPDATE counter SET n = n + 1000 + {polls} WHERE n < $1");
            let statement = db.sql(&sql).bind(0_i64).execute();
            let mut statement = std::pin::pin!(statement);
            for _ in 0..polls {
                let done = poll_fn(|context| Poll::Ready(statement.as_mut().poll(context).is_ready())).await;
                if done {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        db.sql("UPDATE counter SET n = n + 1").execute().await.unwrap();
        let other = database.db().await.unwrap();
        assert_eq!(counter(&other).await, 1);
    }
}
