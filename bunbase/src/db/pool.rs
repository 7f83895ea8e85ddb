//! Opening a database, and the handle that every other part holds.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxError,
    SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    sqlx::{ConnectOptions as _, Connection, postgres::PgConnectOptions},
};

use super::{
    Ask, Position, Settings,
    kept::{Connections, Kept, TEST_AFTER_IDLE, note_age},
    pooler::{self, REFUSED},
    replica::{ReplicaState, Replicas},
    settings::Target,
    watch::{Run, Server, Watch},
};
use crate::{
    Error, Result,
    error::Retry,
    observe::{Labels, Metrics, labels},
};

/// The longest that [`Db::ping`] waits.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How often opening a SQLite file is tried again while other processes switch it to WAL at the same moment.
const OPEN_ATTEMPTS: u32 = 20;

/// A database; cheap to clone, and shared by everything in the process.
///
/// A SQLite file has one connection that writes and a few that only read. Writers queue for the one connection, in
/// order, so that "database is locked" is never an answer; waiting longer than
/// [`acquire_timeout`](Settings::acquire_timeout) is a 503. A statement that plainly reads goes to a reader and sees
/// everything committed before it began. Temporary tables belong to the writer: read them inside a transaction.
///
/// `sqlite::memory:` is one connection for everything: while a transaction is open everything else waits, reads included.
///
/// Postgres is a pool that connects when first used. A statement outside of a transaction is one round trip. While the server is away,
/// calls answer 503, and the pool comes back by itself. A statement that is dropped on the way costs its connection.
///
/// It is a SeaORM connection:
///
/// ```no_run
/// # use bunbase::db::{Db, Settings};
/// # async fn example() -> bunbase::Result<()> {
/// let db = Db::open(&Settings::new("sqlite://data/app.db")).await?;
/// // task::Entity::find().all(&db).await?;
/// db.ping().await
/// # }
/// ```
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    backend: DbBackend,
    primary: DatabaseConnection,
    /// The connections of `primary`, where single statements run on some that are kept.
    kept: Option<Arc<Kept>>,
    readers: Option<DatabaseConnection>,
    replicas: Option<Replicas>,
    settings: Settings,
    target: Target,
    watch: Arc<Watch>,
}

