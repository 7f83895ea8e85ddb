//! The table `session_revocations`.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Subject, session_key, user_key};
use crate::{
    Error, Result,
    clock::Clock,
    db::{Db, DbBackend},
    session::token::Claims,
};

/// How many rows a sweep deletes with one statement.
const SWEPT_AT_ONCE: u64 = 1000;

/// Ends `$1` until `$3`. The epoch is the time, and in any case higher than before: two instances may have two clocks.
const END: &str = "INSERT INTO session_revocations (subject, epoch, revoked_at, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (subject) DO UPDATE SET
      epoch = CASE WHEN session_revocations.epoch < excluded.epoch THEN excluded.epoch ELSE session_revocations.epoch + 1 END,
      revoked_at = CASE WHEN session_revocations.revoked_at < excluded.revoked_at
        THEN excluded.revoked_at ELSE session_revocations.revoked_at END,
      expires_at = CASE WHEN session_revocations.expires_at < excluded.expires_at
        THEN excluded.expires_at ELSE session_revocations.expires_at END
    RETURNING epoch, revoked_at, expires_at";

/// The time of the database that all instances share.
const NOW: &str = "SELECT statement_timestamp() + $1 * INTERVAL '1 microsecond'";

const OF_BOTH: &str = "SELECT subject, epoch FROM session_revocations WHERE subject IN ($1, $2) AND expires_at > $3";

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
        let now = self.now().await?;
        let until = chrono::TimeDelta::from_std(lasts).ok().and_then(|lasts| now.checked_add_signed(lasts));
        let until = until.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let sql = self.db.sql(END).bind(subject.key()).bind(now.timestamp_micros()).bind(now).bind(until);
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
        let session = session_key(claims.session);
        let sql = self.db.sql(OF_BOTH).bind(session.clone()).bind(user_key(&claims.user)).bind(self.clock.now());
        let rows: Vec<(String, i64)> = sql.columns().await?;
        let mut found = (None, 0);
        for (subject, epoch) in rows {
            if subject == session { found.0 = Some(epoch) } else { found.1 = epoch }
        }
        Ok(found)
    }

    pub(super) async fn epoch(&self, user: &str) -> Result<i64> {
        let rows: Vec<(i64,)> = self.db.sql(EPOCH).bind(user_key(user)).columns().await?;
        Ok(rows.first().map_or(0, |(epoch,)| *epoch))
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

    /// Returns the time by the clock that all instances share.
    async fn now(&self) -> Result<DateTime<Utc>> {
        match self.db.backend() {
            DbBackend::Postgres => self.db.sql(NOW).bind(self.clock.offset_us()).scalar().await,
            _ => Ok(self.clock.now()),
        }
    }
}
