//! Which store each data service has: what the configuration says, or what fits what is there.

use std::sync::Arc;

use crate::{
    Error, Result,
    cache::{self, Cache},
    clock::Clock,
    config::{ByteSize, Config, DataBackend, EventTransport, OnFailure},
    db::{Db, DbBackend, notify::Notifier},
    error::code,
    events::Carrier,
    http::HealthCheck,
    kv::{self, Kv, KvStore},
    limit::{self, LimitStore, Limits},
    lock::{self, LockStore, Locks},
    observe::Metrics,
};
#[cfg(feature = "redis")]
use crate::{events, redis::Redis};

/// Key-value store, locks, cache and rate limits, and what they have in common.
pub(super) struct Data {
    pub(super) kv: Kv,
    pub(super) locks: Locks,
    pub(super) cache: Cache,
    pub(super) limits: Limits,
    /// Redis, where something is kept there, and whether everything does without while it is away.
    pub(super) check: Option<(HealthCheck, bool)>,
    /// What carries events between instances, where it is not the database.
    pub(super) carrier: Option<Arc<dyn Carrier>>,
}

/// Redis, where its address is set: one pool for the services over all databases.
#[derive(Clone)]
pub(super) struct Remote {
    #[cfg(feature = "redis")]
    redis: Option<Redis>,
}

impl Remote {
    #[cfg(feature = "redis")]
    pub(super) fn open(config: &Config) -> Result<Self> {
        Ok(Self { redis: redis(config)? })
    }

    #[cfg(not(feature = "redis"))]
    pub(super) fn open(config: &Config) -> Result<Self> {
        match config.redis.url.expose() {
            None => Ok(Self {}),
            Some(_) => Err(configuration("`redis.url` is set, and this program was built without the feature `redis`")),
        }
    }

    /// Returns a key-value store in it, for what the framework keeps there besides.
    #[cfg(feature = "redis")]
    pub(super) fn kv(&self, config: &Config) -> Option<Kv> {
        let settings = kv::Settings { max_value_bytes: bytes(config.kv.max_value_size) };
        self.redis.clone().map(|redis| Kv::new(Arc::new(kv::Redis::new(redis)), settings))
    }

    /// Returns a key-value store in it, for what the framework keeps there besides.
    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "as with the feature `redis`")]
    pub(super) fn kv(&self, _config: &Config) -> Option<Kv> {
        None
    }

    /// Registers what is measured of it.
    #[cfg_attr(not(feature = "redis"), expect(clippy::unused_self, reason = "as with the feature `redis`"))]
    pub(super) fn measure(&self, #[cfg_attr(not(feature = "redis"), expect(unused))] metrics: &Metrics) {
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.redis {
            redis.measure(metrics);
        }
    }
}

