//! Locks on Postgres.

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::store::{KEPT, LockStore};
use crate::{
    Result,
    clock::{Clock, some_micros},
    db::Db,
};

/// Locks in the table `locks`; every operation is one statement, so they work behind a proxy that pools transactions.
#[derive(Debug)]
pub struct Postgres {
    db: Db,
    clock: Clock,
}

impl Postgres {
    /// Keeps locks in `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

/// Takes lock `$1` for the owner `$2` and `$4` µs, if it is free.
///
/// Where there was a row the token is drawn once that is locked, not before: a statement that waited would have an old one.
const ACQUIRE: &str = "INSERT INTO locks AS held (name, owner, fence, expires_at)
  VALUES ($1, $2, nextval('lock_fences'), statement_timestamp() + ($3 + $4) * INTERVAL '1 microsecond')
  ON CONFLICT (name) DO UPDATE
  SET owner = excluded.owner, fence = nextval('lock_fences'), expires_at = excluded.expires_at
  WHERE held.expires_at <= statement_timestamp() + $3 * INTERVAL '1 microsecond'
  RETURNING fence";

const RENEW: &str = "UPDATE locks SET expires_at = statement_timestamp() + ($3 + $4) * INTERVAL '1 microsecond'
  WHERE name = $1 AND owner = $2 AND expires_at > statement_timestamp() + $3 * INTERVAL '1 microsecond'";

/// Ends the lock. The row stays for a while, so that the next holder's token is drawn under its lock.
const RELEASE: &str = "UPDATE locks SET expires_at = statement_timestamp() + $3 * INTERVAL '1 microsecond'
  WHERE name = $1 AND owner = $2 AND expires_at > statement_timestamp() + $3 * INTERVAL '1 microsecond'";

/// Deletes `$2` locks that ended `$3` µs ago. The outer condition too: one may be taken in between.
const SWEEP: &str = "DELETE FROM locks
  WHERE expires_at <= statement_timestamp() + ($1 - $3) * INTERVAL '1 microsecond' AND name IN (
    SELECT name FROM locks WHERE expires_at <= statement_timestamp() + ($1 - $3) * INTERVAL '1 microsecond'
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

impl LockStore for Postgres {
    fn acquire(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<Option<u64>>> {
        Box::pin(async move {
            let statement =
                self.db.sql(ACQUIRE).bind(name).bind(owner).bind(self.clock.offset_us()).bind(some_micros(ttl));
            let fences: Vec<(i64,)> = statement.columns().await?;
            Ok(fences.first().map(|(fence,)| fence.unsigned_abs()))
        })
    }

    fn renew(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let statement =
                self.db.sql(RENEW).bind(name).bind(owner).bind(self.clock.offset_us()).bind(some_micros(ttl));
            Ok(statement.execute().await? == 1)
        })
    }

    fn release(&self, name: String, owner: Uuid) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            Ok(self.db.sql(RELEASE).bind(name).bind(owner).bind(self.clock.offset_us()).execute().await? == 1)
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let statement = self.db.sql(SWEEP).bind(self.clock.offset_us()).bind(i64::from(limit));
            statement.bind(some_micros(KEPT)).execute().await
        })
    }
}