impl Db {
    /// Opens a database. A SQLite file and its folder are made when missing; Postgres is not contacted yet, unless it is to be found out
    /// whether [`PgBouncer`](Settings::pgbouncer) is before it. A server that is away is taken for one without.
    ///
    /// # Errors
    /// An unknown URL scheme or a malformed URL (`database_url`), or a file that cannot be opened.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let target = Target::parse(&settings.url)?;
        let settings = &found_out(settings, &target).await;
        let (backend, primary, readers) = match &target {
            Target::Postgres => (DbBackend::Postgres, open_postgres(settings).await?, None),
            Target::SqliteMemory => (DbBackend::Sqlite, open_sqlite(settings, Access::Write).await?, None),
            Target::SqliteFile(path) => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    tokio::fs::create_dir_all(folder).await.map_err(|source| {
                        Error::new(500, "database_open", format!("the folder {} cannot be made", folder.display()))
                            .caused_by(source)
                    })?;
                }
                let writer = open_sqlite(settings, Access::Write).await?;
                let readers = match settings.readers {
                    0 => None,
                    count => Some(open_sqlite(settings, Access::Read(count)).await?),
                };
                (DbBackend::Sqlite, writer, readers)
            }
        };
        let watch = Arc::new(Watch::new(settings));
        let replicas = match target {
            Target::Postgres => Replicas::open(settings, &watch).await?,
            Target::SqliteFile(_) | Target::SqliteMemory => None,
        };
        // A session is nobody's behind PgBouncer.
        let keeps = backend == DbBackend::Postgres && !settings.pools_transactions();
        let kept = keeps.then(|| Kept::new(primary.clone(), settings, watch.clone(), Server::Primary));
        let settings = settings.clone();
        Ok(Self(Arc::new(Inner { backend, primary, kept, readers, replicas, settings, target, watch })))
    }

    /// Returns which engine this is.
    pub fn backend(&self) -> DbBackend {
        self.0.backend
    }

    /// Returns the settings that this was opened with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Asks the database for an answer, for at most 2 s: the health check.
    ///
    /// # Errors
    /// 503 when there is no answer.
    pub async fn ping(&self) -> Result<()> {
        let question = sea_orm::Statement::from_string(self.backend(), "SELECT 1");
        match tokio::time::timeout(PING_TIMEOUT, self.query_one_raw(question)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(source.into()),
            Err(source) => Err(Error::new(503, "database_unavailable", "the database did not answer within 2 s")
                .retry(Retry::After(Duration::from_secs(1)))
                .caused_by(source)),
        }
    }

    /// Makes sure, before anything else is asked of it, that the database can be reached.
    ///
    /// # Errors
    /// 503 that names the database without its password. The cause is what the server or the system says: a pool, which goes on
    /// trying, only says that its time is up.
    pub async fn reach(&self) -> Result<()> {
        let Err(error) = self.ping().await else { return Ok(()) };
        let settings = &self.0.settings;
        let cause: Box<dyn std::error::Error + Send + Sync> = match self.0.target {
            Target::SqliteFile(_) | Target::SqliteMemory => error.into(),
            Target::Postgres => {
                match tokio::time::timeout(settings.acquire_timeout, connect_once(settings)).await {
                    // It only takes longer than a ping may.
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(source)) => source.into(),
                    Err(_) => format!("there was no answer within {:?}", settings.acquire_timeout).into(),
                }
            }
        };
        let mut detail = format!("the database `{}` cannot be reached", settings.url_for_display());
        // PostgreSQL knows what it is asked for at the start of a session; a server with these words is PgBouncer.
        if !settings.pools_transactions() && cause.to_string().contains(REFUSED) {
            detail.push_str(
                ": it is behind PgBouncer, as it seems; set `database.pgbouncer = true`, and `database.direct_url` to the server itself",
            );
        }
        let soon = Retry::After(Duration::from_secs(1));
        Err(Error::new(503, "database_unavailable", detail).retry(soon).caused_by(cause))
    }

    /// Closes every connection; waits for those in use. Later calls answer 503.
    pub async fn close(&self) {
        // The writer last: closing the last connection to a SQLite file folds the log back into it.
        if let Some(readers) = &self.0.readers
            && let Err(source) = readers.close_by_ref().await
        {
            tracing::warn!(error = %source, "closing the readers failed");
        }
        if let Some(replicas) = &self.0.replicas {
            replicas.close().await;
        }
        let closed = match &self.0.kept {
            Some(kept) => kept.close().await,
            None => self.0.primary.close_by_ref().await,
        };
        if let Err(source) = closed {
            tracing::warn!(error = %source, "closing the database failed");
        }
    }

    /// Returns how the replicas are; empty without any.
    pub fn replicas(&self) -> Vec<ReplicaState> {
        self.0.replicas.as_ref().map(Replicas::states).unwrap_or_default()
    }

    /// Returns how many connections there may be, the replicas' included.
    fn most_connections(&self) -> u64 {
        let settings = self.settings();
        match self.backend() {
            DbBackend::Postgres => {
                let servers = 1 + u64::try_from(settings.replicas.len()).unwrap_or_default();
                servers.saturating_mul(settings.max_connections.into())
            }
            // One that writes.
            _ => 1 + u64::from(settings.readers),
        }
    }

    /// Returns how many connections are idle, and how many are in use, the replicas' included.
    pub(crate) fn in_use(&self) -> (u32, u32) {
        let connections = self.0.connections();
        (connections.idle, connections.busy)
    }

    /// Registers what is measured of it, together with other databases: how long statements take and wait, and how many connections
    /// there are.
    pub(crate) fn measure(&self, metrics: &Metrics, others: &[Self]) {
        self.0.watch.measure(metrics);
        for other in others {
            other.0.watch.measure_as(&self.0.watch);
        }
        let replicas = Arc::downgrade(&self.0);
        let numbered = move |read: fn(ReplicaState) -> Option<f64>| {
            let states = replicas.upgrade().and_then(|inner| inner.replicas.as_ref().map(Replicas::states));
            let numbers = (1_usize..).zip(states.unwrap_or_default());
            let one = |(number, state): (usize, ReplicaState)| {
                let labels: Labels = vec![("replica", number.to_string().into())];
                read(state).map(|value| (labels, value))
            };
            numbers.filter_map(one).collect::<Vec<_>>()
        };
        let read = numbered.clone();
        metrics.gauges(
            "bunbase_db_replica_up",
            "Whether a replica takes reads, by its place in the configuration",
            move || read(|state| Some(f64::from(u8::from(state.is_well)))),
        );
        metrics.gauges(
            "bunbase_db_replica_lag_seconds",
            "How far a replica was behind when it answered last",
            move || numbered(|state| state.lag.map(|lag| lag.as_secs_f64())),
        );
        let databases = std::iter::once(self).chain(others);
        let most: u64 = databases.map(Self::most_connections).sum();
        let help = "How many connections to the database and its replicas there may be";
        metrics.gauges("bunbase_db_pool_max_connections", help, move || vec![(Labels::new(), most)]);
        // Metrics may live longer than the databases that they are of.
        let all: Vec<_> = std::iter::once(self).chain(others).map(|db| Arc::downgrade(&db.0)).collect();
        metrics.gauges("bunbase_db_pool_connections", "Connections to the database and its replicas", move || {
            let connections: Connections = all.iter().filter_map(Weak::upgrade).map(|inner| inner.connections()).sum();
            let state = |state| labels([("state", state)]);
            vec![(state("idle"), u64::from(connections.idle)), (state("busy"), u64::from(connections.busy))]
        });
    }

    /// Returns whether it has replicas.
    pub(crate) fn has_replicas(&self) -> bool {
        self.0.replicas.is_some()
    }

    /// Answers a statement from a replica that has come as far as `after`; `None` leaves it to the primary. For whoever knows that nothing
    /// else was written that it must see.
    pub(crate) async fn ask_replica<A: Ask>(
        &self,
        statement: &Statement,
        run: &Run,
        after: Option<Position>,
    ) -> Option<A::Answer> {
        let replicas = self.0.replicas.as_ref()?;
        Box::pin(replicas.ask::<A>(statement, run, after)).await
    }

    pub(super) fn watch(&self) -> &Arc<Watch> {
        &self.0.watch
    }

    pub(super) fn primary(&self) -> &DatabaseConnection {
        &self.0.primary
    }

    /// Returns the connections that single statements run on, where there are any.
    pub(super) fn kept(&self) -> Option<&Arc<Kept>> {
        self.0.kept.as_ref()
    }

    /// Returns whether PgBouncer is before it in transaction mode: every statement must be in a transaction, since nothing else keeps its
    /// parts in one session.
    pub(crate) fn pools_transactions(&self) -> bool {
        self.0.backend == DbBackend::Postgres && self.0.settings.pools_transactions()
    }

    pub(super) fn readers(&self) -> Option<&DatabaseConnection> {
        self.0.readers.as_ref()
    }

    pub(super) fn target(&self) -> &Target {
        &self.0.target
    }

    /// Says what a timeout of the pool means: while a server refuses, the Postgres pool tries until its time is up, so
    /// there it is more than "busy".
    pub(super) fn explain(&self, source: DbErr) -> DbErr {
        if self.0.kept.is_none() && matches!(source, DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)) {
            self.0.watch.timed_out();
        }
        if self.0.backend == DbBackend::Postgres
            && matches!(source, DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout))
        {
            return DbErr::Conn(RuntimeErr::Internal(format!(
                "no connection within {:?}: the server is away, or every connection is in use",
                self.0.settings.acquire_timeout
            )));
        }
        source
    }
}

