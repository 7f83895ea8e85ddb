//! Keys on Postgres.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{
    Begun, Call, KeyStore, Owner, Stored,
    store::{ATTEMPTS, Row},
};
use crate::{
    Error, Result,
    clock::{Clock, micros},
    db::{Db, Sql, Tx},
};

/// Keys on Postgres; every operation is one statement.
#[derive(Debug)]
pub struct Postgres {
    db: Db,
    clock: Clock,
    retention: Duration,
}

impl Postgres {
    /// Keeps keys in `db`, and answers for `retention`.
    pub fn new(db: Db, clock: Clock, retention: Duration) -> Self {
        Self { db, clock, retention }
    }
}

/// Takes key `$2` of scope `$1` for the owner `$4` and a lock of `$6` µs, or answers how it stands.
///
/// The second part sees the table as it was when the statement began. Where the key was taken or freed since, it could
/// show what is no longer so: it leaves such rows out, and the statement is run again.
const BEGIN: &str = "WITH begun AS (
    INSERT INTO idempotency_keys AS held
      (scope, idempotency_key, fingerprint, owner, state, locked_until, created_at, expires_at)
    SELECT $1, $2, $3, $4, 'running', now + $6 * INTERVAL '1 microsecond', now, now + $7 * INTERVAL '1 microsecond'
    FROM (SELECT statement_timestamp() + $5 * INTERVAL '1 microsecond' AS now) AS clock
    ON CONFLICT (scope, idempotency_key) DO UPDATE
    SET fingerprint = excluded.fingerprint, owner = excluded.owner, state = 'running',
      locked_until = excluded.locked_until, status = NULL, headers = NULL, body = NULL,
      created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE held.expires_at <= excluded.created_at
      OR (held.state = 'running' AND held.locked_until <= excluded.created_at AND held.fingerprint = excluded.fingerprint)
    RETURNING fingerprint, locked_until)
  SELECT fingerprint, 'mine' AS state, locked_until, NULL::int AS status, NULL::text AS headers, NULL::bytea AS body
  FROM begun
  UNION ALL
  SELECT fingerprint, state, locked_until, status, headers, CASE WHEN fingerprint = $3 THEN body END
  FROM idempotency_keys
  WHERE scope = $1 AND idempotency_key = $2 AND NOT EXISTS (SELECT FROM begun)
    AND expires_at > statement_timestamp() + $5 * INTERVAL '1 microsecond'
    AND (state = 'done' OR fingerprint <> $3
      OR locked_until > statement_timestamp() + $5 * INTERVAL '1 microsecond')
  ORDER BY state LIMIT 1";

/// Answers how key `$2` of scope `$1` stands for the call `$3`, unless it is free.
const LOOK: &str =
    "SELECT fingerprint, state, locked_until, status, headers, CASE WHEN fingerprint = $3 THEN body END AS body
  FROM idempotency_keys
  WHERE scope = $1 AND idempotency_key = $2
    AND expires_at > statement_timestamp() + $4 * INTERVAL '1 microsecond'
    AND (state = 'done' OR fingerprint <> $3
      OR locked_until > statement_timestamp() + $4 * INTERVAL '1 microsecond')
  ORDER BY state";

/// Keeps the answer for `$8` µs, if the owner `$3` still holds the key.
const FINISH: &str = "UPDATE idempotency_keys
  SET state = 'done', status = $4, headers = $5, body = $6,
    expires_at = statement_timestamp() + ($7 + $8) * INTERVAL '1 microsecond'
  WHERE scope = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'";

/// Gives the key back.
const ABANDON: &str =
    "DELETE FROM idempotency_keys WHERE scope = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'";

/// Moves the end of the lock to `$5` µs from now, and the end of the row to `$6` µs from now.
const EXTEND: &str = "UPDATE idempotency_keys
  SET locked_until = statement_timestamp() + ($4 + $5) * INTERVAL '1 microsecond',
    expires_at = statement_timestamp() + ($4 + $6) * INTERVAL '1 microsecond'
  WHERE scope = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'";

/// Deletes `$2` keys that have expired. The outer condition too: one may be taken anew in between.
const PRUNE: &str = "DELETE FROM idempotency_keys
  WHERE expires_at <= statement_timestamp() + $1 * INTERVAL '1 microsecond' AND (scope, idempotency_key) IN (
    SELECT scope, idempotency_key FROM idempotency_keys
    WHERE expires_at <= statement_timestamp() + $1 * INTERVAL '1 microsecond'
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

impl KeyStore for Postgres {
    fn begin<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Begun>> {
        Box::pin(async move {
            let owner = Owner::of(call);
            for _ in 0..ATTEMPTS {
                let row = self
                    .db
                    .sql(BEGIN)
                    .bind(&*call.scope)
                    .bind(call.key.as_str())
                    .bind(call.fingerprint.as_bytes().to_vec())
                    .bind(owner.token)
                    .bind(self.clock.offset_us())
                    .bind(micros(call.lock))
                    .bind(micros(call.lock.saturating_add(self.retention)))
                    .optional::<Row>()
                    .await?;
                if let Some(row) = row {
                    return row.into_begun(call, owner);
                }
            }
            Err(Error::unavailable("the idempotency key changes hands too often; try again", Duration::from_secs(1)))
        })
    }

    fn look<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<Begun>>> {
        Box::pin(async move {
            let row = self
                .db
                .sql(LOOK)
                .bind(&*call.scope)
                .bind(call.key.as_str())
                .bind(call.fingerprint.as_bytes().to_vec())
                .bind(self.clock.offset_us())
                .optional::<Row>()
                .await?;
            row.map(|row| row.into_begun(call, Owner::of(call))).transpose()
        })
    }

    fn finish<'a>(&'a self, owner: &'a Owner, answer: &'a Stored) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.keep(&self.db, owner, answer))
    }

    fn finish_in<'a>(&'a self, tx: &'a Tx, owner: &'a Owner, answer: &'a Stored) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.keep(tx.db(), owner, answer))
    }

    fn abandon<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let deleted =
                self.db.sql(ABANDON).bind(&*owner.scope).bind(owner.key.as_str()).bind(owner.token).execute().await?;
            Ok(deleted == 1)
        })
    }

    fn extend<'a>(&'a self, owner: &'a Owner, lock: Duration) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let extended = self
                .db
                .sql(EXTEND)
                .bind(&*owner.scope)
                .bind(owner.key.as_str())
                .bind(owner.token)
                .bind(self.clock.offset_us())
                .bind(micros(lock))
                .bind(micros(lock.saturating_add(self.retention)))
                .execute()
                .await?;
            Ok(extended == 1)
        })
    }

    fn prune(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.db.sql(PRUNE).bind(self.clock.offset_us()).bind(i64::from(limit)).execute().await })
    }
}

impl Postgres {
    async fn keep<C: sea_orm::ConnectionTrait>(&self, on: &C, owner: &Owner, answer: &Stored) -> Result<bool> {
        let kept = Sql::new(on, FINISH)
            .bind(&*owner.scope)
            .bind(owner.key.as_str())
            .bind(owner.token)
            .bind(i32::from(answer.status))
            .bind(serde_json::to_string(&answer.headers)?)
            .bind(answer.body.to_vec())
            .bind(self.clock.offset_us())
            .bind(micros(self.retention))
            .execute()
            .await?;
        Ok(kept == 1)
    }
}
