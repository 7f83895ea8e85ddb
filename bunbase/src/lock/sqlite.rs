//! Locks on SQLite.

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::store::{KEPT, LockStore};
use crate::{
    Result,
    clock::Clock,
    db::{Db, Tx},
};

/// Locks in the table `locks`, for all processes that share the file.
///
/// It looks before it takes: who finds a lock held needs only a reader.
#[derive(Debug)]
pub struct Sqlite {
    db: Db,
    clock: Clock,
}

impl Sqlite {
    /// Keeps locks in `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

const LOOK: &str = "SELECT fence FROM locks WHERE name = $1 AND expires_at > $2 ORDER BY name";

/// Takes lock `$1` for the owner `$2` until `$3`, if it is free at the time `$4`.
const TAKE: &str = "INSERT INTO locks AS held (name, owner, fence, expires_at)
  VALUES ($1, $2, (SELECT last + 1 FROM lock_fences), $3)
  ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, expires_at = excluded.expires_at
  WHERE held.expires_at <= $4
  RETURNING fence";

const DRAWN: &str = "UPDATE lock_fences SET last = last + 1";

const RENEW: &str = "UPDATE locks SET expires_at = $3 WHERE name = $1 AND owner = $2 AND expires_at > $4";

const RELEASE: &str = "UPDATE locks SET expires_at = $3 WHERE name = $1 AND owner = $2 AND expires_at > $3";

const SWEEP: &str = "DELETE FROM locks
  WHERE name IN (SELECT name FROM locks WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

impl LockStore for Sqlite {
    fn acquire(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<Option<u64>>> {
        Box::pin(async move {
            let held: Vec<(i64,)> = self.db.sql(LOOK).bind(&*name).bind(self.clock.now()).columns().await?;
            if !held.is_empty() {
                return Ok(None);
            }
            let take = async |tx: &Tx| {
                // The time once it is this transaction's turn.
                let (until, now) = (self.clock.after(ttl), self.clock.now());
                let taken: Vec<(i64,)> = tx.sql(TAKE).bind(&*name).bind(owner).bind(until).bind(now).columns().await?;
                if !taken.is_empty() {
                    tx.sql(DRAWN).execute().await?;
                }
                Ok(taken.first().map(|(fence,)| fence.unsigned_abs()))
            };
            self.db.transaction(take).await
        })
    }

    fn renew(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let statement =
                self.db.sql(RENEW).bind(name).bind(owner).bind(self.clock.after(ttl)).bind(self.clock.now());
            Ok(statement.execute().await? == 1)
        })
    }

    fn release(&self, name: String, owner: Uuid) -> BoxFuture<'_, Result<bool>> {
        Box::pin(
            async move { Ok(self.db.sql(RELEASE).bind(name).bind(owner).bind(self.clock.now()).execute().await? == 1) },
        )
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let before = self.clock.now() - KEPT;
            self.db.sql(SWEEP).bind(before).bind(i64::from(limit)).execute().await
        })
    }
}
