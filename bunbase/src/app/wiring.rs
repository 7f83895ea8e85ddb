//! From a builder and a configuration to parts that are ready to serve.

use std::{
    any::Any,
    collections::BTreeSet,
    num::NonZero,
    sync::{Arc, OnceLock},
};

use tokio::sync::{Notify, Semaphore};

#[cfg(feature = "mcp")]
use super::tools;
use super::{
    App,
    data::{Data, Remote},
    health, logging, metrics,
    pages::Pages,
    serving, shards, signing_in,
    telemetry::Telemetry,
};
#[cfg(feature = "mcp")]
use crate::mcp;
use crate::{
    Error, Result,
    clock::Clock,
    config::{Config, LongSecret, TenantIsolation, TenantSource},
    context::{ReadAfter, Services, State},
    db::{self, Db, migrate::Plan, notify::Notifier, seed::Seeds},
    events::{Broadcast, Events},
    http::{Health, HealthCheck, Mounts, Table},
    idempotency::{self, Keys},
    invoke::Subscriptions,
    observe::{Metrics, trace::Tracer},
    openapi,
    password::Passwords,
    queue,
    registry::{BuiltInPath, Registered, Registry},
    runs::{Limits, Recorder},
    schedule::Schedules,
    seal::{PageKeys, Sealer, Sensitive},
    service,
    session::Sessions,
    tenant::Tenants,
};

/// An application, ready to serve.
pub(crate) struct Wired {
    pub(crate) config: Arc<Config>,
    pub(crate) services: Arc<Services>,
    pub(crate) registry: Registry,
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only tests hold answers against it"))]
    pub(crate) document: openapi::Document,
    pub(crate) migrations: Plan,
    pub(crate) seeds: Seeds,
    pub(crate) health: Arc<Health>,
    pub(crate) table: Table,
    /// What is built in, at an address of its own.
    pub(crate) admin: Option<Table>,
    pub(crate) mounts: Mounts,
    /// What the relay of this process waits on.
    pub(crate) relay_wake: Arc<Notify>,
    /// What sends spans; stopped when nothing runs any more.
    pub(crate) telemetry: Telemetry,
    /// The services of each shard, and what its relay waits on.
    pub(crate) shards: Vec<(Arc<Services>, Arc<Notify>)>,
    #[cfg(feature = "mcp")]
    pub(crate) tools: mcp::Server,
}

/// Collects the actions of the binary, or says everything that is wrong with them.
pub(crate) fn registry(app: &App, config: &Config) -> Result<Registry> {
    let served = config.served_paths().into_iter();
    // The path of tools is taken only where there are tools.
    let served = served.filter(|(key, _)| *key != Some("mcp.path")).map(|(key, path)| BuiltInPath { path, key });
    Registry::collect_beside(&served.collect::<Vec<_>>(), &app.modules)
        .map_err(|mistakes| Error::new(500, "registry", mistakes.to_string()))
}

/// Makes the API document.
pub(crate) fn document(registry: &Registry, config: &Config, description: Option<String>) -> openapi::Document {
    let info = openapi::Info {
        description,
        title: config.openapi.title.clone(),
        version: config.openapi.version.clone(),
        request_timeout: config.http.request_timeout.is_some(),
        body_limit_bytes: Some(config.http.max_body_size.as_u64()),
        servers: Vec::new(),
        tenants: config.tenants.isolation != TenantIsolation::Off,
        session_cookie: signing_in::settings(config).cookie,
        refusals: openapi::Refusals {
            cross_site: config.security.csrf,
            slow_bodies: config.http.body_timeout.is_some(),
            long_targets: true,
            other_hosts: serving::lists_hosts(config),
        },
        tenant_header: Some(config.tenants.header.clone()).filter(|_| config.tenants.from == TenantSource::Header),
    };
    openapi::document(registry, &info)
}

/// Says how the database is to be reached.
pub(crate) fn database(config: &Config) -> db::Settings {
    let database = &config.database;
    db::Settings {
        url: database.url.expose().to_owned(),
        max_connections: database.max_connections,
        min_connections: database.min_connections,
        acquire_timeout: database.acquire_timeout,
        idle_timeout: database.idle_timeout,
        max_lifetime: database.max_lifetime,
        busy_timeout: database.busy_timeout,
        readers: database.readers,
        transaction_timeout: database.transaction_timeout.unwrap_or(std::time::Duration::MAX),
        statement_timeout: database.statement_timeout,
        slow_query: database.slow_query,
        // They show what is in the tables, and count what every run does.
        explain_slow: database.explain_slow && config.environment.is_development(),
        n_plus_one: if config.environment.is_development() { database.n_plus_one } else { 0 },
        application_name: application_name(config),
        pgbouncer: database.pgbouncer,
        replicas: database.read_replica_url.iter().map(|url| url.expose().to_owned()).collect(),
        max_lag: database.max_lag,
        writing_functions: database.writing_functions.clone(),
        direct_url: database.direct_url.as_ref().map(|url| url.expose().to_owned()),
    }
}