impl Inner {
    fn connections(&self) -> Connections {
        let primary = match (&self.kept, self.backend) {
            (Some(kept), _) => kept.connections(),
            (None, DbBackend::Sqlite) => {
                let pools = [Some(&self.primary), self.readers.as_ref()].into_iter().flatten();
                let pools = pools.map(DatabaseConnection::get_sqlite_connection_pool);
                pools.map(|pool| Connections::of(pool.size(), pool.num_idle())).sum()
            }
            (None, _) => {
                let pool = self.primary.get_postgres_connection_pool();
                Connections::of(pool.size(), pool.num_idle())
            }
        };
        [primary, self.replicas.as_ref().map(Replicas::connections).unwrap_or_default()].into_iter().sum()
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Access {
    /// The one connection that writes.
    Write,
    /// So many connections that only read.
    Read(u32),
    /// A connection of its own for migrations, waiting for SQLite's write lock for so long. Foreign keys are off: with
    /// them on, dropping a table to rebuild it would delete the rows that refer to it.
    Migrate(Duration),
}

pub(super) async fn open_sqlite(settings: &Settings, access: Access) -> Result<DatabaseConnection> {
    let busy_timeout = settings.busy_timeout;
    let mut options = ConnectOptions::new(&settings.url);
    options
        .max_connections(match access {
            Access::Write | Access::Migrate(_) => 1,
            Access::Read(count) => count,
        })
        .min_connections(1)
        .acquire_timeout(settings.acquire_timeout)
        // An in-memory database lives in its connection; for a file there is nothing to gain from reconnecting.
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .foreign_keys(true)
                .busy_timeout(busy_timeout)
                .pragma("synchronous", "NORMAL")
                .pragma("cache_size", "-65536")
                .pragma("mmap_size", "268435456")
                .pragma("temp_store", "MEMORY");
            match access {
                // WAL: ten times the writes of the rollback journal, and readers do not wait for the writer.
                Access::Write => options.create_if_missing(true).pragma("journal_mode", "WAL"),
                Access::Read(_) => options.read_only(true),
                Access::Migrate(wait) => options.create_if_missing(true).foreign_keys(false).busy_timeout(wait),
            }
        });
    let mut attempt = 1;
    loop {
        match SqlxSqliteConnector::connect(options.clone()).await {
            Ok(connection) => return Ok(connection),
            // Switching to WAL needs a lock that SQLite does not wait for by itself; another process may be at it too.
            Err(source) if attempt < OPEN_ATTEMPTS && Error::from(source.clone()).code() == "database_busy" => {
                tokio::time::sleep(Duration::from_millis(10) * attempt).await;
                attempt += 1;
            }
            Err(source) => return Err(cannot_open(settings, source)),
        }
    }
}

