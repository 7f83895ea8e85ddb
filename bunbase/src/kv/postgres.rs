//! Keys and values on Postgres.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{
    sql::{On, Row, in_order},
    store::{Keys, KvStore, Ttl, end_of},
};
use crate::{
    Result,
    clock::{Clock, some_micros},
    db::{Db, Tx},
};

/// Keys and values in the table `kv_store`; every operation is one statement.
#[derive(Debug)]
pub struct Postgres<'a> {
    on: On<'a>,
    clock: Clock,
}

impl Postgres<'_> {
    /// Keeps values in `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { on: On::Db(db), clock }
    }
}

const GET: &str = "SELECT key, value FROM kv_store
  WHERE key = ANY($1) AND (expires_at IS NULL OR expires_at > statement_timestamp() + $2 * INTERVAL '1 microsecond')
  ORDER BY key";

/// Sets the keys `$1` to the values `$2` for `$4` µs. In order, so that two that set the same keys do not wait for each other.
const SET: &str = "INSERT INTO kv_store (key, value, expires_at)
  SELECT key, value, statement_timestamp() + ($3 + $4) * INTERVAL '1 microsecond'
  FROM unnest($1::text[], $2::text[]) AS entry (key, value) ORDER BY key COLLATE \"C\"
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";

/// Sets key `$1` to `$2` for `$4` µs, if nobody has it.
const SET_IF_ABSENT: &str = "INSERT INTO kv_store AS kept (key, value, expires_at)
  VALUES ($1, $2, statement_timestamp() + ($3 + $4) * INTERVAL '1 microsecond')
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
  WHERE kept.expires_at <= statement_timestamp() + $3 * INTERVAL '1 microsecond'";

/// Sets key `$1` to `$3` for `$5` µs, if it is `$2`.
const COMPARE_AND_SET: &str = "UPDATE kv_store
  SET value = $3, expires_at = statement_timestamp() + ($4 + $5) * INTERVAL '1 microsecond'
  WHERE key = $1 AND value = $2
    AND (expires_at IS NULL OR expires_at > statement_timestamp() + $4 * INTERVAL '1 microsecond')";

/// Deletes key `$1`, if it is `$2`.
const COMPARE_AND_DELETE: &str = "DELETE FROM kv_store WHERE key = $1 AND value = $2
    AND (expires_at IS NULL OR expires_at > statement_timestamp() + $3 * INTERVAL '1 microsecond')";

/// Adds `$2` to key `$1`, which is kept for `$4` µs if it is new. Numeric, so that what does not fit is seen and is no error.
const ADD: &str = "INSERT INTO kv_store AS kept (key, value, expires_at)
  VALUES ($1, $2::bigint::text, statement_timestamp() + ($3 + $4) * INTERVAL '1 microsecond')
  ON CONFLICT (key) DO UPDATE SET
    value = CASE WHEN kept.expires_at <= statement_timestamp() + $3 * INTERVAL '1 microsecond' THEN excluded.value
      ELSE (kept.value::bigint + $2::bigint)::text END,
    expires_at = CASE WHEN kept.expires_at <= statement_timestamp() + $3 * INTERVAL '1 microsecond'
      THEN excluded.expires_at ELSE kept.expires_at END
  WHERE kept.expires_at <= statement_timestamp() + $3 * INTERVAL '1 microsecond'
    OR CASE WHEN kept.value ~ '^-?[0-9]{1,19}$'
      THEN kept.value::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
        AND kept.value::numeric + $2::bigint BETWEEN -9223372036854775808 AND 9223372036854775807
      ELSE FALSE END
  RETURNING value::bigint";

/// Deletes the keys `$1`; counts those that had not expired.
const DELETE: &str = "WITH gone AS (
    DELETE FROM kv_store WHERE key IN (SELECT key FROM kv_store WHERE key = ANY($1) ORDER BY key FOR UPDATE)
    RETURNING expires_at)
  SELECT count(*) FROM gone
  WHERE expires_at IS NULL OR expires_at > statement_timestamp() + $2 * INTERVAL '1 microsecond'";

const TTL: &str = "SELECT (EXTRACT(EPOCH FROM expires_at - statement_timestamp()) * 1000000)::bigint - $2 AS left_us
  FROM kv_store WHERE key = $1
    AND (expires_at IS NULL OR expires_at > statement_timestamp() + $2 * INTERVAL '1 microsecond')
  ORDER BY key";

const EXPIRE: &str = "UPDATE kv_store SET expires_at = statement_timestamp() + ($2 + $3) * INTERVAL '1 microsecond'
  WHERE key = $1 AND (expires_at IS NULL OR expires_at > statement_timestamp() + $2 * INTERVAL '1 microsecond')";