/// Returns the name that the server shows for the connections of this process: application, roles and instance.
fn application_name(config: &Config) -> String {
    format!("{} {} {}", config.app.name, config.app.roles.join("+"), service::process_name())
}

impl Wired {
    /// Brings the tables up to date, unless that is left to somebody else.
    pub(super) async fn prepare(&self) -> Result<()> {
        if self.config.database.migrate_on_start { self.migrate().await } else { Ok(()) }
    }

    /// Wires an application. The database is opened, and nothing listens yet.
    ///
    /// # Errors
    /// What is wrong with the actions, the database's address, or the paths of the built-in endpoints.
    pub(crate) async fn new(app: App, config: Config) -> Result<Self> {
        // On the heap: it is large, and part of the future of every command.
        Box::pin(Self::wire(app, config)).await
    }

    async fn wire(app: App, config: Config) -> Result<Self> {
        let registry = registry(&app, &config)?;
        let config = Arc::new(config);
        let document = document(&registry, &config, app.description.clone());
        let clock = app.clock;
        let db = Db::open(&database(&config)).await?;
        let tenants = shards::tenants(&config, &db, clock.clone(), &app.migrations).await?;
        let remote = Remote::open(&config)?;
        let telemetry = Telemetry::start(&config)?;
        let sealer = sealer(&registry, &config)?.map(Arc::new);
        let sessions = signing_in::sessions(&config, &db, &clock, &remote);
        let shared = Shared {
            state: Arc::new(app.state),
            config: config.clone(),
            read_after: sealer.clone().and_then(|sealer| read_after(&config, sealer)),
            sealer,
            clock,
            recorder: recorder(&config),
            metrics: metrics::open(&config),
            tracer: telemetry.tracer(),
            names_runs: logging::names_runs(&config),
            cpu: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get))),
            calls: Arc::default(),
            passwords: signing_in::passwords(&config)?,
            sessions,
            page_keys: signing_in::page_keys(&config),
            broadcast: Subscriptions::broadcast_names(&registry),
            tenants: tenants.clone(),
            remote,
        };
        if registry.actions().iter().flat_map(Registered::guard_docs).any(|guard| signing_in::is_asked_for(&guard)) {
            // A server that could let nobody in does not start.
            shared.sessions.keys()?;
        }
        let main = shared.over(db, String::new())?;
        let (services, relay_wake) = (main.services, main.relay_wake);
        let mut shards = Vec::new();
        for (name, db) in tenants.shards() {
            let Over { services, relay_wake, .. } = shared.over(db.clone(), name.to_owned())?;
            shards.push((services, relay_wake));
        }
        let by_name = shards.iter().map(|(services, _)| (services.shard.clone(), services.clone())).collect();
        // Set once, here: the services are new.
        let _ = services.shards.set(by_name);
        let health = health::health(app.checks, &services, main.check, &app.migrations, config.health.max_age);
        let mut pages = Pages::new(&config, &health);
        pages.documents(&document);
        pages.debugging();
        let of_shards: Vec<_> = shards.iter().map(|(services, _)| services.clone()).collect();
        let queues = Subscriptions::queue_names(&registry).map(str::to_owned).collect();
        metrics::register(&services, &of_shards, &shared.remote, &telemetry, queues);
        if let Some(metrics) = metrics::endpoint(&config, &services.metrics) {
            pages.add("metrics", &config.metrics.path, &metrics);
        }
        #[cfg(feature = "mcp")]
        let tools = tools::server(&registry, &services, &config, app.description);
        #[cfg(feature = "mcp")]
        if let Some(endpoint) = tools::endpoint(&tools, &config) {
            pages.add("mcp", &config.mcp.path, &endpoint);
        }
        let Pages { main: pages, admin, .. } = pages;
        let keys = &services.page_keys;
        let admin = if admin.is_empty() {
            None
        } else {
            Some(Table::of_pages(serving::admin_settings(&config, keys)?, admin)?)
        };
        let (table, calls) = Table::new(&registry, &services, serving::settings(&config, keys)?, pages)?;
        // Set once, here: the services are new.
        let _ = services.calls.set(Box::new(calls));
        Ok(Self {
            config,
            services,
            registry,
            document,
            migrations: app.migrations,
            seeds: app.seeds,
            health,
            table,
            admin,
            mounts: app.mounts,
            relay_wake,
            telemetry,
            shards,
            #[cfg(feature = "mcp")]
            tools,
        })
    }
}

