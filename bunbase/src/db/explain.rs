//! The plan of a statement that was slow.

use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, TransactionTrait, Values,
};
use tracing::Instrument;

use super::{
    connection::{FORGET, end},
    kept::Kept,
    scan,
    watch::{Run, tell_plan},
};

/// Where a plan is asked for: beside the run that the statement belongs to, never in its transaction.
pub(super) enum Planner {
    Postgres(Arc<Kept>),
    Plain(DatabaseConnection),
}

/// Logs the plan of a statement that plainly reads, in a task of its own. The statement is planned with its values, not run.
pub(super) fn explain(planner: Planner, sql: &str, values: Option<Values>, run: Option<&Run>) {
    if !scan::plainly_reads(sql) {
        return;
    }
    let (sql, run) = (sql.to_owned(), run.cloned());
    let asking = async move {
        match planner.plan(&sql, values).await {
            Ok(plan) => tell_plan(&sql, run.as_ref(), &plan),
            Err(error) => tracing::debug!(target: "bunbase::db", %error, "a slow statement cannot be explained"),
        }
    };
    tokio::spawn(asking.in_current_span());
}

impl Planner {
    async fn plan(&self, sql: &str, values: Option<Values>) -> Result<String, DbErr> {
        let (backend, keyword) = match self {
            Self::Plain(connection) if connection.get_database_backend() == DbBackend::Sqlite => {
                (DbBackend::Sqlite, "EXPLAIN QUERY PLAN")
            }
            Self::Postgres(_) | Self::Plain(_) => (DbBackend::Postgres, "EXPLAIN"),
        };
        let statement = Statement { sql: format!("{keyword} {sql}"), values, db_backend: backend };
        let rows = match self {
            Self::Postgres(kept) => kept.take().await?.rows(statement).await?,
            Self::Plain(connection) if backend == DbBackend::Sqlite => connection.query_all_raw(statement).await?,
            // Behind PgBouncer only a transaction keeps its parts in one session.
            Self::Plain(connection) => {
                let transaction = connection.begin().await?;
                transaction.execute_unprepared(FORGET).await?;
                let rows = transaction.query_all_raw(statement).await;
                end(transaction, rows).await?
            }
        };
        let line = |row: &QueryResult| match backend {
            DbBackend::Sqlite => row.try_get::<String>("", "detail"),
            _ => row.try_get_by_index(0),
        };
        Ok(rows.iter().map(line).collect::<Result<Vec<_>, _>>()?.join("\n"))
    }
}
