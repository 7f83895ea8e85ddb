//! Keys on SQLite.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
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

/// Keys on SQLite.
///
/// It looks before it takes: a call whose key another holds needs only a reader, and does not wait for the one writer,
/// which the other's transaction may have.
#[derive(Debug)]
pub struct Sqlite {
    db: Db,
    clock: Clock,
    retention: Duration,
}

impl Sqlite {
    /// Keeps keys in `db`, and answers for `retention`.
    pub fn new(db: Db, clock: Clock, retention: Duration) -> Self {
        Self { db, clock, retention }
    }
}

/// Answers how key `$2` of scope `$1` stands for the call `$3` at the time `$4`, unless it is free.
const LOOK: &str =
    "SELECT fingerprint, state, locked_until, status, headers, CASE WHEN fingerprint = $3 THEN body END AS body
  FROM idempotency_keys
  WHERE scope = $1 AND idempotency_key = $2 AND expires_at > $4
    AND (state = 'done' OR fingerprint <> $3 OR locked_until > $4)
  ORDER BY state";

/// Takes key `$2` of scope `$1` for the owner `$4` at the time `$6`, if it is free.
const TAKE: &str = "INSERT INTO idempotency_keys AS held
    (scope, idempotency_key, fingerprint, owner, state, locked_until, created_at, expires_at)
  VALUES ($1, $2, $3, $4, 'running', $5, $6, $7)
  ON CONFLICT (scope, idempotency_key) DO UPDATE
  SET fingerprint = excluded.fingerprint, owner = excluded.owner, state = 'running',
    locked_until = excluded.locked_until, status = NULL, headers = NULL, body = NULL,
    created_at = excluded.created_at, expires_at = excluded.expires_at
  WHERE held.expires_at <= excluded.created_at
    OR (held.state = 'running' AND held.locked_until <= excluded.created_at AND held.fingerprint = excluded.fingerprint)";

/// Keeps the answer until `$7`, if the owner `$3` still holds the key.
const FINISH: &str = "UPDATE idempotency_keys
  SET state = 'done', status = $4, headers = $5, body = $6, expires_at = $7
  WHERE scope = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'";

/// Gives the key back.
const ABANDON: &str =
    "DELETE FROM idempotency_keys WHERE scope = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'";

/// Moves the end of the lock to `$4`, and the end of the row to `$5`.
const EXTEND: &str = "UPDATE idempotency_keys SET locked_until = $4, expires_at = $5
  WHERE scope = $1 AND idempotency_key = $2 AND owner = $3 AND state = 'running'";

/// Deletes `$2` keys that have expired at `$1`.
const PRUNE: &str = "DELETE FROM idempotency_keys WHERE (scope, idempotency_key) IN (
    SELECT scope, idempotency_key FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

impl Sqlite {
    fn after(&self, span: Duration) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::microseconds(micros(span))
    }

    async fn keep<C: sea_orm::ConnectionTrait>(&self, on: &C, owner: &Owner, answer: &Stored) -> Result<bool> {
        let kept = Sql::new(on, FINISH)
            .bind(&*owner.scope)
            .bind(owner.key.as_str())
            .bind(owner.token)
            .bind(i32::from(answer.status))
            .bind(serde_json::to_string(&answer.headers)?)
            .bind(answer.body.to_vec())
            .bind(self.after(self.retention))
            .execute()
            .await?;
        Ok(kept == 1)
    }
}

impl KeyStore for Sqlite {
    fn begin<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Begun>> {
        Box::pin(async move {
            let owner = Owner::of(call);
            for _ in 0..ATTEMPTS {
                if let Some(begun) = self.look(call).await? {
                    return Ok(begun);
                }
                let taken = self
                    .db
                    .sql(TAKE)
                    .bind(&*call.scope)
                    .bind(call.key.as_str())
                    .bind(call.fingerprint.as_bytes().to_vec())
                    .bind(owner.token)
                    .bind(self.after(call.lock))
                    .bind(self.clock.now())
                    .bind(self.after(call.lock.saturating_add(self.retention)))
                    .execute()
                    .await?;
                if taken == 1 {
                    return Ok(Begun::Mine(owner));
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
                .bind(self.clock.now())
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
                .bind(self.after(lock))
                .bind(self.after(lock.saturating_add(self.retention)))
                .execute()
                .await?;
            Ok(extended == 1)
        })
    }

    fn prune(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.db.sql(PRUNE).bind(self.clock.now()).bind(i64::from(limit)).execute().await })
    }
}
