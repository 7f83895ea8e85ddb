//! The transaction of a run: what it writes, enqueues and emits happens together or not at all.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use sea_orm::DatabaseTransaction;

use super::Ctx;
use crate::{
    Error, Result,
    db::{self, Sql},
};

/// What is done once a transaction has committed: waking whoever waits for its jobs and events.
type AfterCommit = Box<dyn FnOnce() + Send>;

/// An open transaction of a run, as [`Ctx::transaction`] hands it out.
///
/// Beside the statements of [`db`](Self::db) and [`sql`](Self::sql) it has `enqueue`, `emit` and `call`: jobs and events are
/// stored with the rows, and workers see them when it commits. It rolls back when it is dropped, also in the middle of a
/// statement.
pub struct Tx {
    shared: Arc<Shared>,
    ctx: Ctx,
}

/// A transaction that several runs may be part of.
pub(crate) struct Shared {
    tx: db::Tx,
    after_commit: Mutex<Vec<AfterCommit>>,
    /// As those, and awaited before the caller goes on.
    then: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Shared {
    pub(crate) fn new(tx: db::Tx) -> Self {
        Self { tx, after_commit: Mutex::default(), then: Mutex::default() }
    }

    pub(crate) fn tx(&self) -> &db::Tx {
        &self.tx
    }

    /// Does something once it has committed, and not when it rolls back.
    pub(crate) fn after_commit(&self, f: impl FnOnce() + Send + 'static) {
        self.after_commit.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(f));
    }

    /// Does something once it has committed, before its caller goes on, and not when it rolls back.
    pub(crate) fn then(&self, work: BoxFuture<'static, ()>) {
        self.then.lock().unwrap_or_else(PoisonError::into_inner).push(work);
    }

    /// Commits.
    ///
    /// # Errors
    /// As [`db::Tx::commit`]; 500 `transaction_shared` when something else still uses it: nothing is stored then.
    pub(crate) async fn commit(self: Arc<Self>) -> Result<()> {
        let Some(Self { tx, after_commit, then }) = Arc::into_inner(self) else {
            let text =
                "the transaction could not be committed: a task that the action started still uses it; await it first";
            return Err(Error::new(500, "transaction_shared", text).caused_by(text));
        };
        tx.commit().await?;
        for f in after_commit.into_inner().unwrap_or_else(PoisonError::into_inner) {
            f();
        }
        for work in then.into_inner().unwrap_or_else(PoisonError::into_inner) {
            work.await;
        }
        Ok(())
    }

    /// Rolls back when there is a better error to report already.
    pub(crate) async fn abandon(self: Arc<Self>) {
        // Where something else still uses it, the last to drop it rolls back.
        if let Some(Self { tx, .. }) = Arc::into_inner(self)
            && let Err(source) = tx.rollback().await
        {
            tracing::warn!(error = %source, "a rollback failed; the database rolls back when the connection closes");
        }
    }
}

impl Tx {
    pub(crate) fn new(shared: Arc<Shared>, ctx: Ctx) -> Self {
        Self { shared, ctx }
    }

    /// Returns the SeaORM connection of this transaction, for entities and queries.
    pub fn db(&self) -> &DatabaseTransaction {
        self.shared.tx.db()
    }

    /// Starts a raw SQL statement in this transaction; see [`Sql`].
    pub fn sql<'a>(&'a self, sql: &'a str) -> Sql<'a, DatabaseTransaction> {
        self.shared.tx.sql(sql)
    }

    /// Runs `f` in a savepoint: what it did, jobs and events included, is undone when it answers `Err`, and the transaction goes on.
    ///
    /// Await it to its end. When it is dropped on the way, or panics, the whole transaction rolls back. Do not run two at once.
    ///
    /// # Errors
    /// Those of `f` and of the database.
    pub async fn nested<T>(&self, f: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        self.shared.tx.nested(async |_| f(self).await).await
    }

    /// Returns the run that opened it.
    pub(crate) fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn into_shared(self) -> Arc<Shared> {
        self.shared
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}
