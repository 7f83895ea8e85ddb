//! Which store each data service has: what the configuration says, or what fits what is there.

use std::sync::Arc;

use crate::{
    Error, Result,
    clock::Clock,
    config::{Config, DataBackend},
    db::{Db, DbBackend},
    kv::{self, Kv, KvStore},
};

/// Opens the key-value store.
pub(super) fn kv(config: &Config, db: &Db, clock: &Clock) -> Result<Kv> {
    let store: Arc<dyn KvStore> = match config.kv.backend {
        DataBackend::Auto | DataBackend::Sql => sql(db, clock),
        DataBackend::Memory => {
            let limit = usize::try_from(config.kv.memory_limit.as_u64()).unwrap_or(usize::MAX);
            Arc::new(kv::Memory::new(clock.clone(), limit))
        }
        _ => return Err(Error::new(500, "configuration", "`kv.backend` is `redis`, and `redis.url` is not set")),
    };
    let max_value_bytes = usize::try_from(config.kv.max_value_size.as_u64()).unwrap_or(usize::MAX);
    Ok(Kv::new(store, kv::Settings { max_value_bytes }))
}

fn sql(db: &Db, clock: &Clock) -> Arc<dyn KvStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(kv::Postgres::new(db.clone(), clock.clone())),
        _ => Arc::new(kv::Sqlite::new(db.clone(), clock.clone())),
    }
}
