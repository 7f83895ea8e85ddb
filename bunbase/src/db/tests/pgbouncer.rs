//! Through PgBouncer in transaction mode, where no two statements in a row need reach the same session of the server.

use std::{
    fs::Permissions,
    net::SocketAddr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::FutureExt;
use sea_orm::{DbBackend, EntityTrait, Set};
use tokio::task::JoinSet;

use super::{
    super::{Settings, migrate::Plan, notify::Notifier},
    *,
};
use crate::clock::Clock;

/// How many connections it opens to the server.
const POOL: i64 = 2;

/// A PgBouncer of the test's own, before the server of a test database.
struct PgBouncer {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    /// Starts one. There is none where it is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    async fn before(database: &TestDatabase) -> Option<Self> {
        let required = std::env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1");
        let places = ["/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];
        let Some(program) = places.map(PathBuf::from).into_iter().find(|path| path.is_file()) else {
            assert!(!required, "no `pgbouncer` is installed");
            eprintln!("SKIPPED: no `pgbouncer` is installed");
            return None;
        };
        let url = url::Url::parse(database.url()).unwrap();
        let (host, port) = (url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(5432));
        let password = url.password().map(|password| format!(" password={password}")).unwrap_or_default();
        let server = format!("host={host} port={port} user={}{password}", url.username());
        let folder = tempfile::tempdir().unwrap();
        let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let port = address.port();
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = {POOL}\nmax_client_conn = 500\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        if is_of_root(folder.path()) {
            // It does not run as root, and must read its configuration as somebody else.
            std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            command.args(["-u", "nobody"]);
        }
        let process = command.arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let bouncer = Self { process, address, _folder: folder };
        while tokio::net::TcpStream::connect(bouncer.address).await.is_err() {
            tokio::task::yield_now().await;
        }
        Some(bouncer)
    }

    /// Returns the settings for a database by way of it.
    fn settings(&self, database: &TestDatabase) -> Settings {
        let mut url = url::Url::parse(database.url()).unwrap();
        url.set_ip_host(self.address.ip()).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        Settings { url: url.to_string(), pgbouncer: true, max_connections: 20, ..database.settings() }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns whether root made a folder.
fn is_of_root(folder: &Path) -> bool {
    folder.metadata().unwrap().uid() == 0
}

/// A Postgres database with PgBouncer before it, and the settings that lead through it.
async fn behind() -> Option<(TestDatabase, PgBouncer, Settings)> {
    let mut all = TestDatabase::each().await.unwrap();
    let database = all.pop().filter(|database| database.backend() == DbBackend::Postgres)?;
    let bouncer = PgBouncer::before(&database).await?;
    let settings = bouncer.settings(&database);
    Some((database, bouncer, settings))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_of_many_instances_share_few_sessions() {
    let Some((database, _bouncer, settings)) = behind().await else { return };
    let first = Db::open(&settings).await.unwrap();
    with_counter(&first).await;
    first.sql("CREATE TABLE seen (instance BIGINT NOT NULL, n BIGINT NOT NULL)").execute().await.unwrap();
    let mut instances = JoinSet::new();
    for instance in 0..20_i64 {
        let settings = settings.clone();
        instances.spawn(async move {
            let db = Db::open(&settings).await.unwrap();
            for n in 0..10_i64 {
                // Different texts and types, so that one statement run in the place of another shows.
                db.sql("INSERT INTO seen (instance, n) VALUES ($1, $2)")
                    .bind(instance)
                    .bind(n)
                    .execute()
                    .await
                    .unwrap();
                let text: String = db.sql("SELECT $1::text").bind(format!("{instance}/{n}")).scalar().await.unwrap();
                assert_eq!(text, format!("{instance}/{n}"));
                db.transaction(async |tx: &Tx| {
                    tx.sql("UPDATE counter SET n = n + $1").bind(1_i64).execute().await?;
                    tx.sql("SELECT n FROM counter WHERE n > $1").bind(0_i64).scalar::<i64>().await
                })
                .await
                .unwrap();
            }
        });
    }
    instances.join_all().await;
    assert_eq!(counter(&first).await, 200);
    let seen: i64 = first.sql("SELECT count(DISTINCT (instance, n)) FROM seen").scalar().await.unwrap();
    assert_eq!(seen, 200);
    let direct = database.db().await.unwrap();
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let sessions: i64 = direct.sql(sessions).scalar().await.unwrap();
    assert!(sessions <= POOL, "{sessions} sessions of the server for 20 instances");
}

#[tokio::test]
async fn who_does_not_say_that_it_is_there_is_told_to() {
    let Some((_database, _bouncer, settings)) = behind().await else { return };
    let db = Db::open(&Settings { pgbouncer: false, ..settings }).await.unwrap();
    let error = db.reach().await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
    assert!(error.detail().contains("`database.pgbouncer = true`"), "{error:?}");
}

#[tokio::test]
async fn entities_and_errors_are_as_without_it() {
    let Some((_database, _bouncer, settings)) = behind().await else { return };
    let db = Db::open(&settings).await.unwrap();
    let schema = sea_orm::Schema::new(db.backend());
    sea_orm::ConnectionTrait::execute(&db, &schema.create_table_from_entity(task::Entity)).await.unwrap();
    let row = task::ActiveModel {
        title: Set("write".to_owned()),
        done: Set(false),
        due: Set(crate::context::now()),
        key: Set(uuid::Uuid::nil()),
        ..Default::default()
    };
    let added = task::Entity::insert(row).exec(&db).await.unwrap();
    let found = task::Entity::find_by_id(added.last_insert_id).one(&db).await.unwrap().unwrap();
    assert_eq!(found.title, "write");
    let error = db.sql("INSERT INTO task (id) VALUES ($1)").bind(1_i64).execute().await.unwrap_err();
    assert_eq!(error.status(), 500);
    // The session that had the error is fit for the next.
    assert_eq!(task::Entity::find().all(&db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn migrations_run_through_it_and_beside_it() {
    for is_direct in [false, true] {
        let Some((database, _bouncer, settings)) = behind().await else { return };
        let settings = Settings { direct_url: is_direct.then(|| database.url().to_owned()), ..settings };
        let db = Db::open(&settings).await.unwrap();
        assert!(!Plan::new().up(&db).await.unwrap().is_empty());
        assert!(Plan::new().up(&db).await.unwrap().is_empty(), "they are there already");
        assert_eq!(db.sql("SELECT count(*) FROM job_queue").scalar::<i64>().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn wake_ups_take_the_direct_way_and_there_are_none_without_it() {
    let Some((database, _bouncer, settings)) = behind().await else { return };
    let db = Db::open(&settings).await.unwrap();
    assert!(settings.of_session().is_none());
    let deaf = Notifier::start(db.clone(), Clock::system(), settings.of_session());
    // It does not wait for what it can never hear.
    deaf.started().await;
    let settings = Settings { direct_url: Some(database.url().to_owned()), ..settings };
    let hears = Notifier::start(db, Clock::system(), settings.of_session());
    hears.started().await;
    let mut far = hears.subscribe("queue/mail");
    let mut none = deaf.subscribe("queue/mail");
    deaf.notify_here("other");
    deaf.notify("queue/mail");
    tokio::time::timeout(Duration::from_secs(30), far.notified()).await.unwrap();
    none.notified().await;
    hears.notify("queue/mail");
    assert!(none.notified().now_or_never().is_none());
}
