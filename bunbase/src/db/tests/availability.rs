use std::{net::SocketAddr, time::Duration};

use sea_orm::DbBackend;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    super::{Settings, migrate::Plan},
    *,
};

#[tokio::test]
async fn a_database_that_is_there_answers_the_ping() {
    for (_database, db) in each().await {
        db.ping().await.unwrap();
        db.close().await;
        assert_eq!(db.ping().await.unwrap_err().status(), 503);
    }
}

#[tokio::test]
async fn a_sqlite_file_and_its_folder_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/deep/app.db");
    let db = Db::open(&Settings::new(format!("sqlite://{}?mode=rwc", path.display()))).await.unwrap();
    with_counter(&db).await;
    assert!(path.exists());
    let mode: String = db.sql("PRAGMA journal_mode").scalar().await.unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(db.sql("PRAGMA foreign_keys").scalar::<i64>().await.unwrap(), 1);
    // A write that slipped past the scanner to a reader would fail, not bypass the writer.
    let reader = db.readers().unwrap();
    assert!(sea_orm::ConnectionTrait::execute_unprepared(reader, "UPDATE counter SET n = 1").await.is_err());
}

#[tokio::test]
async fn an_in_memory_database_is_one_for_all_who_share_the_handle() {
    let db = Db::open(&Settings::new("sqlite::memory:")).await.unwrap();
    with_counter(&db).await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let db = db.clone();
        tasks.spawn(async move { db.sql("UPDATE counter SET n = n + 1").execute().await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(counter(&db).await, 8);
}

#[tokio::test]
async fn a_url_of_an_unknown_kind_is_refused_at_once() {
    assert_eq!(Db::open(&Settings::new("mysql://localhost/shop")).await.unwrap_err().code(), "database_url");
    let file = Settings::new("sqlite:///proc/nowhere/app.db");
    assert_eq!(Db::open(&file).await.unwrap_err().code(), "database_open");
}

/// Forwards every connection to `server` until it is dropped, and then cuts them all.
async fn forward(listener: TcpListener, server: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut from, _)) = listener.accept().await {
        connections.spawn(async move {
            if let Ok(mut to) = TcpStream::connect(server).await {
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            }
        });
    }
}

#[tokio::test]
async fn a_postgres_that_goes_away_is_503_and_comes_back_by_itself() {
    for database in TestDatabase::each().await.unwrap().into_iter().map(TestDatabase::directly) {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let (front, rest) = database.url().rsplit_once('/').unwrap();
        let (user, host) = front.rsplit_once('@').unwrap();
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
        let server = tokio::net::lookup_host(host).await.unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);

        let settings = Settings {
            url: format!("{user}@{address}/{rest}"),
            acquire_timeout: Duration::from_millis(300),
            ..Settings::default()
        };
        // It opens although nobody listens.
        let db = Db::open(&settings).await.unwrap();
        let error = Plan::new().up(&db).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
        for _ in 0..2 {
            let error = db.ping().await.unwrap_err();
            assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
            let error = db.transaction(async |tx: &Tx| set_counter(tx, 1).await).await.unwrap_err();
            assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");

            let up = tokio::spawn(forward(TcpListener::bind(address).await.unwrap(), server));
            // On a loaded machine connecting may take longer than the timeout above.
            while db.ping().await.is_err() {}
            // Now it goes away with a transaction open.
            let tx = loop {
                if let Ok(tx) = db.begin_tx().await {
                    break tx;
                }
            };
            up.abort();
            let _ = up.await;
            let error = tx.sql("SELECT 1").execute().await.unwrap_err();
            assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
            drop(tx);
            // The connections that idle are found broken at their next use; none may be left that is not.
            while db.ping().await.is_ok() {}
        }
    }
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_503_and_the_next_call_works() {
    for database in TestDatabase::each().await.unwrap().into_iter().map(TestDatabase::directly) {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let db = Db::open(&Settings { max_connections: 1, ..database.settings() }).await.unwrap();
        let other = database.db().await.unwrap();
        let pid: i32 = db.sql("SELECT pg_backend_pid()").scalar().await.unwrap();
        assert!(other.sql("SELECT pg_terminate_backend($1)").bind(pid).scalar::<bool>().await.unwrap());
        // One call may meet the broken connection, which is 503; the pool then makes another.
        while let Err(error) = db.sql("SELECT 1").execute().await {
            assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
        }
        db.ping().await.unwrap();
    }
}
