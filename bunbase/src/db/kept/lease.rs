//! One connection for one statement.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{
    DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement, Values,
    sqlx::{
        self, AssertSqlSafe, Connection, Executor, PgConnection, Postgres,
        postgres::{PgDatabaseError, PgSeverity},
        query::Query,
    },
};
use sea_query_sqlx::SqlxValues;
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit};

use super::{Held, Kept};

/// How long the server may go on with a statement that nobody waits for, before its connection is closed anyway. Until then it counts
/// as one of `max_connections`, which it still is for the server.
const ABANDON: Duration = Duration::from_secs(5);

/// A connection from [`Kept::take`], for as long as one statement takes.
///
/// Dropped before it was told how the statement ended, it closes the connection, which may be in the middle of anything.
pub(in crate::db) struct Lease {
    kept: Arc<Kept>,
    held: Option<Held>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub(super) fn new(kept: Arc<Kept>, held: Held, permit: OwnedSemaphorePermit) -> Self {
        Self { kept, held: Some(held), permit: Some(permit) }
    }

    /// Runs a statement that answers no rows.
    pub(in crate::db) async fn execute(mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let result = prepared(statement).execute(self.connection()?).await;
        self.end(result).map(Into::into).map_err(|source| DbErr::Exec(RuntimeErr::SqlxError(source.into())))
    }

    /// Runs statements as they are, without preparing them.
    pub(in crate::db) async fn execute_unprepared(mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let result = self.connection()?.execute(AssertSqlSafe(sql.to_owned())).await;
        self.end(result).map(Into::into).map_err(|source| DbErr::Exec(RuntimeErr::SqlxError(source.into())))
    }

    /// Returns the first row, if there is one.
    pub(in crate::db) async fn query_one(mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let result = prepared(statement).fetch_optional(self.connection()?).await;
        let row = self.end(result).map_err(|source| DbErr::Query(RuntimeErr::SqlxError(source.into())))?;
        Ok(row.map(Into::into))
    }

    /// Returns all rows.
    pub(in crate::db) async fn query_all(mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let result = prepared(statement).fetch_all(self.connection()?).await;
        let rows = self.end(result).map_err(|source| DbErr::Query(RuntimeErr::SqlxError(source.into())))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Returns the connection, for what is not one of the above; [`end`](Self::end) must be told what came of it.
    pub(in crate::db) fn connection(&mut self) -> Result<&mut PgConnection, DbErr> {
        match &mut self.held {
            Some(held) => Ok(held.connection()),
            None => Err(DbErr::Conn(RuntimeErr::Internal("the connection was given back already".to_owned()))),
        }
    }

    /// Gives the connection back, or closes it when the result says that it is broken.
    pub(in crate::db) fn end<T>(mut self, result: Result<T, SqlxError>) -> Result<T, SqlxError> {
        match (&result, self.held.take()) {
            (Err(error), Some(held)) if breaks(error) => {
                self.kept.shelf().doubt(Instant::now());
                self.kept.discard(held);
            }
            (_, Some(held)) => self.kept.put_back(held),
            (_, None) => {}
        }
        result
    }

    /// Returns whether the server answers.
    pub(super) async fn answers_within(&mut self, limit: Duration) -> bool {
        let Some(held) = &mut self.held else { return false };
        matches!(tokio::time::timeout(limit, held.connection().ping()).await, Ok(Ok(())))
    }

    /// Closes the connection and keeps the permit.
    pub(super) fn lose(mut self) -> Option<OwnedSemaphorePermit> {
        if let Some(held) = self.held.take() {
            self.kept.shelf().doubt(Instant::now());
            self.kept.discard(held);
        }
        self.permit.take()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The permit goes last: whoever has it next finds what was put back.
        let Some(mut held) = self.held.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            held.cut();
            return;
        };
        let (kept, permit) = (self.kept.clone(), self.permit.take());
        runtime.spawn(async move {
            let _ = tokio::time::timeout(ABANDON, held.connection().ping()).await;
            let _ = tokio::time::timeout(ABANDON, held.close()).await;
            kept.lost.notify_one();
            drop(permit);
        });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("held", &self.held).finish_non_exhaustive()
    }
}

fn prepared<'q>(statement: Statement) -> Query<'q, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

/// Returns whether a connection is of no use after an error: anything but the server's word on a statement.
pub(super) fn breaks(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(source) => source
            .try_downcast_ref::<PgDatabaseError>()
            .is_none_or(|source| matches!(source.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
        SqlxError::RowNotFound => false,
        _ => true,
    }
}
