//! The table `session_revocations`.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Subject, keys_of, user_key};
use crate::{
    Error, Result,
    clock::Clock,
    db::{Db, DbBackend},
    session::token::Claims,
};

/// The longest that a sign-out is remembered.
const CENTURY: Duration = Duration::from_hours(24 * 365 * 100);

/// How many rows a sweep deletes with one statement.
const SWEPT_AT_ONCE: u64 = 1000;

/// Ends `$1` for `$3` microseconds. The epoch is the time, and in any case higher than before. The time is that of the database, which all
/// instances share, taken when the statement begins: what is written with it is there moments later.
const END_ON_POSTGRES: &str = "WITH now AS (SELECT statement_timestamp() + $2 * INTERVAL '1 microsecond' AS at)
    INSERT INTO session_revocations (subject, epoch, revoked_at, expires_at)
    SELECT $1, (EXTRACT(EPOCH FROM at) * 1000000)::bigint, at, at + $3 * INTERVAL '1 microsecond' FROM now
    ON CONFLICT (subject) DO UPDATE SET
      epoch = greatest(session_revocations.epoch + 1, excluded.epoch),
      revoked_at = greatest(session_revocations.revoked_at, excluded.revoked_at),
      expires_at = greatest(session_revocations.expires_at, excluded.expires_at)
    RETURNING epoch, revoked_at, expires_at";

/// Ends `$1`: the epoch, the time, and until when.
const END_ON_SQLITE: &str =
    "INSERT INTO session_revocations (subject, epoch, revoked_at, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (subject) DO UPDATE SET
      epoch = max(session_revocations.epoch + 1, excluded.epoch),
      revoked_at = max(session_revocations.revoked_at, excluded.revoked_at),
      expires_at = max(session_revocations.expires_at, excluded.expires_at)
    RETURNING epoch, revoked_at, expires_at";

const OF_BOTH: &str = "SELECT subject, epoch FROM session_revocations WHERE subject IN ($1, $2) AND expires_at > $3";

/// The epoch of `$1`, and the time that [`END_ON_POSTGRES`] would make one of, in microseconds.
const EPOCH_ON_POSTGRES: &str = "SELECT (SELECT epoch FROM session_revocations WHERE subject = $1),
    (EXTRACT(EPOCH FROM statement_timestamp() + $2 * INTERVAL '1 microsecond') * 1000000)::bigint";

const EPOCH: &str = "SELECT epoch FROM session_revocations WHERE subject = $1";

/// What was ended since `$1` and matters at `$2`, the last first.
const SINCE: &str = "SELECT subject, epoch, revoked_at, expires_at FROM session_revocations
    WHERE revoked_at >= $1 AND expires_at > $2 ORDER BY revoked_at DESC LIMIT $3";

const SWEEP: &str = "DELETE FROM session_revocations WHERE subject IN
    (SELECT subject FROM session_revocations WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000)";

/// What the database knows of sessions that were ended.
#[derive(Clone, Debug)]
pub struct SignOuts {
    db: Db,
    clock: Clock,
}

/// One row.
#[derive(Clone, Debug)]
pub(in crate::session) struct Row {
    pub(super) subject: Subject,
    pub(super) epoch: i64,
    pub(super) revoked_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

impl SignOuts {
    /// Keeps them in a database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) async fn end(&self, subject: &Subject, lasts: Duration) -> Result<Row> {
        // A century is for ever, and nothing that overflows.
        let lasts = lasts.min(CENTURY);
        let sql = if self.db.backend() == DbBackend::Postgres {
            let micros = i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX);
            self.db.sql(END_ON_POSTGRES).bind(subject.key()).bind(self.clock.offset_us()).bind(micros)
        } else {
            let (now, until) = (self.clock.now(), self.clock.after(lasts));
            self.db.sql(END_ON_SQLITE).bind(subject.key()).bind(now.timestamp_micros()).bind(now).bind(until)
        };
        let rows: Vec<(i64, DateTime<Utc>, DateTime<Utc>)> = sql.columns().await?;
        let (epoch, revoked_at, expires_at) =
            rows.into_iter().next().ok_or_else(|| Error::internal("a sign-out answered no row"))?;
        Ok(Row { subject: subject.clone(), epoch, revoked_at, expires_at })
    }

    pub(super) async fn has_ended(&self, claims: &Claims) -> Result<bool> {
        let (session, epoch) = self.of(claims).await?;
        Ok(session.is_some() || epoch > claims.epoch)
    }

    /// Returns the epochs of a token's session, where it has ended, and of its user.
    pub(super) async fn of(&self, claims: &Claims) -> Result<(Option<i64>, i64)> {
        let [session, user] = keys_of(claims);
        let sql = self.db.sql(OF_BOTH).bind(session.clone()).bind(user).bind(self.clock.now());
        let rows: Vec<(String, i64)> = sql.columns().await?;
        let mut found = (None, 0);
        for (subject, epoch) in rows {
            if subject == session { found.0 = Some(epoch) } else { found.1 = epoch }
        }
        Ok(found)
    }

    /// Returns the epoch of a user, and the one that they would have if all of their sessions were ended now: the time.
    pub(super) async fn epoch(&self, tenant: Option<&str>, user: &str) -> Result<(i64, i64)> {
        let key = user_key(tenant, user);
        if self.db.backend() == DbBackend::Postgres {
            let sql = self.db.sql(EPOCH_ON_POSTGRES).bind(key).bind(self.clock.offset_us());
            let rows: Vec<(Option<i64>, i64)> = sql.columns().await?;
            let row = rows.into_iter().next().ok_or_else(|| Error::internal("an epoch answered no row"))?;
            return Ok((row.0.unwrap_or(0), row.1));
        }
        let rows: Vec<(i64,)> = self.db.sql(EPOCH).bind(key).columns().await?;
        Ok((rows.first().map_or(0, |(epoch,)| *epoch), self.clock.now().timestamp_micros()))
    }

    pub(super) async fn since(&self, since: DateTime<Utc>, limit: usize) -> Result<Vec<Row>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = self.db.sql(SINCE).bind(since).bind(self.clock.now()).bind(limit);
        let rows: Vec<(String, i64, DateTime<Utc>, DateTime<Utc>)> = sql.columns().await?;
        let row = |(subject, epoch, revoked_at, expires_at): (String, _, _, _)| {
            Subject::read(&subject).map(|subject| Row { subject, epoch, revoked_at, expires_at })
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }

    pub(super) async fn sweep(&self) -> Result<()> {
        while self.db.sql(SWEEP).bind(self.clock.now()).execute().await? == SWEPT_AT_ONCE {}
        Ok(())
    }
}
