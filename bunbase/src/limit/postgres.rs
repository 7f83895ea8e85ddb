//! Rate limits on Postgres.

use futures_util::future::BoxFuture;

use super::{Algorithm, Rule, Taken, rule::State, store::LimitStore};
use crate::{
    Result,
    clock::{Clock, some_micros},
    db::{Db, FromQueryResult, sea_orm},
};

/// Counts in the table `rate_limits`; each call is one statement, so it works behind a proxy that pools transactions.
///
/// The table is unlogged: after a crash of the server, and on one that took its place, counting begins anew.
#[derive(Debug)]
pub struct Postgres {
    db: Db,
    clock: Clock,
}

impl Postgres {
    /// Counts in `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

/// Counts a call of key `$1` in a window: `$4` ms is a part, `$5` the limit. `$2` µs is how far the clock is ahead, `$3` µs how long the
/// row says anything. Where the row is there, its parts move on by as many as have passed. Nothing is written for a call that
/// is refused.
///
/// No row is the answer when a row was made by another call since this statement began, and refuses this one.
const WINDOW: &str = "WITH now AS (
    SELECT statement_timestamp() + $2 * INTERVAL '1 microsecond' AS at,
      floor(extract(epoch FROM statement_timestamp()) * 1000 + $2 / 1000.0)::BIGINT AS ms),
  counted AS (
    INSERT INTO rate_limits AS held (key, at, counts, expires_at)
    SELECT $1, ms / $4, ARRAY[1::BIGINT] || array_fill(0::BIGINT, ARRAY[16]), now.at + $3 * INTERVAL '1 microsecond' FROM now
    ON CONFLICT (key) DO UPDATE
    SET at = GREATEST(held.at, excluded.at), expires_at = excluded.expires_at,
      counts = (SELECT array_agg(CASE WHEN i = 1 THEN n + 1 ELSE n END ORDER BY i) FROM unnest(
        array_fill(0::BIGINT, ARRAY[LEAST(GREATEST(excluded.at - held.at, 0), 17)::INT])
        || held.counts[1:17 - LEAST(GREATEST(excluded.at - held.at, 0), 17)::INT]) WITH ORDINALITY AS part (n, i))
    WHERE (SELECT COALESCE(sum(n), 0)
      FROM unnest(held.counts[1:17 - LEAST(GREATEST(excluded.at - held.at, 0), 17)::INT]) AS part (n)) < $5
    RETURNING held.at, held.counts)
  SELECT TRUE AS is_allowed, counted.at, array_to_string(counted.counts, ',') AS counts, ms FROM counted, now
  UNION ALL
  SELECT FALSE, held.at, array_to_string(held.counts, ','), ms FROM rate_limits AS held, now
  WHERE held.key = $1 AND NOT EXISTS (SELECT FROM counted)";

/// Takes a token of `$4` units from the bucket of key `$1` that has room for `$5` of them and gets `$6` back in a millisecond. Otherwise as
/// [`WINDOW`].
const BUCKET: &str = "WITH now AS (
    SELECT statement_timestamp() + $2 * INTERVAL '1 microsecond' AS at,
      floor(extract(epoch FROM statement_timestamp()) * 1000 + $2 / 1000.0)::BIGINT AS ms),
  counted AS (
    INSERT INTO rate_limits AS held (key, at, counts, expires_at)
    SELECT $1, ms, ARRAY[$4::BIGINT], now.at + $3 * INTERVAL '1 microsecond' FROM now
    ON CONFLICT (key) DO UPDATE
    SET at = GREATEST(held.at, excluded.at), expires_at = excluded.expires_at,
      counts = ARRAY[GREATEST(held.counts[1] - $6 * GREATEST(excluded.at - held.at, 0), 0) + $4]
    WHERE GREATEST(held.counts[1] - $6 * GREATEST(excluded.at - held.at, 0), 0) + $4 <= $5
    RETURNING held.at, held.counts)
  SELECT TRUE AS is_allowed, counted.at, array_to_string(counted.counts, ',') AS counts, ms FROM counted, now
  UNION ALL
  SELECT FALSE, held.at, array_to_string(held.counts, ','), ms FROM rate_limits AS held, now
  WHERE held.key = $1 AND NOT EXISTS (SELECT FROM counted)";

/// Looks at key `$1`.
const LOOK: &str = "SELECT FALSE AS is_allowed, at, array_to_string(counts, ',') AS counts,
    floor(extract(epoch FROM statement_timestamp()) * 1000 + $2 / 1000.0)::BIGINT AS ms
  FROM rate_limits WHERE key = $1 ORDER BY key";

/// The outer condition too: one may be counted in between.
const SWEEP: &str = "DELETE FROM rate_limits
  WHERE expires_at <= statement_timestamp() + $1 * INTERVAL '1 microsecond' AND key IN (
    SELECT key FROM rate_limits WHERE expires_at <= statement_timestamp() + $1 * INTERVAL '1 microsecond'
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[derive(FromQueryResult)]
struct Row {
    is_allowed: bool,
    at: i64,
    counts: String,
    ms: i64,
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl LimitStore for Postgres {
    fn take(&self, key: String, rule: Rule) -> BoxFuture<'_, Result<Taken>> {
        Box::pin(async move {
            let ahead_us = self.clock.offset_us();
            let statement = match rule.algorithm() {
                Algorithm::Window => self.db.sql(WINDOW),
                Algorithm::Bucket { .. } => self.db.sql(BUCKET),
            };
            let statement = statement.bind(&*key).bind(ahead_us).bind(some_micros(rule.kept()));
            let statement = match rule.algorithm() {
                Algorithm::Window => statement.bind(signed(rule.part_ms())).bind(i64::from(rule.limit())),
                Algorithm::Bucket { capacity } => {
                    let statement = statement.bind(signed(rule.token())).bind(signed(rule.room(capacity)));
                    statement.bind(i64::from(rule.limit()))
                }
            };
            let row = match statement.optional::<Row>().await? {
                Some(row) => Some(row),
                None => self.db.sql(LOOK).bind(&*key).bind(ahead_us).optional().await?,
            };
            // A row that is gone again was swept: whoever comes again is let through.
            let Some(Row { is_allowed, at, counts, ms }) = row else {
                return Ok(rule.taken(false, &rule.at(None, 0), 0));
            };
            let state = State::counts(&counts).map(|counts| State { at, counts });
            Ok(rule.taken(is_allowed, &rule.at(state, ms), ms))
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.db.sql(SWEEP).bind(self.clock.offset_us()).bind(i64::from(limit)).execute().await })
    }
}
