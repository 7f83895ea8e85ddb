//! SeaORM's traits on [`Db`]: which connection a statement goes to.

use std::{fmt, future::Future, pin::Pin, time::Instant};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, SqliteTransactionMode, Statement, TransactionError, TransactionOptions, TransactionTrait, Values,
};
use sea_orm_migration::async_trait::async_trait;
use tracing::Instrument;

use super::{
    All, Ask, Db, Effect, First,
    explain::{Planner, explain},
    kept::did_not_begin,
    scan,
    watch::{Run, Seen, Server},
};

/// Behind PgBouncer a session may have statements that another process prepared, under the names that this one is about to use.
pub(super) const FORGET: &str = "DEALLOCATE ALL";

impl Db {
    fn for_query(&self, sql: &str) -> &DatabaseConnection {
        match self.readers() {
            Some(readers) if scan::plainly_reads(sql) => readers,
            _ => self.primary(),
        }
    }
}

impl Db {
    /// Asks in a transaction for this one statement, which cannot do without.
    async fn ask_in_one<A: Ask>(&self, statement: Statement) -> Result<A::Answer, DbErr> {
        // Whoever asks watches the statement.
        let transaction = self.begin_on(self.primary().clone(), TransactionOptions::default()).await?;
        let result = A::on(&transaction, statement).await;
        end(transaction, result).await
    }
}

/// Ends the transaction of one statement as the statement ended.
pub(super) async fn end<T>(transaction: DatabaseTransaction, result: Result<T, DbErr>) -> Result<T, DbErr> {
    match result {
        Ok(value) => transaction.commit().await.map(|()| value),
        Err(error) => {
            // The statement's error says more than that of a rollback.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// A statement on a connection that nothing else watches.
struct Watched<'a> {
    db: &'a Db,
    sql: String,
    /// Where it may be explained.
    values: Option<Values>,
    started: Instant,
}

impl<'a> Watched<'a> {
    /// Nothing, where nobody wants to know.
    fn begin(db: &'a Db, sql: &str, values: Option<&Values>, run: Option<&Run>) -> Option<Self> {
        if db.watch().is_blind() && run.is_none() {
            return None;
        }
        let values = values.filter(|_| db.watch().explains()).cloned();
        Some(Self { db, sql: sql.to_owned(), values, started: Instant::now() })
    }

    fn end<T>(this: Option<Self>, result: &Result<T, DbErr>, rows: impl Fn(&T) -> u64, run: Option<&Run>) {
        let Some(Self { db, sql, values, started }) = this else { return };
        let (rows, failed, took) = (result.as_ref().ok().map(rows), result.is_err(), started.elapsed());
        let seen = Seen { sql: &sql, server: Server::Primary, took, rows, run, failed };
        if db.watch().note(&seen) && db.watch().explains() {
            explain(Planner::Plain(db.for_query(&sql).clone()), &sql, values, run);
        }
    }
}

/// The statements of a run, or of nobody's.
impl Db {
    /// Asks what a statement says, of whoever may answer it.
    pub(crate) async fn ask<A: Ask>(&self, run: Option<&Run>, statement: Statement) -> Result<A::Answer, DbErr> {
        let result = if let Some(kept) = self.kept() {
            match kept.take().await {
                Ok(lease) => A::of(lease, statement, run).await,
                Err(source) => Err(source),
            }
        } else {
            let watched = Watched::begin(self, &statement.sql, statement.values.as_ref(), run);
            let result = if self.pools_transactions() {
                Box::pin(self.ask_in_one::<A>(statement)).await
            } else if A::IS_QUERY {
                A::on(self.for_query(&statement.sql), statement).await
            } else {
                A::on(self.primary(), statement).await
            };
            Watched::end(watched, &result, A::rows, run);
            result
        };
        result.map_err(|source| self.explain(source))
    }

    pub(crate) async fn execute_unprepared_for(&self, run: Option<&Run>, sql: &str) -> Result<ExecResult, DbErr> {
        let result = if let Some(kept) = self.kept() {
            match kept.take().await {
                Ok(lease) => lease.execute_unprepared(sql, run).await,
                Err(source) => Err(source),
            }
        } else {
            let watched = Watched::begin(self, sql, None, run);
            let result = self.primary().execute_unprepared(sql).await;
            Watched::end(watched, &result, ExecResult::rows_affected, run);
            result
        };
        result.map_err(|source| self.explain(source))
    }

    /// Begins a transaction whose statements are those of a run, or of nobody's.
    ///
    /// On SQLite it begins IMMEDIATE unless the options say otherwise: one that reads before it writes would fail with "database is locked"
    /// when another wrote in between. Isolation and access mode are Postgres's.
    pub(super) async fn begin_for(
        &self,
        run: Option<Run>,
        mut options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        if self.backend() == DbBackend::Sqlite {
            options.sqlite_transaction_mode.get_or_insert(SqliteTransactionMode::Immediate);
            options.isolation_level = None;
            options.access_mode = None;
        }
        if let Some(kept) = self.kept() {
            return kept.begin(options, run).await.map_err(|source| self.explain(source));
        }
        let mut connection = self.primary().clone();
        let watch = self.watch().clone();
        if run.is_some() || !watch.is_blind() {
            let beside = self.readers().or_else(|| self.pools_transactions().then(|| self.primary()));
            let planner = beside.filter(|_| watch.explains()).cloned();
            connection.set_metric_callback(move |info| {
                let (sql, run) = (info.statement.sql.as_str(), run.as_ref());
                let (took, failed) = (info.elapsed, info.failed);
                let seen = Seen { sql, server: Server::Primary, took, rows: None, run, failed };
                if watch.note(&seen)
                    && let Some(planner) = &planner
                {
                    explain(Planner::Plain(planner.clone()), sql, info.statement.values.clone(), run);
                }
            });
        }
        self.begin_on(connection, options).await
    }

    async fn begin_on(
        &self,
        connection: DatabaseConnection,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        // In a task of its own, so that it ends although the caller goes away: a BEGIN that was sent and then forgotten
        // would leave the connection in a transaction that nobody knows of, and the next user's writes would be lost.
        let forgets = self.pools_transactions();
        let beginning = async move {
            let transaction = connection.begin_with_options(options).await?;
            if forgets {
                transaction.execute_unprepared(FORGET).await?;
            }
            Ok(transaction)
        };
        let begun = tokio::spawn(beginning.in_current_span());
        match begun.await {
            Ok(result) => result.map_err(|source| self.explain(source)),
            Err(stopped) => Err(did_not_begin(&stopped)),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Db {
    fn get_database_backend(&self) -> DbBackend {
        self.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.ask::<Effect>(None, statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_unprepared_for(None, sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.ask::<First>(None, statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.ask::<All>(None, statement).await
    }
}

#[async_trait]
impl TransactionTrait for Db {
    type Transaction = DatabaseTransaction;

    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.begin_with_options(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<DatabaseTransaction, DbErr> {
        self.begin_with_options(TransactionOptions { isolation_level, access_mode, ..TransactionOptions::default() })
            .await
    }

    /// On SQLite a transaction begins IMMEDIATE unless the options say otherwise; isolation and access mode are Postgres's.
    async fn begin_with_options(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        self.begin_for(None, options).await
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c DatabaseTransaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.transaction_with_config(callback, None, None).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c DatabaseTransaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        let transaction = self.begin_with_config(isolation_level, access_mode).await?;
        match callback(&transaction).await {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(error) => {
                transaction.rollback().await?;
                Err(TransactionError::Transaction(error))
            }
        }
    }
}
