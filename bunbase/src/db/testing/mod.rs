//! A database of its own for each test, and a server of its own where a test stops it.

mod server;

use std::{
    env, fmt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sea_orm::{ConnectionTrait, DbBackend};
use tempfile::TempDir;

pub use self::server::PostgresServer;
use super::{Db, Settings, pool::open_postgres_session};
use crate::{Error, Result};

/// A fresh, empty database, removed when this is dropped.
///
/// A SQLite file, or with `BUNBASE_TEST_DATABASE=postgres` a Postgres database with a name of its own, on the server at
/// `BUNBASE_TEST_POSTGRES_URL` (`postgres://root@127.0.0.1/postgres` unless said). With `BUNBASE_TEST_PGBOUNCER=127.0.0.1:6432` it is
/// reached through the PgBouncer there, in transaction mode.
pub struct TestDatabase {
    settings: Settings,
    backend: DbBackend,
    /// The SQLite file's folder.
    folder: Option<TempDir>,
    /// The server and the database to drop.
    postgres: Option<(Settings, String)>,
}

impl TestDatabase {
    /// Makes a database of the kind that the environment asks for; SQLite unless said.
    ///
    /// # Errors
    /// When the server cannot be reached or the folder cannot be made.
    pub async fn create() -> Result<Self> {
        match env::var("BUNBASE_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::postgres().await,
            Ok("sqlite" | "") | Err(_) => Self::sqlite(),
            Ok(other) => {
                Err(Error::internal(format!("BUNBASE_TEST_DATABASE is `{other}`; write `sqlite` or `postgres`")))
            }
        }
    }

    /// Makes a SQLite file.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn sqlite() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings = Settings::new(format!("sqlite://{}", folder.path().join("test.db").display()));
        Ok(Self { settings, backend: DbBackend::Sqlite, folder: Some(folder), postgres: None })
    }

    /// Makes a Postgres database.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn postgres() -> Result<Self> {
        let server = server();
        let name = fresh_name();
        run(&server, &format!("CREATE DATABASE \"{name}\"")).await?;
        let url = with_database(&server.url, &name);
        let settings = Settings { max_connections: 10, ..through(&url)? };
        Ok(Self { settings, backend: DbBackend::Postgres, folder: None, postgres: Some((server, name)) })
    }

    /// Makes one database of each kind, or of the one that `BUNBASE_TEST_DATABASE` names. When no Postgres can be reached there is a visible note and SQLite alone, unless
    /// `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    ///
    /// # Errors
    /// When a database that must be there cannot be made.
    pub async fn each() -> Result<Vec<Self>> {
        // Waited for once, not again by every test.
        static AWAY: AtomicBool = AtomicBool::new(false);

        match env::var("BUNBASE_TEST_DATABASE").as_deref() {
            Ok("sqlite") => return Ok(vec![Self::sqlite()?]),
            Ok("postgres") => return Ok(vec![Self::postgres().await?]),
            _ => {}
        }
        let mut all = vec![Self::sqlite()?];
        let required = env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1");
        if required || !AWAY.load(Ordering::Relaxed) {
            match Self::postgres().await {
                Ok(database) => {
                    all.push(database);
                    return Ok(all);
                }
                Err(error) if required => {
                    let url = server().url_for_display();
                    let text = format!("BUNBASE_TEST_REQUIRE_SERVICES=1, and no database can be made at {url}");
                    return Err(Error::new(500, "test_database", text).caused_by(error));
                }
                Err(_) => AWAY.store(true, Ordering::Relaxed),
            }
        }
        eprintln!("SKIPPED on Postgres: no database can be made at {}", server().url_for_display());
        Ok(all)
    }

    /// Returns the URL.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// Returns settings for this database, to change before [`Db::open`].
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// Makes it reached by no way but its own, whatever all tests go through: for what is about sessions of the server.
    #[cfg(test)]
    pub(super) fn directly(mut self) -> Self {
        if let Some(settings) = self.settings.of_session() {
            self.settings = settings;
        }
        self
    }

    /// Returns which engine it is.
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn db(&self) -> Result<Db> {
        Db::open(&self.settings).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A SQLite file goes with its folder. For Postgres a thread and a runtime of their own: a test's runtime may be
        // single-threaded and must not be blocked by a future of its own.
        let Some((server, name)) = self.postgres.take() else {
            return;
        };
        let dropping = thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(&server, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")))
        });
        match dropping.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("a test database was left behind: {error}"),
            Err(_) => eprintln!("a test database was left behind: the thread that drops it panicked"),
        }
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDatabase")
            .field("settings", &self.settings)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

fn server() -> Settings {
    let url = env::var("BUNBASE_TEST_POSTGRES_URL").unwrap_or_else(|_| "postgres://root@127.0.0.1/postgres".to_owned());
    Settings { url, acquire_timeout: Duration::from_secs(10), ..Settings::default() }
}

/// Returns the settings of a database: by way of PgBouncer, where the environment names one.
fn through(url: &str) -> Result<Settings> {
    let Ok(address) = env::var("BUNBASE_TEST_PGBOUNCER") else { return Ok(Settings::new(url)) };
    let wrong = |what: &str| Error::internal(format!("BUNBASE_TEST_PGBOUNCER is `{address}`, and {what}"));
    let address: std::net::SocketAddr = address.parse().map_err(|_| wrong("no address like `127.0.0.1:6432`"))?;
    let mut by_way = url::Url::parse(url).map_err(Error::internal)?;
    by_way.set_ip_host(address.ip()).map_err(|()| wrong("the URL of the database has no host"))?;
    by_way.set_port(Some(address.port())).map_err(|()| wrong("the URL of the database has no port"))?;
    Ok(Settings { pgbouncer: Some(true), direct_url: Some(url.to_owned()), ..Settings::new(by_way) })
}

/// Runs a statement that cannot be in a transaction.
async fn run(server: &Settings, sql: &str) -> Result<()> {
    let connection = open_postgres_session(server).await?;
    connection.execute_unprepared(sql).await?;
    connection.close().await?;
    Ok(())
}

/// Unique among processes and within one: version 7 begins with the time, so that leftovers show their age.
fn fresh_name() -> String {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("bunbase_test_{started}_{}", uuid::Uuid::new_v4().simple())
}

fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_in_the_url_is_replaced() {
        assert_eq!(with_database("postgres://root@127.0.0.1/postgres", "x"), "postgres://root@127.0.0.1/x");
        assert_eq!(
            with_database("postgres://host:5433?sslmode=disable", "x"),
            "postgres://host:5433/x?sslmode=disable"
        );
    }
}
