//! The database as one run sees it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, prelude::async_trait::async_trait,
};
use tokio::sync::Mutex;

use super::{Tx, tenancy::Gate, transaction::Shared};
use crate::{
    Error, Result,
    context::Ctx,
    db::{self, All, Ask, Db, Effect, First, Position, Run, Sql},
    error::code,
    tenant::Scoping,
};

/// The connection that [`Ctx::db`](super::Ctx::db) hands out: SeaORM's queries work on it unchanged.
///
/// A write through it while a transaction of the same run is open fails at once: on SQLite it would wait for that very
/// transaction, on Postgres it would silently not be part of it. Use `tx.db()` inside.
///
/// Where the database has replicas, what a run reads comes from one of them until the run, or one that it belongs to, writes, enqueues,
/// emits or begins a transaction; [`primary`](Self::primary) asks the primary before that.
pub struct Database {
    db: Db,
    /// Who its statements are of.
    run: Run,
    scope: Scope,
    open: AtomicBool,
    /// Whether this run or one that it called has written; that of the [`root`](Ctx::root) counts.
    wrote: AtomicBool,
    /// What a replica that answers must have: what the caller has written before.
    after: Option<Position>,
    /// The run that called this one: a transaction that is open there is in the way here as well.
    caller: Option<Ctx>,
    /// What each transaction begins with, where the run is a tenant's that is not alone in the database.
    scoping: Option<Scoping>,
    /// Closed while the run needs a tenant and has none.
    gate: Gate,
}

/// What the statements of a run belong to.
#[derive(Clone)]
pub(crate) enum Scope {
    /// Each is its own, unless the run opens a transaction.
    Alone,
    /// All of them belong to the transaction of the run that called this one, by `tx.call`.
    Joined(Arc<Shared>),
    /// All of them, from the first write on, belong to one transaction of this run's own: it is `idempotent`.
    Lazy(Arc<Lazy>),
}

/// What a statement runs on.
enum On {
    /// The transaction that the run is part of.
    Shared(Arc<Shared>),
    /// A transaction for this statement alone, which is a tenant's.
    One(db::Tx),
    /// No transaction.
    Db,
}

/// A transaction that is begun by the first write. An attempt that failed takes it out, and the next begins another.
pub(crate) struct Lazy {
    db: Db,
    scoping: Option<Scoping>,
    shared: Mutex<Option<Arc<Shared>>>,
}

impl Lazy {
    pub(crate) fn new(db: Db, scoping: Option<Scoping>) -> Self {
        Self { db, scoping, shared: Mutex::default() }
    }

    /// Returns the transaction, begun if `begin` and it is not yet.
    async fn get(&self, begin: bool, run: &Run) -> Result<Option<Arc<Shared>>, DbErr> {
        let mut shared = self.shared.lock().await;
        if shared.is_none() && begin {
            *shared = Some(Arc::new(Shared::new(begin_of(&self.db, run, self.scoping.as_ref()).await?)));
        }
        Ok(shared.clone())
    }
}

/// Begins a transaction, as one of the tenant's.
async fn begin_of(db: &Db, run: &Run, scoping: Option<&Scoping>) -> Result<db::Tx, DbErr> {
    let tx = db.begin_tx_for(Some(run.clone())).await?;
    if let Some(scoping) = scoping {
        scoping.begin(tx.db()).await?;
    }
    Ok(tx)
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alone => "Alone",
            Self::Joined(_) => "Joined",
            Self::Lazy(_) => "Lazy",
        })
    }
}

impl Database {
    pub(crate) fn new(db: Db, run: Run, scope: Scope, caller: Option<Ctx>) -> Self {
        let after = caller.as_ref().and_then(|caller| caller.inner().db().after);
        let (open, wrote, gate) = (AtomicBool::new(false), AtomicBool::new(false), Gate::default());
        Self { db, run, scope, open, wrote, after, caller, scoping: None, gate }
    }

    /// Makes it one whose replicas have come so far at least.
    pub(crate) fn reading_after(self, after: Option<Position>) -> Self {
        Self { after: self.after.max(after), ..self }
    }

    /// Returns what a replica that answers must have.
    pub(crate) fn after(&self) -> Option<Position> {
        self.after
    }

