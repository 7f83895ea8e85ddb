//! Through PgBouncer in transaction mode, where no two statements in a row need reach the same session of the server.

use std::{
    fs::Permissions,
    net::SocketAddr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use sea_orm::{DbBackend, EntityTrait, Set};
use tokio::task::JoinSet;

use super::{
    super::{Settings, migrate::Plan, notify::Notifier, pooler},
    watch::Lines,
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
    /// Starts one with these lines of its configuration. There is none where it is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    async fn before(database: &TestDatabase, lines: &str) -> Option<Self> {
        let required = std::env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1");
        let places = ["/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];
        let Some(program) = places.map(PathBuf::from).into_iter().find(|path| path.is_file()) else {
            assert!(!required, "no `pgbouncer` is installed");
            eprintln!("SKIPPED: no `pgbouncer` is installed");
            return None;
        };
        let url = url::Url::parse(&direct(database).url).unwrap();
        let (host, port) = (url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(5432));
        let password = url.password().map(|password| format!(" password={password}")).unwrap_or_default();
        let server = format!("host={host} port={port} user={}{password}", url.username());
        let folder = tempfile::tempdir().unwrap();
        let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let port = address.port();
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\ndefault_pool_size = {POOL}\nmax_client_conn = 500\n{lines}\n"
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
        let direct = direct(database);
        let mut url = url::Url::parse(&direct.url).unwrap();
        url.set_ip_host(self.address.ip()).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        Settings { url: url.to_string(), pgbouncer: Some(true), max_connections: 20, ..direct }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the settings of a database by no way but its own, whatever all tests go through.
fn direct(database: &TestDatabase) -> Settings {
    database.settings().of_session().unwrap()
}

/// Returns whether root made a folder.
fn is_of_root(folder: &Path) -> bool {
    folder.metadata().unwrap().uid() == 0
}

/// A Postgres database with PgBouncer before it, and the settings that lead through it.
async fn behind() -> Option<(TestDatabase, PgBouncer, Settings)> {
    behind_with("pool_mode = transaction").await
}

async fn behind_with(lines: &str) -> Option<(TestDatabase, PgBouncer, Settings)> {
    let mut all = TestDatabase::each().await.unwrap();
    let database = all.pop().filter(|database| database.backend() == DbBackend::Postgres)?;
    let bouncer = PgBouncer::before(&database, lines).await?;
    let settings = bouncer.settings(&database);
    Some((database, bouncer, settings))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_of_many_instances_share_few_sessions() {
    let Some((database, _bouncer, settings)) = behind().await else { return };
    // Twenty wait for two, for as long as a machine takes that does other things besides.
    let settings = Settings { acquire_timeout: Duration::from_mins(1), ..settings };
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
    let direct = Db::open(&direct(&database)).await.unwrap();
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let sessions: i64 = direct.sql(sessions).scalar().await.unwrap();
    assert!(sessions <= POOL, "{sessions} sessions of the server for 20 instances");
}

#[tokio::test]
async fn who_does_not_say_that_it_is_there_is_told_to() {
    let Some((_database, _bouncer, settings)) = behind().await else { return };
    let db = Db::open(&Settings { pgbouncer: Some(false), ..settings }).await.unwrap();
    let error = db.reach().await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
    assert!(error.detail().contains("`database.pgbouncer = true`"), "{error:?}");
}

/// What PgBouncer lets through at the start of a session, where whoever runs it wants no refusals.
const LENIENT: &str = "ignore_startup_parameters = extra_float_digits,options";

#[tokio::test]
async fn it_is_found_out() {
    for (lines, why) in [
        ("pool_mode = transaction".to_owned(), "refuses"),
        (format!("pool_mode = transaction\n{LENIENT}"), "share a session"),
        (format!("pool_mode = transaction\nserver_round_robin = 1\n{LENIENT}"), "share a session"),
    ] {
        let Some((_database, _bouncer, settings)) = behind_with(&lines).await else { return };
        // Sessions of the server to choose from.
        let busy = Db::open(&settings).await.unwrap();
        let (one, other) = tokio::join!(busy.sql("SELECT pg_sleep(0.01)::text").scalar::<String>(), busy.ping());
        one.and(other.map(|()| String::new())).unwrap();
        let (log, _listening) = Lines::listen();
        let db = Db::open(&Settings { pgbouncer: None, ..settings.clone() }).await.unwrap();
        assert_eq!(db.settings().pgbouncer, Some(true), "{lines}");
        assert!(db.settings().of_session().is_none());
        let said = log.take("PgBouncer in transaction mode is before the database");
        assert!(said.len() == 1 && said[0]["why"].contains(why), "{lines}: {said:?}");
        for n in 0..10_i64 {
            assert_eq!(db.sql("SELECT $1::bigint").bind(n).scalar::<i64>().await.unwrap(), n);
        }
    }
}

#[tokio::test]
async fn it_is_not_seen_where_it_is_not_or_where_it_gives_sessions() {
    let Some((database, _bouncer, by_session)) = behind_with(&format!("pool_mode = session\n{LENIENT}")).await else {
        return;
    };
    let direct = Settings { pgbouncer: None, ..direct(&database) };
    let (log, _listening) = Lines::listen();
    // Many at once, as when all instances start.
    for _ in 0..20 {
        let ten = join_all((0..10).map(|_| pooler::detect(&direct))).await;
        assert!(!ten.contains(&true), "{ten:?}");
    }
    for _ in 0..20 {
        assert!(!pooler::detect(&by_session).await);
    }
    assert!(log.take("PgBouncer").is_empty());
    // One that is away is taken for one without, and that is said.
    let away = Settings { url: "postgres://nobody@127.0.0.1:1/none".to_owned(), ..direct };
    let db = Db::open(&away).await.unwrap();
    assert_eq!(db.settings().pgbouncer, Some(false));
    assert_eq!(log.take("is not known").len(), 1);
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn an_application_finds_it_by_itself_and_shows_it() {
    use crate::{App, testing::TestApp};

    for lines in ["pool_mode = transaction".to_owned(), format!("pool_mode = transaction\n{LENIENT}")] {
        let Some((_database, _bouncer, settings)) = behind_with(&lines).await else { return };
        let app = App::new().config("database.url", settings.url.as_str()).config("database.pgbouncer", "auto");
        // Its migrations run by way of it.
        let app = TestApp::start(app.config("database.direct_url", "")).await;
        let health: serde_json::Value = app.get("/_health").send().await.assert_status(200).json();
        assert_eq!(health["checks"][0]["details"]["pgbouncer"], true, "{health}");
        for _ in 0..10 {
            assert_eq!(app.db().sql("SELECT count(*) FROM job_queue").scalar::<i64>().await.unwrap(), 0);
        }
    }
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
        let settings = Settings { direct_url: is_direct.then(|| direct(&database).url), ..settings };
        let db = Db::open(&settings).await.unwrap();
        assert!(!Plan::new().up(&db).await.unwrap().is_empty());
        assert!(Plan::new().up(&db).await.unwrap().is_empty(), "they are there already");
        assert_eq!(db.sql("SELECT count(*) FROM job_queue").scalar::<i64>().await.unwrap(), 0);
    }
}

#[cfg(feature = "entity")]
#[tokio::test]
async fn entities_are_made_beside_it_and_without_a_way_there_it_says_so() {
    let Some((database, _bouncer, settings)) = behind().await else { return };
    let db = Db::open(&settings).await.unwrap();
    db.sql("CREATE TABLE shelf (id INTEGER PRIMARY KEY NOT NULL)").execute().await.unwrap();
    let error = super::super::operate::entities(&db, &[]).await.unwrap_err();
    assert!(error.detail().contains("`database.direct_url`"), "{error:?}");
    let db = Db::open(&Settings { direct_url: Some(direct(&database).url), ..settings }).await.unwrap();
    let made = super::super::operate::entities(&db, &[]).await.unwrap();
    assert_eq!(made.files[0].0, "shelf.rs");
}

#[tokio::test]
async fn instances_that_migrate_at_once_wait_for_each_other_on_the_direct_way() {
    let Some((database, _bouncer, settings)) = behind().await else { return };
    let settings = Settings { direct_url: Some(direct(&database).url), ..settings };
    let instances = (0..4).map(async |_| Plan::new().up(&Db::open(&settings).await.unwrap()).await.unwrap());
    let applied = join_all(instances).await;
    assert_eq!(applied.iter().filter(|names| !names.is_empty()).count(), 1, "{applied:?}");
}

#[tokio::test]
async fn wake_ups_take_the_direct_way_and_there_are_none_without_it() {
    let Some((database, _bouncer, settings)) = behind().await else { return };
    let db = Db::open(&settings).await.unwrap();
    assert!(settings.of_session().is_none());
    let deaf = Notifier::start(db.clone(), Clock::system(), settings.of_session());
    // It does not wait for what it can never hear.
    deaf.started().await;
    let settings = Settings { direct_url: Some(direct(&database).url), ..settings };
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
