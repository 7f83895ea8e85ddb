//! What is known when the checklist is answered: the configuration, the actions, this machine, and the servers as far as they answer.

use std::{num::NonZero, time::Duration};

use super::{CheckArguments, node::Node};
use crate::{
    Result,
    action::Trigger,
    app::{App, data, signing_in, wiring},
    config::{Config, Environment, Loader},
    db::{
        self, Db,
        migrate::{Migration, Plan, State},
        operate::{self, Address, Server, Unindexed},
    },
    error,
    queue::{self, QueueStats},
    registry::{Registered, Registry},
    schema::Source,
    seal::Sensitive,
};

/// How long a server may take for all of its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that the lines look at.
pub(super) struct Facts<'c> {
    pub(super) config: &'c Config,
    pub(super) run: Run,
    pub(super) actions: Actions,
    pub(super) machine: Machine,
    pub(super) database: Database,
    /// Its servers; `None` where there is none in the configuration, and why it does not answer.
    pub(super) redis: Option<Result<Vec<Node>, String>>,
    pub(super) arguments: CheckArguments,
}

/// How this binary runs when nothing asks for production.
#[derive(Clone)]
pub(in crate::app) struct Run {
    /// What it would be, and why; `None` where that configuration is refused.
    pub(super) environment: Option<(Environment, String)>,
    /// Whether that is so in a release build, too.
    pub(super) is_said: bool,
    pub(super) is_debug_build: bool,
}

impl Run {
    pub(in crate::app) fn of(loader: &Loader) -> Self {
        let environment = loader.clone().load().ok().map(|config| (config.environment, config.environment_reason));
        let in_release = loader.clone().debug_build(false).load().ok();
        let is_said = in_release.is_some_and(|config| config.environment.is_development());
        Self { environment, is_said, is_debug_build: cfg!(debug_assertions) }
    }
}

/// What the actions of the binary have.
#[derive(Clone, Default)]
pub(super) struct Actions {
    pub(super) count: usize,
    /// Those that a worker runs: by events, schedules and webhooks.
    pub(super) queued: usize,
    pub(super) cached: usize,
    pub(super) uploads: usize,
    pub(super) limited: usize,
    /// Why `app.secret` is needed; `None` where it is not.
    pub(super) needs_secret: Option<&'static str>,
    pub(super) asks_for_sessions: bool,
}

/// The machine that this runs on.
#[derive(Clone, Copy, Default)]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) memory_bytes: Option<u64>,
}

/// What is known of the database.
pub(super) enum Database {
    Sqlite {
        /// Whether it is kept in a file, and not in the memory of the process.
        is_file: bool,
        /// What the tables lack, or why that is not known.
        unindexed: Result<Vec<Unindexed>, String>,
        tables: Result<Tables, String>,
    },
    Postgres {
        /// `None` where the address cannot be read.
        address: Option<Address>,
        server: Result<Box<Server>, String>,
        tables: Result<Tables, String>,
    },
}

/// What the framework's own tables say.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) migrations: Vec<Migration>,
    /// `None` before they are there.
    pub(super) queues: Option<Vec<QueueStats>>,
}

impl Tables {
    pub(super) fn named(&self, state: State) -> Vec<String> {
        self.migrations.iter().filter(|one| one.state == state).map(|one| one.name.clone()).collect()
    }
}

impl Database {
    pub(super) fn tables(&self) -> &Result<Tables, String> {
        match self {
            Self::Sqlite { tables, .. } | Self::Postgres { tables, .. } => tables,
        }
    }
}

impl<'c> Facts<'c> {
    /// Asks everything that can be asked. What does not answer is a fact, too.
    pub(super) async fn gather(app: &App, config: &'c Config, run: Run, arguments: CheckArguments) -> Result<Self> {
        let registry = wiring::registry(app, config)?;
        let (database, redis) = tokio::join!(database(config, &app.migrations), redis(config));
        Ok(Self { config, run, actions: actions(&registry), machine: machine(), database, redis, arguments })
    }

    /// How many instances there are, and how that is known.
    pub(super) fn instances(&self) -> (i64, &'static str) {
        match (&self.arguments.instances, &self.database) {
            (Some(count), _) => (i64::from(*count), "as `--instances` says"),
            (None, Database::Postgres { server: Ok(server), .. }) if server.instances > 0 => {
                (server.instances, "connected now; `--instances` says otherwise")
            }
            _ => (1, "taken for one; `--instances` says otherwise"),
        }
    }

    /// How much memory the machine of the database has, where that can be known.
    pub(super) fn database_memory(&self) -> Option<u64> {
        let is_here = matches!(&self.database, Database::Postgres { address: Some(address), .. } if address.is_local);
        let said = self.arguments.database_memory.map(crate::config::ByteSize::as_u64);
        said.or(self.machine.memory_bytes.filter(|_| is_here))
    }