    /// Returns whether a run that reads afterwards could miss what this one has written.
    pub(crate) fn has_written(&self) -> bool {
        self.db.has_replicas() && self.wrote().load(Ordering::Acquire)
    }

    /// Returns how far the database has come by now.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn position(&self) -> Result<Position, DbErr> {
        self.db.position().await
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// Makes it one of a run that may need a tenant, and has none yet.
    pub(crate) fn gated(self, is_closed: bool) -> Self {
        Self { gate: Gate::closed(is_closed), ..self }
    }

    /// Makes it that of a tenant.
    pub(crate) fn of_tenant(self, scoping: Option<Scoping>) -> Self {
        Self { scoping, ..self }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns the run that calls this one.
    pub(crate) fn caller(&self) -> Option<&Ctx> {
        self.caller.as_ref()
    }

    /// Returns the primary, for reads that must not come from a replica: whatever another instance has committed is seen. Writes go there
    /// anyway.
    pub fn primary(&self) -> Primary<'_> {
        Primary(self)
    }

    /// Returns what says whether this run, one that it called or one that led to it has written: then the primary answers all that they read.
    fn wrote(&self) -> &AtomicBool {
        self.caller.as_ref().map_or(&self.wrote, |caller| &caller.root().inner().db().wrote)
    }

    /// Notes that something was written, or will be.
    fn writes(&self) {
        self.wrote().store(true, Ordering::Release);
    }

    /// Returns whether a replica may answer what this run reads.
    fn may_lag(&self) -> bool {
        let is_free = matches!(self.scope, Scope::Alone) && self.scoping.is_none() && !self.gate.is_closed();
        is_free && !self.wrote().load(Ordering::Acquire)
    }

    /// Returns the transaction that everything of this run is part of, begun if `begin` and it is not yet.
    pub(crate) async fn joined(&self, begin: bool) -> Result<Option<Arc<Shared>>, DbErr> {
        match &self.scope {
            Scope::Alone => Ok(None),
            Scope::Joined(shared) => Ok(Some(shared.clone())),
            Scope::Lazy(lazy) => Box::pin(lazy.get(begin, &self.run)).await,
        }
    }

    /// Takes the run's own transaction out, if it has begun one: to commit it, or to roll it back before the next attempt.
    pub(crate) async fn take_own(&self) -> Option<Arc<Shared>> {
        match &self.scope {
            // In a box, as what few runs have.
            Scope::Lazy(lazy) => Box::pin(lazy.shared.lock()).await.take(),
            Scope::Alone | Scope::Joined(_) => None,
        }
    }

    /// Returns the scope that a run which this one calls has: that of the caller, unless it is alone.
    pub(crate) fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// Returns whether this run is part of a transaction that has begun, as far as can be said without waiting.
    pub(crate) fn is_part_of_one(&self) -> bool {
        match &self.scope {
            Scope::Alone => false,
            Scope::Joined(_) => true,
            Scope::Lazy(lazy) => lazy.shared.try_lock().map_or(true, |shared| shared.is_some()),
        }
    }

    /// Returns whether this run, or one that led to it, has a transaction open that the run is not part of.
    pub(crate) fn is_open(&self) -> bool {
        let is_callers = || self.caller.as_ref().is_some_and(|caller| caller.inner().db().is_open());
        self.open.load(Ordering::Acquire) || (matches!(self.scope, Scope::Alone) && is_callers())
    }

    /// Starts a raw SQL statement; see [`Sql`].
    pub fn sql<'a>(&'a self, sql: &'a str) -> Sql<'a, Self> {
        Sql::new(self, sql)
    }

    /// Refuses what would not be part of the transaction that is open.
    ///
    /// # Errors
    /// 500 `transaction_open`.
    pub(crate) fn refuse_beside_transaction(&self, instead: &'static str) -> Result<()> {
        if self.is_open() {
            let text = format!("a transaction of this run is open: {instead}");
            return Err(Error::new(500, "transaction_open", text.clone()).caused_by(text));
        }
        self.writes();
        Ok(())
    }

