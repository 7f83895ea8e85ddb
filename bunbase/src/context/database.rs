//! The database as one run sees it.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, prelude::async_trait::async_trait,
};

use crate::{
    Error, Result,
    context::Ctx,
    db::{Db, Sql, Tx},
};

/// The connection that [`Ctx::db`](super::Ctx::db) hands out: SeaORM's queries work on it unchanged.
///
/// A write through it while a transaction of the same run is open fails at once: on SQLite it would wait for that very
/// transaction, on Postgres it would silently not be part of it. Use `tx.db()` inside.
pub struct Database {
    db: Db,
    open: AtomicBool,
    /// The run that called this one: a transaction that is open there is in the way here as well.
    caller: Option<Ctx>,
}

impl Database {
    pub(crate) fn new(db: Db, caller: Option<Ctx>) -> Self {
        Self { db, open: AtomicBool::new(false), caller }
    }

    /// Returns whether this run, or one that led to it, has a transaction open.
    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire) || self.caller.as_ref().is_some_and(|caller| caller.inner().db.is_open())
    }

    /// Starts a raw SQL statement; see [`Sql`].
    pub fn sql<'a>(&'a self, sql: &'a str) -> Sql<'a, Self> {
        Sql::new(self, sql)
    }

    /// Runs `f` in a transaction of this run.
    pub(crate) async fn transaction<T>(&self, f: impl AsyncFnOnce(&Tx) -> Result<T>) -> Result<T> {
        let called_within = self.caller.as_ref().is_some_and(|caller| caller.inner().db.is_open());
        if called_within || self.open.swap(true, Ordering::AcqRel) {
            let text = "a transaction of this run is open already; use `tx.nested(…)` inside it";
            return Err(Error::new(500, "transaction_open", text).caused_by(text));
        }
        let _closed_at_end = Close(&self.open);
        self.db.transaction(f).await
    }

    fn refuse_write(&self, sql: &str) -> Result<(), DbErr> {
        if self.is_open() && !crate::db::plainly_reads(sql) {
            return Err(DbErr::Custom(
                "a transaction of this run is open: write through `tx.db()` or `tx.sql(…)`, not through `ctx`"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// Marks the transaction as closed, however it ends.
struct Close<'a>(&'a AtomicBool);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.db).finish()
    }
}

#[async_trait]
impl ConnectionTrait for Database {
    fn get_database_backend(&self) -> DbBackend {
        self.db.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.refuse_write(&statement.sql)?;
        self.db.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.refuse_write(sql)?;
        self.db.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.refuse_write(&statement.sql)?;
        self.db.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.refuse_write(&statement.sql)?;
        self.db.query_all_raw(statement).await
    }
}