async fn open_postgres(settings: &Settings) -> Result<DatabaseConnection> {
    open_pool(settings, Session::Writes).await
}

/// Opens the pool of a replica. Its sessions refuse writes, whatever a function does.
pub(super) async fn open_replica(settings: &Settings, watch: &Arc<Watch>) -> Result<Arc<Kept>> {
    let pool = open_pool(settings, Session::ReadsOnly).await?;
    Ok(Kept::new(pool, settings, watch.clone(), Server::Replica))
}

async fn open_pool(settings: &Settings, session: Session) -> Result<DatabaseConnection> {
    let mut options = postgres_options(settings, session);
    options
        .max_connections(settings.max_connections.max(1))
        // `Kept` keeps as many as are asked for; the pool would not count those that wait there.
        .min_connections(if settings.pools_transactions() {
            settings.min_connections.min(settings.max_connections)
        } else {
            0
        })
        .idle_timeout(settings.idle_timeout)
        .max_lifetime(settings.max_lifetime)
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE)
        .map_sqlx_postgres_before_acquire(|_, meta| {
            note_age(meta.age);
            Box::pin(std::future::ready(Ok(true)))
        });
    SqlxPostgresConnector::connect(options).await.map_err(|source| cannot_open(settings, source))
}

/// Opens one lasting connection to Postgres at the first use: for what needs a session of its own.
pub(super) async fn open_postgres_session(settings: &Settings) -> Result<DatabaseConnection> {
    let mut options = postgres_options(&Settings { statement_timeout: None, ..settings.clone() }, Session::Writes);
    options.max_connections(1).min_connections(0).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
    SqlxPostgresConnector::connect(options).await.map_err(|source| cannot_open(settings, source))
}

/// Opens one connection, without a pool, and closes it.
async fn connect_once(settings: &Settings) -> Result<(), SqlxError> {
    connect_options(settings)?.connect().await?.close().await
}

/// Returns with what one connection is opened, as the pool opens those of its own.
pub(super) fn connect_options(settings: &Settings) -> Result<PgConnectOptions, SqlxError> {
    let options: PgConnectOptions = settings.url.parse()?;
    let options = options.application_name(&settings.application_name).disable_statement_logging();
    Ok(Start::of(settings, Session::Writes).put_on(options))
}

/// Says whether PgBouncer is before the server, where that is to be found out.
async fn found_out(settings: &Settings, target: &Target) -> Settings {
    let mut settings = settings.clone();
    if settings.pgbouncer.is_none() {
        settings.pgbouncer = Some(*target == Target::Postgres && pooler::detect(&settings).await);
    }
    settings
}

/// What the sessions of a pool may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Session {
    Writes,
    ReadsOnly,
}

fn postgres_options(settings: &Settings, session: Session) -> ConnectOptions {
    let mut options = ConnectOptions::new(&settings.url);
    options
        .connect_lazy(true)
        .acquire_timeout(settings.acquire_timeout)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .set_application_name(&settings.application_name);
    let start = Start::of(settings, session);
    options.map_sqlx_postgres_opts(move |options| start.put_on(options));
    options
}

/// What a session is begun with.
#[derive(Clone, Copy)]
struct Start {
    pools_transactions: bool,
    statement_timeout: Option<Duration>,
    session: Session,
}

impl Start {
    fn of(settings: &Settings, session: Session) -> Self {
        let statement_timeout = settings.statement_timeout;
        Self { pools_transactions: settings.pools_transactions(), statement_timeout, session }
    }

    fn put_on(self, options: PgConnectOptions) -> PgConnectOptions {
        if self.pools_transactions {
            // A statement that is kept would be missing in the next session; and PgBouncer refuses what it does not know at the start of
            // a session.
            return options.statement_cache_capacity(0).extra_float_digits(None);
        }
        let timeout = self.statement_timeout;
        let timeout = timeout.map(|timeout| ("statement_timeout", timeout.as_millis().max(1).to_string()));
        let reads = (self.session == Session::ReadsOnly).then(|| ("default_transaction_read_only", "on".to_owned()));
        let said: Vec<_> = timeout.into_iter().chain(reads).collect();
        if said.is_empty() { options } else { options.options(said) }
    }
}

fn cannot_open(settings: &Settings, source: DbErr) -> Error {
    Error::new(500, "database_open", format!("the database `{}` cannot be opened", settings.url_for_display()))
        .caused_by(source)
}