    /// Runs `f` in a transaction of this run: one of its own, or a savepoint in the one that it is part of.
    pub(crate) async fn transaction<T>(&self, ctx: &Ctx, f: impl AsyncFnOnce(&Tx) -> Result<T>) -> Result<T> {
        let called_within = matches!(self.scope, Scope::Alone)
            && self.caller.as_ref().is_some_and(|caller| caller.inner().db().is_open());
        if called_within || self.open.swap(true, Ordering::AcqRel) {
            let text = "a transaction of this run is open already; use `tx.nested(…)` inside it, and `tx.call(…)` for an \
                        action that is to be part of it";
            return Err(Error::new(500, "transaction_open", text).caused_by(text));
        }
        let _closed_at_end = Close(&self.open);
        self.gate.pass().map_err(|refused| {
            let text = "this run has no tenant, so it reaches no data";
            Error::new(400, code::TENANT_MISSING, text).caused_by(refused)
        })?;
        self.writes();
        if let Some(shared) = self.joined(true).await? {
            return Tx::new(shared, ctx.clone()).nested(f).await;
        }
        let limit = self.db.settings().transaction_timeout;
        let begun = begin_of(&self.db, &self.run, self.scoping.as_ref()).await?;
        let tx = Tx::new(Arc::new(Shared::new(begun)), ctx.clone());
        match tokio::time::timeout(limit, f(&tx)).await {
            Ok(Ok(value)) => {
                tx.into_shared().commit().await?;
                Ok(value)
            }
            Ok(Err(error)) => {
                tx.into_shared().abandon().await;
                Err(error)
            }
            // Dropping `tx` rolls back without waiting for a statement that may be what took so long.
            Err(source) => {
                let text = format!("the transaction took longer than {limit:?}");
                Err(Error::new(504, "transaction_timeout", text).caused_by(source))
            }
        }
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

    /// Returns what a statement runs on.
    async fn on(&self, sql: &str) -> Result<On, DbErr> {
        self.gate.pass()?;
        self.refuse_write(sql)?;
        let is_lazy = matches!(self.scope, Scope::Lazy(_));
        // Looked at where it makes a difference: a replica may answer later, or a transaction begins.
        let writes = (is_lazy || self.db.has_replicas()) && !crate::db::plainly_reads(sql);
        if writes {
            self.writes();
        }
        Ok(match (self.joined(writes).await?, &self.scoping) {
            (Some(shared), _) => On::Shared(shared),
            (None, None) => On::Db,
            // In a box, as all that few statements need: the others would have to make room for it.
            (None, scoping) => On::One(Box::pin(begin_of(&self.db, &self.run, scoping.as_ref())).await?),
        })
    }

    /// Asks what a statement says, as part of what it belongs to.
    async fn ask<A: Ask>(&self, statement: Statement) -> Result<A::Answer, DbErr> {
        match self.on(&statement.sql).await? {
            On::Shared(shared) => A::on(shared.tx().db(), statement).await,
            On::One(tx) => {
                let asking = Box::pin(async move {
                    let result = A::on(tx.db(), statement).await;
                    tx.end(result).await
                });
                asking.await
            }
            On::Db => self.db.ask::<A>(Some(&self.run), statement).await,
        }
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
        self.ask::<Effect>(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self.on(sql).await? {
            On::Shared(shared) => shared.tx().db().execute_unprepared(sql).await,
            On::One(tx) => {
                let result = tx.db().execute_unprepared(sql).await;
                tx.end(result).await
            }
            On::Db => self.db.execute_unprepared_for(Some(&self.run), sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if self.may_lag()
            && let Some(row) = self.db.ask_replica::<First>(&statement, &self.run, self.after).await
        {
            return Ok(row);
        }
        self.ask::<First>(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if self.may_lag()
            && let Some(rows) = self.db.ask_replica::<All>(&statement, &self.run, self.after).await
        {
            return Ok(rows);
        }
        self.ask::<All>(statement).await
    }
}

/// The primary, from [`Database::primary`]: as the [`Database`], and never a replica.
#[derive(Clone, Copy, Debug)]
pub struct Primary<'a>(&'a Database);

impl Primary<'_> {
    /// Starts a raw SQL statement; see [`Sql`].
    pub fn sql<'b>(&'b self, sql: &'b str) -> Sql<'b, Self> {
        Sql::new(self, sql)
    }
}

#[async_trait]
impl ConnectionTrait for Primary<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.ask::<First>(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.ask::<All>(statement).await
    }
}
