//! The handle that every service on Redis holds.

use std::{fmt, sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolError},
};
use deadpool_redis::redis::{Arg, Cmd, ErrorKind, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind, cmd};

use super::{
    address::Address,
    breaker::Breaker,
    manager::{Connection, Manager},
    measure::{Failure, Measures},
};
use crate::{
    Error, Result,
    error::{Retry, code},
    observe::trace::{self, Kind, Span},
    service::Service,
};

/// How Redis is reached.
#[derive(Clone)]
pub struct Settings {
    /// The address: `redis://`, `rediss://` (TLS), `unix://`, `redis+cluster://A,B` or `redis+sentinel://A,B/MASTER`.
    pub url: String,
    /// What all keys begin with.
    pub prefix: String,
    /// How many connections are open at most; 10 unless said.
    pub max_connections: usize,
    /// How long connecting, and waiting for a free connection, may take; 5 s unless said.
    pub connect_timeout: Duration,
    /// How long a command may take; 2 s unless said.
    pub command_timeout: Duration,
    /// How long an unused connection stays open; 30 s unless said.
    pub idle_timeout: Duration,
}

impl Settings {
    /// Returns the defaults for an address.
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            max_connections: 10,
            connect_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Settings {
    /// Leaves the address out: it may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Redis, by a pool of connections; cheap to clone.
///
/// It connects when first used. While the server is away, calls answer 503 `redis_unavailable` at once and one of them tries
/// again now and then, at waits that double from 100 ms to 10 s; it comes back by itself.
#[derive(Clone)]
pub struct Redis(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) pool: Pool<Manager>,
    settings: Settings,
    pub(super) breaker: Breaker,
    pub(super) measures: Measures,
    is_cluster: bool,
    /// Closes connections that nobody uses; stops with the last handle.
    _idle: Service,
}

impl Redis {
    /// Makes a pool. Redis is not contacted yet. Needs a runtime, on which unused connections are closed.
    ///
    /// # Errors
    /// 500 `redis_url` when the address is none.
    pub fn open(settings: &Settings) -> Result<Self> {
        let wrong = |text: String| Error::new(500, "redis_url", format!("`redis.url` {text}"));
        let address = Address::parse(&settings.url).map_err(wrong)?;
        let manager = Manager::new(&address, settings);
        let manager = manager.map_err(|source| wrong("is not an address of Redis".to_owned()).caused_by(source))?;
        let pool = Pool::builder(manager)
            .max_size(settings.max_connections.max(1))
            .wait_timeout(Some(settings.connect_timeout))
            .create_timeout(Some(settings.connect_timeout))
            .recycle_timeout(Some(settings.command_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::internal)?;
        let idle = close_idle(pool.clone(), settings.idle_timeout);
        let is_cluster = matches!(address, Address::Cluster(_));
        Ok(Self(Arc::new(Inner {
            pool,
            settings: settings.clone(),
            breaker: Breaker::default(),
            measures: Measures::default(),
            is_cluster,
            _idle: idle,
        })))
    }

    /// Asks Redis for an answer: the health check.
    ///
    /// # Errors
    /// 503 when there is none.
    pub async fn ping(&self) -> Result<()> {
        self.read::<String>(&cmd("PING")).await.map(drop)
    }

    /// Returns whether Redis did not answer the last time.
    pub fn is_away(&self) -> bool {
        self.0.breaker.is_open()
    }

    /// Returns whether it is a cluster, whose scripts take the keys of one slot.
    pub(crate) fn is_cluster(&self) -> bool {
        self.0.is_cluster
    }

    /// Returns how long a command may take.
    pub(crate) fn command_timeout(&self) -> Duration {
        self.0.settings.command_timeout
    }

    /// Returns a key with the prefix of this application.
    pub(crate) fn key(&self, service: &str, key: &str) -> String {
        format!("{}{service}:{key}", self.0.settings.prefix)
    }

    /// Runs a command that changes nothing, again on another connection when the first one breaks.
    pub(crate) async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let span = self.begin(|| name_of(command));
        told(span, self.read_unseen(command).await)
    }

    async fn read_unseen<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let mut connection = self.connection().await?;
        let answer = tokio::time::timeout(self.0.settings.command_timeout, command.query_async(&mut *connection)).await;
        match &answer {
            // The server was restarted since, as a rule: that is no outage before a new connection fails too.
            Ok(Err(error)) if (error.is_io_error() || error.is_connection_dropped()) && !error.is_timeout() => {
                self.discard(connection);
                self.once(command).await
            }
            _ => self.outcome(connection, answer),
        }
    }

