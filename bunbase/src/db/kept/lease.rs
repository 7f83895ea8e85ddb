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

use super::{Held, Kept, Planner, Run, Seen, explain};

/// How long the server may go on with a statement that nobody waits for, before its connection is closed anyway. Until then it counts
/// as one of `max_connections`, which it still is for the server.
const ABANDON: Duration = Duration::from_secs(5);

/// A connection from [`Kept::take`], for as long as one statement takes.
///
/// Dropped before it was told how the statement ended, it closes the connection, which may be in the middle of anything.
pub(crate) struct Lease {
    kept: Arc<Kept>,
    held: Option<Held>,
    permit: Option<OwnedSemaphorePermit>,
    started: Instant,
}

impl Lease {
    /// `started` is now, or when the connection was asked for and was there at once.
    pub(super) fn new(kept: Arc<Kept>, held: Held, permit: OwnedSemaphorePermit, started: Instant) -> Self {
        Self { kept, held: Some(held), permit: Some(permit), started }
    }

    /// Runs a statement that answers no rows.
    pub(in crate::db) async fn execute(mut self, statement: Statement, run: Option<&Run>) -> Result<ExecResult, DbErr> {
        let (text, query) = Text::of(statement, &self.kept);
        let result = query.execute(self.connection()?).await;
        let rows = result.as_ref().ok().map(sqlx::postgres::PgQueryResult::rows_affected);
        self.end_of(result, text, rows, run).map(Into::into).map_err(exec_error)
    }

    /// Runs statements as they are, without preparing them.
    pub(in crate::db) async fn execute_unprepared(mut self, sql: &str, run: Option<&Run>) -> Result<ExecResult, DbErr> {
        let text = Text { sql: Arc::new(sql.to_owned()), values: None };
        let result = self.connection()?.execute(AssertSqlSafe(text.sql.clone())).await;
        let rows = result.as_ref().ok().map(sqlx::postgres::PgQueryResult::rows_affected);
        self.end_of(result, text, rows, run).map(Into::into).map_err(exec_error)
    }

    /// Returns the first row, if there is one.
    pub(in crate::db) async fn query_one(
        mut self,
        statement: Statement,
        run: Option<&Run>,
    ) -> Result<Option<QueryResult>, DbErr> {
        let (text, query) = Text::of(statement, &self.kept);
        let result = query.fetch_optional(self.connection()?).await;
        let rows = result.as_ref().ok().map(|row| u64::from(row.is_some()));
        Ok(self.end_of(result, text, rows, run).map_err(query_error)?.map(Into::into))
    }

    /// Returns all rows.
    pub(in crate::db) async fn query_all(
        mut self,
        statement: Statement,
        run: Option<&Run>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let (text, query) = Text::of(statement, &self.kept);
        let result = query.fetch_all(self.connection()?).await;
        let rows = result.as_ref().ok().map(|rows| rows.len() as u64);
        Ok(self.end_of(result, text, rows, run).map_err(query_error)?.into_iter().map(Into::into).collect())
    }

    /// As [`query_all`](Self::query_all), for a statement that is not watched.
    pub(in crate::db) async fn rows(mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let values = statement.values.unwrap_or(Values(Vec::new()));
        let query = sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values));
        let result = query.fetch_all(self.connection()?).await;
        Ok(self.end(result).map_err(query_error)?.into_iter().map(Into::into).collect())
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Has the statement begin now.
    pub(super) fn restart(&mut self) {
        self.started = Instant::now();
    }

    /// Returns the connection, for what is not one of the above; [`end`](Self::end) must be told what came of it.
    pub(in crate::db) fn connection(&mut self) -> Result<&mut PgConnection, DbErr> {
        match &mut self.held {
            Some(held) => Ok(held.connection()),
            None => Err(DbErr::Conn(RuntimeErr::Internal("the connection was given back already".to_owned()))),
        }
    }

    /// Gives the connection back, or closes it when the result says that it is broken.
    pub(in crate::db) fn end<T>(self, result: Result<T, SqlxError>) -> Result<T, SqlxError> {
        self.end_at(result, Instant::now())
    }

    fn end_at<T>(mut self, result: Result<T, SqlxError>, now: Instant) -> Result<T, SqlxError> {
        match (&result, self.held.take()) {
            (Err(error), Some(held)) if breaks(error) => {
                self.kept.shelf().doubt(now);
                self.kept.discard(held);
            }
            (_, Some(held)) => self.kept.put_back(held, now),
            (_, None) => {}
        }
        result
    }

    /// As [`end`](Self::end), for a statement that is watched.
    fn end_of<T>(
        self,
        result: Result<T, SqlxError>,
        text: Text,
        rows: Option<u64>,
        run: Option<&Run>,
    ) -> Result<T, SqlxError> {
        let (now, kept) = (Instant::now(), &self.kept);
        let took = now.saturating_duration_since(self.started);
        let failed = result.is_err();
        let is_slow = kept.watch.note(&Seen { sql: &text.sql, server: kept.server, took, rows, run, failed });
        if is_slow && kept.watch.explains() {
            explain(Planner::Postgres(kept.clone()), &text.sql, text.values, run);
        }
        self.end_at(result, now)
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

/// What is still known of a statement once it has ended.
struct Text {
    sql: Arc<String>,
    /// Where it may be explained.
    values: Option<Values>,
}

impl Text {
    fn of<'q>(statement: Statement, kept: &Kept) -> (Self, Query<'q, Postgres, SqlxValues>) {
        let sql = Arc::new(statement.sql);
        let values = kept.watch.explains().then(|| statement.values.clone()).flatten();
        let query =
            sqlx::query_with(AssertSqlSafe(sql.clone()), SqlxValues(statement.values.unwrap_or(Values(Vec::new()))));
        (Self { sql, values }, query)
    }
}

fn exec_error(source: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(source.into()))
}

fn query_error(source: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(source.into()))
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
