//! Transactions: all of it or nothing, however the function that uses them ends.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, TransactionOptions};

use super::{Db, Run, Sql};
use crate::{
    Error, Result,
    error::{Retry, code},
};

/// An open transaction.
///
/// Dropping it rolls it back, also in the middle of a statement.
pub struct Tx {
    inner: DatabaseTransaction,
    /// Savepoints that were begun and not ended.
    unfinished: AtomicU32,
}

impl Db {
    /// Runs `f` in a transaction: commits when it answers `Ok`, rolls back when it answers `Err`, panics, takes longer
    /// than [`transaction_timeout`](super::Settings::transaction_timeout), or when the returned future is dropped.
    ///
    /// On SQLite one transaction runs at a time and the others wait their turn, so keep slow work (a call to another
    /// service) out of it, and use `tx` inside: a write through the [`Db`] would wait for this very transaction.
    ///
    /// ```
    /// # use bunbase::db::{Db, Settings, Tx};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> bunbase::Result<()> {
    /// let db = Db::open(&Settings::new("sqlite::memory:")).await?;
    /// let sum: i64 = db
    ///     .transaction(async |tx: &Tx| {
    ///         tx.sql("CREATE TABLE amount (n BIGINT NOT NULL)").execute().await?;
    ///         tx.sql("INSERT INTO amount VALUES ($1), ($2)").bind(40_i64).bind(2_i64).execute().await?;
    ///         tx.sql("SELECT sum(n) FROM amount").scalar().await
    ///     })
    ///     .await?;
    /// assert_eq!(sum, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `f`; 504 `transaction_timeout`; 503 `database_busy` when SQLite's writer, and `database_unavailable` when a
    /// Postgres connection, did not become free in time; 500 `transaction_aborted` when `f` answered `Ok` although Postgres had
    /// refused one of its statements (nothing is stored then); 500 `commit_unknown`, not retried but as a
    /// job, when the connection was lost during the commit.
    pub async fn transaction<T>(&self, f: impl AsyncFnOnce(&Tx) -> Result<T>) -> Result<T> {
        let limit = self.settings().transaction_timeout;
        let tx = self.begin_tx().await?;
        match tokio::time::timeout(limit, f(&tx)).await {
            Ok(Ok(value)) => {
                tx.commit().await?;
                Ok(value)
            }
            Ok(Err(error)) => {
                tx.abandon().await;
                Err(error)
            }
            // Dropping `tx` rolls back without waiting for a statement that may be what took so long.
            Err(source) => {
                Err(Error::new(504, "transaction_timeout", format!("the transaction took longer than {limit:?}"))
                    .caused_by(source))
            }
        }
    }

    /// Begins a transaction that the caller ends; for code that cannot be written as a function of it.
    ///
    /// No timeout applies. Prefer [`transaction`](Self::transaction).
    ///
    /// # Errors
    /// 503 when no connection became free in time.
    pub async fn begin_tx(&self) -> Result<Tx> {
        Ok(self.begin_tx_for(None).await?)
    }

    /// As [`begin_tx`](Self::begin_tx) for a run, with the database's own error.
    pub(crate) async fn begin_tx_for(&self, run: Option<Run>) -> Result<Tx, DbErr> {
        let inner = self.begin_for(run, TransactionOptions::default()).await?;
        Ok(Tx::of(inner))
    }

    /// Starts a raw SQL statement; see [`Sql`].
    pub fn sql<'a>(&'a self, sql: &'a str) -> Sql<'a, Self> {
        Sql::new(self, sql)
    }
}

impl Tx {
    pub(super) fn of(inner: DatabaseTransaction) -> Self {
        Self { inner, unfinished: AtomicU32::new(0) }
    }

    /// Returns the SeaORM connection of this transaction, for entities and queries.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Starts a raw SQL statement in this transaction; see [`Sql`].
    pub fn sql<'a>(&'a self, sql: &'a str) -> Sql<'a, DatabaseTransaction> {
        Sql::new(&self.inner, sql)
    }

    /// Runs `f` in a savepoint: what it did is undone when it answers `Err`, and the transaction goes on.
    ///
    /// Await it to its end. When it is dropped on the way, or panics, what it did can no longer be told from the rest,
    /// and the whole transaction rolls back: its commit is refused with `transaction_aborted`. Do not run two at once.
    ///
    /// # Errors
    /// Those of `f` and of the database.
    pub async fn nested<T>(&self, f: impl AsyncFnOnce(&Tx) -> Result<T>) -> Result<T> {
        // Not SeaORM's own savepoints: dropped while one begins, the driver rolls the whole transaction back and lets what
        // follows run outside of any.
        let name = format!("bunbase_{}", self.unfinished.fetch_add(1, Ordering::Relaxed));
        self.inner.execute_unprepared(&format!("SAVEPOINT {name}")).await?;
        let result = match f(self).await {
            // Postgres refuses this when `f` hid a failed statement.
            Ok(value) => match self.inner.execute_unprepared(&format!("RELEASE SAVEPOINT {name}")).await {
                Ok(_) => Ok(value),
                Err(source) => Err(source.into()),
            },
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.inner.execute_unprepared(&format!("ROLLBACK TO SAVEPOINT {name}")).await?;
            self.inner.execute_unprepared(&format!("RELEASE SAVEPOINT {name}")).await?;
        }
        self.unfinished.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Commits.
    ///
    /// # Errors
    /// 500 `transaction_aborted` and `commit_unknown`, as [`Db::transaction`] says, and others of the database.
    pub async fn commit(self) -> Result<()> {
        if self.unfinished.load(Ordering::Relaxed) > 0 {
            self.abandon().await;
            return Err(Error::new(
                500,
                "transaction_aborted",
                "a nested part of the transaction did not end, so nothing was stored",
            ));
        }
        // After a failed statement Postgres answers COMMIT with a rollback and no error. Asking costs a round trip, and
        // not asking would report a success of which nothing is stored.
        if self.inner.get_database_backend() == DbBackend::Postgres
            && let Err(source) = self.inner.execute_unprepared("SELECT 1").await
        {
            let error = Error::from(source);
            return Err(if error.status() == 503 {
                error
            } else {
                Error::new(
                    500,
                    "transaction_aborted",
                    "a statement of the transaction had failed, so nothing was stored",
                )
                .caused_by(error)
            });
        }
        self.inner.commit().await.map_err(|source| {
            let error = Error::from(source);
            if error.code() == "database_unavailable" {
                return Error::new(
                    500,
                    code::COMMIT_UNKNOWN,
                    "the connection was lost during the commit; it may have happened",
                )
                .retry(Retry::Never)
                .caused_by(error);
            }
            error
        })
    }

    /// Ends the transaction of one statement as the statement ended.
    pub(crate) async fn end<T>(self, result: std::result::Result<T, DbErr>) -> std::result::Result<T, DbErr> {
        super::connection::end(self.inner, result).await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// Those of the database; the transaction is rolled back then too, with its connection.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    /// Rolls back when there is a better error to report already.
    async fn abandon(self) {
        if let Err(source) = self.inner.rollback().await {
            tracing::warn!(error = %source, "a rollback failed; the database rolls back when the connection closes");
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}
