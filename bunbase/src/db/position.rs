//! How far a Postgres server has come.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Db;

/// Past all that has been committed. What was flushed is, unless commits do not wait for that; what was inserted besides may reach a
/// replica only seconds later.
const NOW: &str = "SELECT (CASE WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn()
        ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint AS position";

/// A place in the log of a Postgres server (LSN), which only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

impl Position {
    /// One that no server comes to.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

impl Db {
    /// Returns how far the primary has come: a replica that has replayed so much has all that is committed by now.
    ///
    /// # Errors
    /// Those of the database, which may have become a standby.
    pub(crate) async fn position(&self) -> Result<Position, DbErr> {
        let question = Statement::from_string(DbBackend::Postgres, NOW);
        let row = self.query_one_raw(question).await?;
        let bytes = row.map(|row| row.try_get::<i64>("", "position")).transpose()?;
        Ok(bytes.map_or(Position::NEVER, |bytes| Position(bytes.max(0).unsigned_abs())))
    }
}
