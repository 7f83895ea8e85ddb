//! SeaORM's traits on [`Db`]: which connection a statement goes to.

use std::{fmt, future::Future, pin::Pin};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, SqliteTransactionMode, Statement, TransactionError, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::async_trait::async_trait;
use tracing::Instrument;

use super::{Db, kept::did_not_begin, scan};

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
    /// Begins a transaction for one statement, where it cannot do without.
    async fn begin_for_one(&self) -> Result<Option<DatabaseTransaction>, DbErr> {
        if self.pools_transactions() { TransactionTrait::begin(self).await.map(Some) } else { Ok(None) }
    }
}

/// Ends the transaction of one statement as the statement ended.
async fn end<T>(transaction: DatabaseTransaction, result: Result<T, DbErr>) -> Result<T, DbErr> {
    match result {
        Ok(value) => transaction.commit().await.map(|()| value),
        Err(error) => {
            // The statement's error says more than that of a rollback.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

#[async_trait]
impl ConnectionTrait for Db {
    fn get_database_backend(&self) -> DbBackend {
        self.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if let Some(transaction) = self.begin_for_one().await? {
            let result = transaction.execute_raw(statement).await;
            return end(transaction, result).await;
        }
        let result = match self.kept() {
            Some(kept) => match kept.take().await {
                Ok(lease) => lease.execute(statement).await,
                Err(source) => Err(source),
            },
            None => self.primary().execute_raw(statement).await,
        };
        result.map_err(|source| self.explain(source))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let result = match self.kept() {
            Some(kept) => match kept.take().await {
                Ok(lease) => lease.execute_unprepared(sql).await,
                Err(source) => Err(source),
            },
            None => self.primary().execute_unprepared(sql).await,
        };
        result.map_err(|source| self.explain(source))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if let Some(transaction) = self.begin_for_one().await? {
            let result = transaction.query_one_raw(statement).await;
            return end(transaction, result).await;
        }
        let result = match self.kept() {
            Some(kept) => match kept.take().await {
                Ok(lease) => lease.query_one(statement).await,
                Err(source) => Err(source),
            },
            None => self.for_query(&statement.sql).query_one_raw(statement).await,
        };
        result.map_err(|source| self.explain(source))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if let Some(transaction) = self.begin_for_one().await? {
            let result = transaction.query_all_raw(statement).await;
            return end(transaction, result).await;
        }
        let result = match self.kept() {
            Some(kept) => match kept.take().await {
                Ok(lease) => lease.query_all(statement).await,
                Err(source) => Err(source),
            },
            None => self.for_query(&statement.sql).query_all_raw(statement).await,
        };
        result.map_err(|source| self.explain(source))
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

    /// On SQLite a transaction begins IMMEDIATE unless the options say otherwise: one that reads before it writes would
    /// fail with "database is locked" when another wrote in between. Isolation and access mode are Postgres's.
    async fn begin_with_options(&self, mut options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        if self.backend() == DbBackend::Sqlite {
            options.sqlite_transaction_mode.get_or_insert(SqliteTransactionMode::Immediate);
            options.isolation_level = None;
            options.access_mode = None;
        }
        if let Some(kept) = self.kept() {
            return kept.begin(options).await.map_err(|source| self.explain(source));
        }
        // In a task of its own, so that it ends although the caller goes away: a BEGIN that was sent and then forgotten
        // would leave the connection in a transaction that nobody knows of, and the next user's writes would be lost.
        let primary = self.primary().clone();
        let forgets = self.pools_transactions();
        let beginning = async move {
            let transaction = primary.begin_with_options(options).await?;
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