/// Lists up to `$4` keys from `$1` to before `$2` and behind `$3`. The column's collation is that of bytes.
const LIST: &str = "SELECT key FROM kv_store WHERE key >= $1 AND key < $2 AND key > $3
    AND (expires_at IS NULL OR expires_at > statement_timestamp() + $5 * INTERVAL '1 microsecond')
  ORDER BY key LIMIT $4";

/// Deletes `$2` keys that have expired. The outer condition too: one may be set anew in between.
const SWEEP: &str = "DELETE FROM kv_store
  WHERE expires_at <= statement_timestamp() + $1 * INTERVAL '1 microsecond' AND key IN (
    SELECT key FROM kv_store WHERE expires_at <= statement_timestamp() + $1 * INTERVAL '1 microsecond'
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

impl KvStore for Postgres<'_> {
    fn get(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<String>>>> {
        Box::pin(async move {
            let rows: Vec<Row> = self.on.sql(GET).bind(keys.clone()).bind(self.clock.offset_us()).all().await?;
            Ok(in_order(&keys, rows))
        })
    }

    fn set(&self, entries: Vec<(String, String)>, ttl: Option<Duration>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let (keys, values): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
            let statement = self.on.sql(SET).bind(keys).bind(values);
            statement.bind(self.clock.offset_us()).bind(ttl.map(some_micros)).execute().await?;
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
            let offset = self.clock.offset_us();
            let statement = match (expected, new) {
                (None, None) => return Ok(self.ttl(key).await? == Ttl::Missing),
                (None, Some(new)) => {
                    self.on.sql(SET_IF_ABSENT).bind(key).bind(new).bind(offset).bind(ttl.map(some_micros))
                }
                (Some(old), Some(new)) => {
                    let statement = self.on.sql(COMPARE_AND_SET).bind(key).bind(old).bind(new);
                    statement.bind(offset).bind(ttl.map(some_micros))
                }
                (Some(old), None) => self.on.sql(COMPARE_AND_DELETE).bind(key).bind(old).bind(offset),
            };
            Ok(statement.execute().await? == 1)
        })
    }

    fn add(&self, key: String, by: i64, ttl: Option<Duration>) -> BoxFuture<'_, Result<Option<i64>>> {
        Box::pin(async move {
            let statement = self.on.sql(ADD).bind(key).bind(by).bind(self.clock.offset_us()).bind(ttl.map(some_micros));
            let sums: Vec<(i64,)> = statement.columns().await?;
            Ok(sums.first().map(|(sum,)| *sum))
        })
    }

    fn delete(&self, keys: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let count: i64 = self.on.sql(DELETE).bind(keys).bind(self.clock.offset_us()).scalar().await?;
            Ok(count.unsigned_abs())
        })
    }

    fn ttl(&self, key: String) -> BoxFuture<'_, Result<Ttl>> {
        Box::pin(async move {
            let found: Vec<(Option<i64>,)> = self.on.sql(TTL).bind(key).bind(self.clock.offset_us()).columns().await?;
            Ok(match found.first() {
                None => Ttl::Missing,
                Some((None,)) => Ttl::Forever,
                Some((Some(left),)) => Ttl::Left(Duration::from_micros(u64::try_from(*left).unwrap_or(0))),
            })
        })
    }

    fn expire(&self, key: String, ttl: Option<Duration>) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let statement = self.on.sql(EXPIRE).bind(key).bind(self.clock.offset_us()).bind(ttl.map(some_micros));
            Ok(statement.execute().await? == 1)
        })
    }

    fn list(&self, prefix: String, cursor: Option<String>, limit: u32) -> BoxFuture<'_, Result<Keys>> {
        Box::pin(async move {
            let end = end_of(&prefix).unwrap_or_else(|| char::MAX.to_string());
            let statement = self.on.sql(LIST).bind(prefix).bind(end).bind(cursor.unwrap_or_default());
            let keys: Vec<(String,)> =
                statement.bind(i64::from(limit) + 1).bind(self.clock.offset_us()).columns().await?;
            Ok(Keys::page(keys.into_iter().map(|(key,)| key).collect(), limit))
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.on.sql(SWEEP).bind(self.clock.offset_us()).bind(i64::from(limit)).execute().await })
    }

    fn within<'a>(&'a self, tx: &'a Tx) -> Option<Box<dyn KvStore + 'a>> {
        Some(Box::new(Postgres { on: On::tx(tx), clock: self.clock.clone() }))
    }

    fn joins_transactions(&self) -> bool {
        true
    }
}
