//! Keys and values on SQLite.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use super::{
    sql::{On, Row, in_order},
    store::{Keys, KvStore, Ttl, end_of},
};
use crate::{
    Result,
    clock::Clock,
    db::{Db, Tx},
};

/// Keys and values in the table `kv_store`; every operation is one statement. Processes that share the file share the values.
#[derive(Debug)]
pub struct Sqlite<'a> {
    on: On<'a>,
    clock: Clock,
}

impl Sqlite<'_> {
    /// Keeps values in `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { on: On::Db(db), clock }
    }

    fn after(&self, ttl: Option<Duration>) -> Option<DateTime<Utc>> {
        ttl.map(|ttl| self.clock.after(ttl))
    }
}

/// The keys `$1`, a JSON list, at the time `$2`.
const GET: &str = "SELECT key, value FROM kv_store
  WHERE key IN (SELECT value FROM json_each($1)) AND (expires_at IS NULL OR expires_at > $2) ORDER BY key";

/// Sets the pairs `$1`, a JSON list of lists, until `$2`.
const SET: &str = "INSERT INTO kv_store (key, value, expires_at)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), $2 FROM json_each($1) WHERE TRUE
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";

/// Sets key `$1` to `$2` until `$3`, if nobody has it at the time `$4`.
const SET_IF_ABSENT: &str = "INSERT INTO kv_store AS kept (key, value, expires_at) VALUES ($1, $2, $3)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
  WHERE kept.expires_at <= $4";

/// Sets key `$1` to `$3` until `$4`, if it is `$2` at the time `$5`.
const COMPARE_AND_SET: &str = "UPDATE kv_store SET value = $3, expires_at = $4
  WHERE key = $1 AND value = $2 AND (expires_at IS NULL OR expires_at > $5)";

/// Deletes key `$1`, if it is `$2` at the time `$3`.
const COMPARE_AND_DELETE: &str =
    "DELETE FROM kv_store WHERE key = $1 AND value = $2 AND (expires_at IS NULL OR expires_at > $3)";

/// Adds `$2` to key `$1`, which is kept until `$3` if it is new at the time `$4`. A sum that does not fit becomes a real number.
const ADD: &str = "INSERT INTO kv_store AS kept (key, value, expires_at) VALUES ($1, CAST($2 AS TEXT), $3)
  ON CONFLICT (key) DO UPDATE SET
    value = CASE WHEN kept.expires_at <= $4 THEN excluded.value ELSE CAST(CAST(kept.value AS INTEGER) + $2 AS TEXT) END,
    expires_at = CASE WHEN kept.expires_at <= $4 THEN excluded.expires_at ELSE kept.expires_at END
  WHERE kept.expires_at <= $4
    OR (CAST(CAST(kept.value AS INTEGER) AS TEXT) = kept.value AND typeof(CAST(kept.value AS INTEGER) + $2) = 'integer')
  RETURNING CAST(value AS INTEGER)";

const DELETE: &str = "DELETE FROM kv_store WHERE key IN (SELECT value FROM json_each($1))
  RETURNING expires_at IS NULL OR expires_at > $2";

const TTL: &str =
    "SELECT expires_at FROM kv_store WHERE key = $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY key";

const EXPIRE: &str = "UPDATE kv_store SET expires_at = $2 WHERE key = $1 AND (expires_at IS NULL OR expires_at > $3)";

/// Lists up to `$4` keys from `$1` to before `$2` and behind `$3`.
const LIST: &str = "SELECT key FROM kv_store
  WHERE key >= $1 AND key < $2 AND key > $3 AND (expires_at IS NULL OR expires_at > $5) ORDER BY key LIMIT $4";

/// Deletes `$2` keys that have expired at `$1`.
const SWEEP: &str = "DELETE FROM kv_store
  WHERE key IN (SELECT key FROM kv_store WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

impl KvStore for Sqlite<'_> {
    fn get(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<String>>>> {
        Box::pin(async move {
            let statement = self.on.sql(GET).bind(serde_json::to_string(&keys)?).bind(self.clock.now());
            let rows: Vec<Row> = statement.all().await?;
            Ok(in_order(&keys, rows))
        })
    }

    fn set(&self, entries: Vec<(String, String)>, ttl: Option<Duration>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.on.sql(SET).bind(serde_json::to_string(&entries)?).bind(self.after(ttl)).execute().await?;
            Ok(())
        })
    }

    fn swap(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let (now, until) = (self.clock.now(), self.after(ttl));
            let statement = match (expected, new) {
                (None, None) => return Ok(self.ttl(key).await? == Ttl::Missing),
                (None, Some(new)) => self.on.sql(SET_IF_ABSENT).bind(key).bind(new).bind(until).bind(now),
                (Some(old), Some(new)) => {
                    self.on.sql(COMPARE_AND_SET).bind(key).bind(old).bind(new).bind(until).bind(now)
                }
                (Some(old), None) => self.on.sql(COMPARE_AND_DELETE).bind(key).bind(old).bind(now),
            };
            Ok(statement.execute().await? == 1)
        })
    }

    fn add(&self, key: String, by: i64, ttl: Option<Duration>) -> BoxFuture<'_, Result<Option<i64>>> {
        Box::pin(async move {
            let statement = self.on.sql(ADD).bind(key).bind(by).bind(self.after(ttl)).bind(self.clock.now());
            let sums: Vec<(i64,)> = statement.columns().await?;
            Ok(sums.first().map(|(sum,)| *sum))
        })
    }

    fn delete(&self, keys: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let statement = self.on.sql(DELETE).bind(serde_json::to_string(&keys)?).bind(self.clock.now());
            let gone: Vec<(bool,)> = statement.columns().await?;
            Ok(gone.iter().map(|(live,)| u64::from(*live)).sum())
        })
    }

    fn ttl(&self, key: String) -> BoxFuture<'_, Result<Ttl>> {
        Box::pin(async move {
            let now = self.clock.now();
            let found: Vec<(Option<DateTime<Utc>>,)> = self.on.sql(TTL).bind(key).bind(now).columns().await?;
            Ok(match found.first() {
                None => Ttl::Missing,
                Some((None,)) => Ttl::Forever,
                Some((Some(at),)) => Ttl::Left((*at - now).to_std().unwrap_or_default()),
            })
        })
    }

    fn expire(&self, key: String, ttl: Option<Duration>) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let statement = self.on.sql(EXPIRE).bind(key).bind(self.after(ttl)).bind(self.clock.now());
            Ok(statement.execute().await? == 1)
        })
    }

    fn list(&self, prefix: String, cursor: Option<String>, limit: u32) -> BoxFuture<'_, Result<Keys>> {
        Box::pin(async move {
            let end = end_of(&prefix).unwrap_or_else(|| char::MAX.to_string());
            let statement = self.on.sql(LIST).bind(prefix).bind(end).bind(cursor.unwrap_or_default());
            let keys: Vec<(String,)> = statement.bind(i64::from(limit) + 1).bind(self.clock.now()).columns().await?;
            Ok(Keys::page(keys.into_iter().map(|(key,)| key).collect(), limit))
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.on.sql(SWEEP).bind(self.clock.now()).bind(i64::from(limit)).execute().await })
    }

    fn within<'a>(&'a self, tx: &'a Tx) -> Option<Box<dyn KvStore + 'a>> {
        Some(Box::new(Sqlite { on: On::tx(tx), clock: self.clock.clone() }))
    }

    fn joins_transactions(&self) -> bool {
        true
    }
}