    /// Runs a command.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let span = self.begin(|| name_of(command));
        told(span, self.once(command).await)
    }

    /// Runs a script: `SCRIPT.key(…).arg(…)`.
    pub(crate) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        let span = self.begin(|| "EVALSHA".to_owned());
        told(span, self.script_unseen(script).await)
    }

    async fn script_unseen<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        let mut connection = self.connection().await?;
        let answer = tokio::time::timeout(self.0.settings.command_timeout, script.invoke_async(&mut *connection)).await;
        self.outcome(connection, answer)
    }

    /// Counts what is asked for, and begins its span: keys and values are no part of it.
    fn begin(&self, name: impl FnOnce() -> String) -> Span {
        self.0.measures.operation();
        let mut span = trace::span(Kind::Client, || name().into());
        span.write(|span| {
            span.set("db.system.name", "redis");
            span.set("db.operation.name", span.name.clone());
        });
        span
    }

    async fn once<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let mut connection = self.connection().await?;
        let answer = tokio::time::timeout(self.0.settings.command_timeout, command.query_async(&mut *connection)).await;
        self.outcome(connection, answer)
    }

    async fn connection(&self) -> Result<Object<Manager>> {
        if !self.0.breaker.lets_through(self.0.settings.connect_timeout) {
            self.0.measures.failed(Failure::Away);
            return Err(unavailable("Redis is away"));
        }
        match self.0.pool.get().await {
            Ok(connection) => Ok(connection),
            // All connections are in use: that says nothing about the server.
            Err(error @ PoolError::Timeout(deadpool::managed::TimeoutType::Wait)) => {
                self.0.measures.failed(Failure::Busy);
                Err(Error::new(503, "redis_busy", "every connection to Redis is in use; try again")
                    .retry(Retry::After(Duration::from_secs(1)))
                    .caused_by(error))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn outcome<T>(
        &self,
        connection: Object<Manager>,
        answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T> {
        let error = match answer {
            Ok(Ok(value)) => {
                if let Some(away) = self.0.breaker.answered() {
                    tracing::info!(away_s = away.as_secs(), "Redis is back");
                }
                return Ok(value);
            }
            Ok(Err(error)) if !is_away(&error) => {
                self.0.measures.failed(Failure::Refused);
                return Err(Error::internal(error));
            }
            Ok(Err(error)) => self.failed(error),
            Err(elapsed) => self.failed(elapsed),
        };
        self.discard(connection);
        Err(error)
    }

    /// Closes a connection that broke, and those that nobody uses: they were made before, too.
    fn discard(&self, connection: Object<Manager>) {
        drop(Object::take(connection));
        self.0.pool.retain(|_: &Connection, _| false);
    }

    fn failed(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.0.measures.failed(Failure::Away);
        if self.0.breaker.failed() {
            tracing::warn!(error = %source, "Redis does not answer; it is asked again until it does");
        }
        unavailable(source)
    }
}

fn told<T>(mut span: Span, result: Result<T>) -> Result<T> {
    if let Err(error) = &result {
        span.write(|span| span.failed(error.code().to_owned()));
    }
    result
}

/// Returns the word that a command begins with.
fn name_of(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(Arg::Simple(word)) => String::from_utf8_lossy(word).to_ascii_uppercase(),
        _ => "COMMAND".to_owned(),
    }
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(503, code::REDIS_UNAVAILABLE, "Redis cannot be reached; try again")
        .retry(Retry::After(Duration::from_secs(1)))
        .caused_by(source)
}

/// Returns whether an error means that Redis is away, or for now does not do its work.
fn is_away(error: &RedisError) -> bool {
    let kind = match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
        ),
        ErrorKind::Io
        | ErrorKind::AuthenticationFailed
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => true,
        _ => false,
    };
    // `OOM`: it is full, and evicts nothing. `NOAUTH`: it wants a password.
    kind || error.is_timeout() || error.is_connection_dropped() || matches!(error.code(), Some("OOM" | "NOAUTH"))
}

/// Closes connections that were not used for so long.
fn close_idle(pool: Pool<Manager>, idle: Duration) -> Service {
    Service::start("Redis connections", |signals| async move {
        signals.started();
        loop {
            tokio::select! {
                () = signals.stopping() => return,
                () = tokio::time::sleep(idle / 2) => {
                    pool.retain(|_: &Connection, metrics| metrics.last_used() < idle);
                }
            }
        }
    })
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.0.settings.prefix).finish_non_exhaustive()
    }
}