    /// Whether the address of the database is SQLite's.
    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.database, Database::Sqlite { .. })
    }
}

fn actions(registry: &Registry) -> Actions {
    let all = registry.actions();
    let count = |has: &dyn Fn(&Registered) -> bool| all.iter().filter(|action| has(action)).count();
    let asks = |action: &Registered| action.guard_docs().iter().any(signing_in::is_asked_for);
    let asks_for_sessions = all.iter().any(asks);
    let is_sealed = all.iter().any(|action| Sensitive::of(action.entry.fields).any());
    let needs_secret = match (asks_for_sessions, is_sealed) {
        (true, _) => Some("guards ask who is signed in"),
        (false, true) => Some("actions have `#[sensitive]` fields, which are stored encrypted"),
        (false, false) => None,
    };
    Actions {
        count: all.len(),
        queued: count(&|action| {
            let is_queued = |trigger: &Trigger| {
                matches!(trigger, Trigger::Webhook { .. } | Trigger::Event { .. } | Trigger::Schedule { .. })
            };
            action.entry.meta.triggers.iter().any(is_queued)
        }),
        cached: count(&|action| action.entry.meta.cache.is_some()),
        uploads: count(&|action| action.entry.fields.iter().any(|field| field.source == Source::File)),
        limited: count(&|action| action.guard_docs().iter().any(|guard| guard.name.contains("rate_limit"))),
        needs_secret,
        asks_for_sessions,
    }
}

fn machine() -> Machine {
    #[cfg(target_os = "linux")]
    let memory_bytes = {
        use procfs::Current as _;
        procfs::Meminfo::current().ok().map(|memory| memory.mem_total)
    };
    #[cfg(not(target_os = "linux"))]
    let memory_bytes = None;
    Machine { cores: std::thread::available_parallelism().map_or(1, NonZero::get), memory_bytes }
}

/// Says why something did not answer, in one line and without an address's password, which no error of ours repeats.
fn why(error: &crate::Error) -> String {
    error::chain(error)
}

async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| why(&error)),
        Err(_) => Err(format!("there was no answer within {PATIENCE:?}")),
    }
}

async fn database(config: &Config, plan: &Plan) -> Database {
    let settings = db::Settings {
        application_name: "bunbase check".to_owned(),
        max_connections: 2,
        min_connections: 0,
        acquire_timeout: PATIENCE / 2,
        replicas: Vec::new(),
        slow_query: None,
        readers: 1,
        ..wiring::database(config)
    };
    if config.database.url.is_sqlite() {
        let file = config.database.url.sqlite_file();
        let is_file = file.is_some();
        // Opening it would make it.
        if file.is_none_or(|file| !file.exists()) {
            let nothing = "there is no such file yet: `APP migrate up` makes it".to_owned();
            return Database::Sqlite { is_file, unindexed: Err(nothing.clone()), tables: Err(nothing) };
        }
        let db = match Box::pin(in_time(Db::open(&settings))).await {
            Ok(db) => db,
            Err(error) => return Database::Sqlite { is_file, unindexed: Err(error.clone()), tables: Err(error) },
        };
        let unindexed = in_time(operate::unindexed(&db)).await;
        let tables = in_time(tables(&db, plan)).await;
        db.close().await;
        return Database::Sqlite { is_file, unindexed, tables };
    }
    let address = operate::address(&settings).ok().flatten();
    // Of the server itself, where a proxy stands before it.
    let settings = settings.of_session().unwrap_or(settings);
    let db = match Box::pin(in_time(Db::open(&settings))).await {
        Ok(db) => db,
        Err(error) => return Database::Postgres { address, server: Err(error.clone()), tables: Err(error) },
    };
    let name = format!("{} ", config.app.name);
    let server = Box::pin(in_time(operate::server(&db, &name))).await.map(Box::new);
    let tables = match &server {
        Ok(_) => in_time(tables(&db, plan)).await,
        Err(error) => Err(error.clone()),
    };
    db.close().await;
    Database::Postgres { address, server, tables }
}

async fn tables(db: &Db, plan: &Plan) -> Result<Tables> {
    let migrations = plan.status(db).await?;
    let jobs = queue::open(db.clone(), crate::clock::Clock::system(), queue::Settings::default());
    Ok(Tables { migrations, queues: jobs.stats(&[]).await.ok().map(|stats| stats.queues) })
}

async fn redis(config: &Config) -> Option<Result<Vec<Node>, String>> {
    config.redis.url.expose()?;
    let asked = in_time(Box::pin(data::about_redis(config))).await;
    Some(asked.map(|(texts, snapshots)| texts.iter().map(|text| Node::read(text, snapshots.clone())).collect()))
}