impl Data {
    pub(super) fn open(
        config: &Config,
        db: &Db,
        clock: &Clock,
        notifier: &Notifier,
        #[cfg_attr(not(feature = "redis"), expect(unused))] remote: &Remote,
    ) -> Result<Self> {
        let has_redis = config.redis.url.expose().is_some();
        let parts = Parts {
            db,
            clock,
            #[cfg(feature = "redis")]
            redis: remote.redis.clone(),
        };
        let is_there = |backend| backend == DataBackend::Redis || (backend == DataBackend::Auto && has_redis);
        let (in_kv, in_lock, in_cache) =
            (is_there(config.kv.backend), is_there(config.lock.backend), is_there(config.cache.backend));
        let in_limit = is_there(config.rate_limit.backend);
        let max_value_bytes = bytes(config.kv.max_value_size);
        let kv = if in_kv {
            let first = parts.redis_kv("kv.backend")?;
            match config.kv.on_failure {
                OnFailure::Fallback => Arc::new(kv::Fallback::new(first, parts.sql_kv(), is_away)),
                _ => first,
            }
        } else if config.kv.backend == DataBackend::Memory {
            parts.memory_kv(config.kv.memory_limit)
        } else {
            parts.sql_kv()
        };
        let locks = if in_lock {
            let first = parts.redis_locks()?;
            match config.lock.on_failure {
                OnFailure::Fallback => Arc::new(lock::Fallback::new(first, parts.sql_locks(), is_away)),
                _ => first,
            }
        } else {
            parts.sql_locks()
        };
        let cached = if in_cache {
            parts.redis_kv("cache.backend")?
        } else if config.cache.backend == DataBackend::Sql
            || (config.cache.backend == DataBackend::Auto && db.backend() == DbBackend::Postgres)
        {
            parts.sql_kv()
        } else {
            parts.memory_kv(config.cache.memory_limit)
        };
        let limits = if in_limit {
            let first = parts.redis_limits()?;
            match config.rate_limit.on_failure {
                OnFailure::Fallback => Arc::new(limit::Fallback::new(first, parts.other_limits(config), is_away)),
                _ => first,
            }
        } else {
            parts.other_limits(config)
        };
        let settings = cache::Settings {
            load_lease: config.cache.load_lease,
            negative_ttl: config.cache.negative_ttl,
            falls_back: config.cache.on_failure == OnFailure::Fallback,
        };
        let carrier = match config.events.transport {
            EventTransport::Redis => Some(parts.carrier()?),
            _ => None,
        };
        let does_without = [
            (in_kv, config.kv.on_failure),
            (in_lock, config.lock.on_failure),
            (in_cache, config.cache.on_failure),
            (in_limit, config.rate_limit.on_failure),
        ];
        let does_without = does_without.iter().all(|(is_in, how)| !is_in || *how == OnFailure::Fallback);
        let check = (in_kv || in_lock || in_cache || in_limit || carrier.is_some())
            .then(|| parts.check().map(|check| (check, does_without)))
            .flatten();
        Ok(Self {
            kv: Kv::new(kv, kv::Settings { max_value_bytes }),
            locks: Locks::new(locks, clock.clone(), notifier.clone(), config.lock.wait),
            limits: Limits::new(limits, clock.clone()),
            cache: Cache::new(&Kv::new(cached, kv::Settings { max_value_bytes }), clock.clone(), settings),
            check,
            carrier,
        })
    }
}

struct Parts<'a> {
    db: &'a Db,
    clock: &'a Clock,
    #[cfg(feature = "redis")]
    redis: Option<Redis>,
}

impl Parts<'_> {
    fn sql_kv(&self) -> Arc<dyn KvStore> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        match db.backend() {
            DbBackend::Postgres => Arc::new(kv::Postgres::new(db, clock)),
            _ => Arc::new(kv::Sqlite::new(db, clock)),
        }
    }

    fn memory_kv(&self, limit: ByteSize) -> Arc<dyn KvStore> {
        Arc::new(kv::Memory::new(self.clock.clone(), bytes(limit)))
    }

    fn sql_locks(&self) -> Arc<dyn LockStore> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        match db.backend() {
            DbBackend::Postgres => Arc::new(lock::Postgres::new(db, clock)),
            _ => Arc::new(lock::Sqlite::new(db, clock)),
        }
    }

    /// Where calls are counted that are not counted in Redis.
    fn other_limits(&self, config: &Config) -> Arc<dyn LimitStore> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        match (config.rate_limit.backend, db.backend()) {
            (DataBackend::Memory, _) => Arc::new(limit::Memory::new(clock, config.rate_limit.max_keys)),
            (_, DbBackend::Postgres) => Arc::new(limit::Postgres::new(db, clock)),
            (DataBackend::Sql, _) => Arc::new(limit::Sqlite::new(db, clock)),
            _ => Arc::new(limit::Memory::new(clock, config.rate_limit.max_keys)),
        }
    }
}