/// What the services of all databases share.
struct Shared {
    state: Arc<State>,
    config: Arc<Config>,
    sealer: Option<Arc<Sealer>>,
    read_after: Option<Arc<ReadAfter>>,
    clock: Clock,
    recorder: Recorder,
    metrics: Metrics,
    tracer: Tracer,
    names_runs: bool,
    cpu: Arc<Semaphore>,
    calls: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
    broadcast: BTreeSet<String>,
    passwords: Passwords,
    sessions: Sessions,
    page_keys: PageKeys,
    tenants: Tenants,
    remote: Remote,
}

/// The services over one database.
struct Over {
    services: Arc<Services>,
    relay_wake: Arc<Notify>,
    check: Option<(HealthCheck, bool)>,
}

impl Shared {
    fn over(&self, db: Db, shard: String) -> Result<Over> {
        let (config, clock) = (&self.config, &self.clock);
        let notifier = Notifier::start(db.clone(), clock.clone(), db.settings().of_session());
        let data = Data::open(config, &db, clock, &notifier, &self.remote)?;
        let jobs = queue::open(db.clone(), clock.clone(), job_settings(config));
        let keys = idempotency::Settings { wait: config.idempotency.wait, retention: config.idempotency.retention };
        let relay_wake = Arc::<Notify>::default();
        let events = Events::new(db.clone(), clock.clone(), Broadcast::of(self.broadcast.clone()), relay_wake.clone());
        let services = Arc::new(Services {
            state: self.state.clone(),
            config: config.clone(),
            wake: queue::Wake::new(notifier.clone()),
            events: match data.carrier {
                Some(carrier) => events.over(carrier),
                None => events,
            },
            schedules: Schedules::new(db.clone(), clock.clone()).measured(&self.metrics),
            keys: Keys::new(&db, clock, &keys),
            kv: data.kv.measured(&self.metrics),
            locks: data.locks,
            cache: data.cache.measured(&self.metrics),
            limits: data.limits.measured(&self.metrics),
            sealer: self.sealer.clone(),
            db,
            clock: clock.clone(),
            notifier,
            jobs,
            recorder: self.recorder.clone(),
            metrics: self.metrics.clone(),
            tracer: self.tracer.clone(),
            names_runs: self.names_runs,
            cpu: self.cpu.clone(),
            calls: self.calls.clone(),
            passwords: self.passwords.clone(),
            sessions: self.sessions.clone(),
            page_keys: self.page_keys.clone(),
            read_after: self.read_after.clone(),
            tenants: self.tenants.clone(),
            shard,
            shards: OnceLock::new(),
        });
        Ok(Over { services, relay_wake, check: data.check })
    }
}

/// Makes what seals sensitive values, where some action has any or a secret is there.
fn sealer(registry: &Registry, config: &Config) -> Result<Option<Sealer>> {
    let needs = registry.actions().iter().find(|action| Sensitive::of(action.entry.fields).any());
    let why = needs.map(|action| format!("`{}` has `#[sensitive]` fields, which are stored encrypted", action.name));
    let marks = || "`database.read_your_writes` seals with it how far the database has come".to_owned();
    let why = why.or_else(|| reads_own_writes(config).then(marks));
    let Some(secrets) = config.secrets(why.as_deref())? else { return Ok(None) };
    Sealer::new(secrets.iter().map(LongSecret::expose)).map(Some)
}

/// Returns whether callers are to read what they have written although a replica answers.
fn reads_own_writes(config: &Config) -> bool {
    config.database.read_your_writes && !config.database.read_replica_url.is_empty()
}

/// Makes what lets callers read what they have written. Its cookie is as that of sessions.
fn read_after(config: &Config, sealer: Arc<Sealer>) -> Option<Arc<ReadAfter>> {
    let (session, max_lag) = (&config.session, config.database.max_lag);
    let is_asked = reads_own_writes(config);
    is_asked.then(|| Arc::new(ReadAfter::new(sealer, max_lag, session.secure, session.same_site, &session.domain)))
}

fn recorder(config: &Config) -> Recorder {
    let persistence = &config.persistence;
    if !persistence.enabled {
        return Recorder::off();
    }
    Recorder::new(Limits {
        flush_at: persistence.max_buffer_size,
        most_bytes: usize::try_from(persistence.max_buffered_bytes.as_u64()).unwrap_or(usize::MAX),
        sample: persistence.sample,
        slow: persistence.slow,
        logs: logging::keeps_runs(config),
        inputs: persistence.inputs,
        outputs: persistence.outputs,
    })
}

fn job_settings(config: &Config) -> queue::Settings {
    queue::Settings { retention: config.queue.retention, failure_retention: config.queue.failure_retention }
}