#[cfg(feature = "redis")]
impl Parts<'_> {
    fn redis(&self, key: &str) -> Result<Redis> {
        let text = || format!("`{key}` is `redis`, and `redis.url` is not set");
        self.redis.clone().ok_or_else(|| configuration(text()))
    }

    fn redis_kv(&self, key: &str) -> Result<Arc<dyn KvStore>> {
        Ok(Arc::new(kv::Redis::new(self.redis(key)?)))
    }

    fn redis_locks(&self) -> Result<Arc<dyn LockStore>> {
        let fences = lock::Fences::new(self.db.clone(), self.clock.clone());
        Ok(Arc::new(lock::Redis::new(self.redis("lock.backend")?, fences)))
    }

    fn redis_limits(&self) -> Result<Arc<dyn LimitStore>> {
        Ok(Arc::new(limit::Redis::new(self.redis("rate_limit.backend")?, self.clock.clone())))
    }

    fn carrier(&self) -> Result<Arc<dyn Carrier>> {
        Ok(events::Stream::new(self.redis("events.transport")?))
    }

    fn check(&self) -> Option<HealthCheck> {
        let redis = self.redis.clone()?;
        Some(Arc::new(move || {
            let redis = redis.clone();
            Box::pin(async move {
                redis.ping().await.map_err(|error| error.to_string())?;
                // A user of Redis that may not ask for it has no less of a Redis.
                Ok(redis.usage().await.ok().and_then(|usage| serde_json::to_value(usage).ok()))
            })
        }))
    }
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unused_self, reason = "as with the feature `redis`")]
impl Parts<'_> {
    fn redis_kv(&self, key: &str) -> Result<Arc<dyn KvStore>> {
        Err(built_without(key))
    }

    fn redis_locks(&self) -> Result<Arc<dyn LockStore>> {
        Err(built_without("lock.backend"))
    }

    fn redis_limits(&self) -> Result<Arc<dyn LimitStore>> {
        Err(built_without("rate_limit.backend"))
    }

    fn carrier(&self) -> Result<Arc<dyn Carrier>> {
        Err(built_without("events.transport"))
    }

    fn check(&self) -> Option<HealthCheck> {
        None
    }
}

#[cfg(not(feature = "redis"))]
fn built_without(key: &str) -> Error {
    configuration(format!("`{key}` is `redis`, and this program was built without the feature `redis`"))
}

/// Makes the pool, where an address is set.
#[cfg(feature = "redis")]
fn redis(config: &Config) -> Result<Option<Redis>> {
    let Some(url) = config.redis.url.expose() else { return Ok(None) };
    let prefix = match config.redis.prefix.as_str() {
        "" => format!("{}:", config.app.name),
        prefix => prefix.to_owned(),
    };
    let settings = crate::redis::Settings {
        max_connections: config.redis.max_connections as usize,
        connect_timeout: config.redis.connect_timeout,
        command_timeout: config.redis.command_timeout,
        idle_timeout: config.redis.idle_timeout,
        ..crate::redis::Settings::new(url, prefix)
    };
    Redis::open(&settings).map(Some)
}

/// Asks Redis about itself: a text from each server, and when a single one writes snapshots, where it says so.
#[cfg(feature = "redis")]
pub(super) async fn about_redis(config: &Config) -> Result<(Vec<String>, Option<String>)> {
    let redis = redis(config)?.ok_or_else(|| configuration("`redis.url` is not set"))?;
    let texts = redis.info().await?;
    let snapshots = if texts.len() == 1 { redis.setting("save").await } else { None };
    Ok((texts, snapshots))
}

/// Asks nobody.
#[cfg(not(feature = "redis"))]
#[expect(clippy::unused_async, reason = "as with the feature `redis`")]
pub(super) async fn about_redis(_config: &Config) -> Result<(Vec<String>, Option<String>)> {
    Err(configuration("this program was built without the feature `redis`"))
}

/// Returns the services that each process has for itself.
pub(super) fn per_process(config: &Config) -> impl Iterator<Item = &'static str> {
    let is_kv = config.kv.backend == DataBackend::Memory;
    let has_no_other = config.redis.url.expose().is_none() && config.database.url.is_sqlite();
    let is_memory = |backend| match backend {
        DataBackend::Memory => true,
        DataBackend::Auto => has_no_other,
        _ => false,
    };
    let (is_cache, is_limit) = (is_memory(config.cache.backend), is_memory(config.rate_limit.backend));
    [("kv", is_kv), ("cache", is_cache), ("rate_limit", is_limit)]
        .into_iter()
        .filter(|(_, is)| *is)
        .map(|(name, _)| name)
}

/// Returns whether an error means that Redis is away.
fn is_away(error: &Error) -> bool {
    error.code() == code::REDIS_UNAVAILABLE
}

fn configuration(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(500, "configuration", text)
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
