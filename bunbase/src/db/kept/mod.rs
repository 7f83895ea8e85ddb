//! Connections to Postgres that stay with us from one statement to the next.
//!
//! The driver's pool asks the server whether a connection is alive each time one is given back to it, in a task of its own: a second
//! round trip for every statement, and until it is answered the connection is of no use. So single statements run on connections that
//! are taken out of that pool once and then kept on a [`Shelf`]. Transactions, which SeaORM begins, take theirs from the pool itself.
//!
//! - **One bound.** The pool has room for `max_connections`, and what is on the shelf counts there as in use.
//! - **One queue.** Statements and transactions wait for the same permits, in the order in which they came. There are as many as
//!   connections, so whoever has one finds a connection on the shelf or in the pool, or has room to open one.
//! - **At home.** Each runtime, and a worker of the server is one, takes those first that it has opened: their sockets wake its own thread.
//! - **A way back.** For whoever takes from the pool, one goes back there from the shelf, where one lies there ([`Shelf::ask`]).
//!
//! Here: who has which connection, and for how long. Not here: how one is opened (`pool`), which statement goes where (`connection`).

mod lease;
mod shelf;
mod upkeep;

use std::{
    cell::Cell,
    fmt,
    iter::Sum,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqlxError, TransactionOptions,
    TransactionTrait, sqlx::PgPool,
};
use tokio::{
    runtime::{Handle, Id},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

pub(super) use self::lease::Lease;
use self::shelf::{Held, Shelf};
use super::{
    Settings,
    explain::{Planner, explain},
    watch::{Run, Seen, Server, Watch},
};

/// Connections that were idle for this long are tested before use: a server or a proxy may have dropped them.
pub(super) const TEST_AFTER_IDLE: Duration = Duration::from_secs(5);

/// How long such a test may take before the connection counts as lost.
const TEST_TIMEOUT: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// How old the connection is that the pool hands to this task.
    static AGE: Cell<Duration>;
}

/// Notes the age of a connection that the pool is about to hand out; the connection itself does not tell.
pub(super) fn note_age(age: Duration) {
    // Nobody wants to know when it is for a transaction.
    let _ = AGE.try_with(|noted| noted.set(age));
}

/// A pool of connections to Postgres, and those of them that are kept.
pub(super) struct Kept {
    pool: DatabaseConnection,
    permits: Arc<Semaphore>,
    shelf: Mutex<Shelf>,
    limits: Limits,
    watch: Arc<Watch>,
    server: Server,
    /// Wakes the upkeep: there may be too few.
    lost: Arc<Notify>,
    _stop: DropGuard,
}

/// The settings that count while it runs.
#[derive(Clone, Copy)]
struct Limits {
    max: u32,
    min: u32,
    acquire_timeout: Duration,
    idle_timeout: Option<Duration>,
    max_lifetime: Option<Duration>,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Connections {
    pub(super) idle: u32,
    pub(super) busy: u32,
}

impl Connections {
    /// Of a pool that has so many, and so many of them idle.
    pub(super) fn of(size: u32, idle: usize) -> Self {
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        Self { idle, busy: size.saturating_sub(idle) }
    }
}

impl Sum for Connections {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { idle: sum.idle + one.idle, busy: sum.busy + one.busy })
    }
}

impl Kept {
    /// Keeps connections of a pool that was opened with these settings and has no least number of its own. Needs a runtime.
    pub(super) fn new(pool: DatabaseConnection, settings: &Settings, watch: Arc<Watch>, server: Server) -> Arc<Self> {
        let max = settings.max_connections.max(1);
        let limits = Limits {
            max,
            min: settings.min_connections.min(max),
            acquire_timeout: settings.acquire_timeout,
            idle_timeout: settings.idle_timeout,
            max_lifetime: settings.max_lifetime,
        };
        let stop = CancellationToken::new();
        let lost = Arc::<Notify>::default();
        let kept = Arc::new(Self {
            pool,
            permits: Arc::new(Semaphore::new(max as usize)),
            shelf: Mutex::default(),
            limits,
            watch,
            server,
            lost: lost.clone(),
            _stop: stop.clone().drop_guard(),
        });
        tokio::spawn(stop.run_until_cancelled_owned(upkeep::run(Arc::downgrade(&kept), lost, limits)));
        kept
    }

    /// Waits for a connection for one statement.
    ///
    /// # Errors
    /// None became free and none could be opened within `acquire_timeout`; the server refuses; the pool is closed.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Lease, DbErr> {
        let asked_at = Instant::now();
        let lease = self.take_since(asked_at).await;
        match &lease {
            Ok(lease) => self.watch.waited(lease.started().saturating_duration_since(asked_at)),
            Err(error) => self.note_failure(error),
        }
        lease
    }

    async fn take_since(self: &Arc<Self>, asked_at: Instant) -> Result<Lease, DbErr> {
        // Who does not wait reads the clock once for the wait, and for the statement that follows.
        let (permit, now) = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => (permit, asked_at),
            Err(_) => (self.permit(asked_at + self.limits.acquire_timeout).await?, Instant::now()),
        };
        match self.pop(now) {
            Some((held, false)) => Ok(Lease::new(self.clone(), held, permit, now)),
            // In a box: opening a connection is rare, and what it needs is room that every statement would have to make.
            popped => Box::pin(self.find(permit, popped, asked_at)).await,
        }
    }

    /// Finds a connection that works, for whoever has a permit and was given what was on top of the shelf.
    async fn find(
        self: &Arc<Self>,
        mut permit: OwnedSemaphorePermit,
        mut popped: Option<(Held, bool)>,
        asked_at: Instant,
    ) -> Result<Lease, DbErr> {
        let deadline = asked_at + self.limits.acquire_timeout;
        loop {
            let (held, is_doubtful) = match popped.take().map_or_else(|| self.pop_or_join(), Ok) {
                Ok(popped) => popped,
                Err(joined) => {
                    let held = joined.borrow(deadline).await?;
                    return Ok(Lease::new(self.clone(), held, permit, Instant::now()));
                }
            };
            let mut lease = Lease::new(self.clone(), held, permit, Instant::now());
            if !is_doubtful {
                return Ok(lease);
            }
            if lease.answers_within(TEST_TIMEOUT.min(left(deadline))).await {
                lease.restart();
                return Ok(lease);
            }
            match lease.lose() {
                Some(again) => permit = again,
                None => return Err(timed_out()),
            }
        }
    }

    /// Begins a transaction on a connection of the pool; it has its permit until it is dropped.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) async fn begin(
        self: &Arc<Self>,
        options: TransactionOptions,
        run: Option<Run>,
    ) -> Result<DatabaseTransaction, DbErr> {
        let begun = self.begin_on_pool(options, run).await;
        if let Err(error) = &begun {
            self.note_failure(error);
        }
        begun
    }

    async fn begin_on_pool(
        self: &Arc<Self>,
        options: TransactionOptions,
        run: Option<Run>,
    ) -> Result<DatabaseTransaction, DbErr> {
        let asked_at = Instant::now();
        let deadline = asked_at + self.limits.acquire_timeout;
        let permit = self.permit(deadline).await?;
        let mut pool = self.pool.clone();
        let (watch, server, here) = (self.watch.clone(), self.server, Arc::downgrade(self));
        pool.set_metric_callback(move |info| {
            // A transaction has nothing else that lives as long as it does.
            let _lives_as_long = &permit;
            let (sql, run) = (info.statement.sql.as_str(), run.as_ref());
            let (took, failed) = (info.elapsed, info.failed);
            let is_slow = watch.note(&Seen { sql, server, took, rows: None, run, failed });
            if is_slow
                && watch.explains()
                && let Some(kept) = here.upgrade()
            {
                explain(Planner::Postgres(kept), sql, info.statement.values.clone(), run);
            }
        });
        let kept = self.clone();
        let beginning = async move {
            let mut asked = kept.ask(PgPool::num_idle);
            asked.deliver().await;
            kept.watch.waited(asked_at.elapsed());
            for _ in 0..kept.limits.max {
                match pool.begin_with_options(options).await {
                    // Nothing has happened yet, and another connection may be better.
                    Err(DbErr::Query(RuntimeErr::SqlxError(error))) if lease::breaks(&error) => {}
                    result => return result,
                }
            }
            pool.begin_with_options(options).await
        };
        // In a task of its own, so that it ends although the caller goes away: a BEGIN that was sent and then forgotten would leave the
        // connection in a transaction that nobody knows of.
        let begun = tokio::spawn(beginning.in_current_span());
        match tokio::time::timeout(left(deadline), begun).await {
            Ok(Ok(result)) => result,
            Ok(Err(stopped)) => Err(did_not_begin(&stopped)),
            Err(_) => Err(timed_out()),
        }
    }

    /// Closes all connections; waits for those in use. Later calls fail.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        self.permits.close();
        let shelved = self.shelf().close();
        for held in shelved {
            // Not by way of the pool, which would test them first, and tell that those fail whose runtime has ended.
            held.close_soon();
        }
        self.pool.close_by_ref().await
    }

    pub(super) fn connections(&self) -> Connections {
        let driver = self.driver();
        Connections::of(driver.size(), self.shelf().len() + driver.num_idle())
    }

    async fn permit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, DbErr> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(left(deadline), self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => Err(timed_out()),
        }
    }

    /// Makes sure that the pool will have a connection, or room for one, for whoever holds the answer. The caller has a permit, and
    /// `ready` tells for how many the pool has one, which is read while nobody else asks: two must not count on the same.
    fn ask(&self, ready: impl FnOnce(&PgPool) -> usize) -> Asked<'_> {
        let back = {
            let mut guard = self.shelf();
            guard.ask(ready(self.driver()))
        };
        Asked { kept: self, back }
    }

    fn note_failure(&self, error: &DbErr) {
        if matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) {
            self.watch.timed_out();
        }
    }

    /// Takes a connection back that is fit for another statement.
    fn put_back(&self, held: Held, now: Instant) {
        let refused = self.shelf().put(held, now);
        if let Some((held, is_expired)) = refused {
            if is_expired {
                self.discard(held);
            } else {
                held.give_back();
            }
        }
    }

    fn discard(&self, held: Held) {
        held.close_soon();
        if self.limits.min > 0 {
            self.lost.notify_one();
        }
    }

    fn pop(&self, now: Instant) -> Option<(Held, bool)> {
        let here = here();
        self.shelf().pop(now, here)
    }

    /// As [`pop`](Self::pop). Where the shelf is empty, the caller, who has a permit, is one of those who take from the pool.
    fn pop_or_join(&self) -> Result<(Held, bool), Asked<'_>> {
        let mut guard = self.shelf();
        guard.pop(Instant::now(), here()).ok_or_else(|| {
            guard.join();
            Asked { kept: self, back: None }
        })
    }

    fn driver(&self) -> &PgPool {
        self.pool.get_postgres_connection_pool()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who takes a connection from the pool.
struct Asked<'a> {
    kept: &'a Kept,
    /// What came off the shelf for it.
    back: Option<Held>,
}

impl Asked<'_> {
    /// Waits until the pool has what came off the shelf; it would open another meanwhile.
    async fn deliver(&mut self) {
        if let Some(held) = self.back.take() {
            held.give_back_now().await;
        }
    }

    /// Takes a connection out of the pool, which opens one where it has none.
    async fn borrow(mut self, deadline: Instant) -> Result<Held, DbErr> {
        if let Some(held) = self.back.take() {
            held.give_back();
        }
        let borrowing = AGE.scope(Cell::new(Duration::ZERO), async {
            let connection = self.kept.driver().acquire().await?;
            Ok((connection, AGE.with(Cell::get)))
        });
        match tokio::time::timeout(left(deadline), borrowing).await {
            Ok(Ok((connection, age))) => {
                let rest = self.kept.limits.max_lifetime.map(|most| most.saturating_sub(age));
                let expires = rest.and_then(|rest| Instant::now().checked_add(rest));
                // One that is older was opened by whoever needed one then.
                Ok(Held::new(connection, expires, here().filter(|_| age.is_zero())))
            }
            Ok(Err(source)) => Err(not_acquired(source)),
            Err(_) => Err(timed_out()),
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(held) = self.back.take() {
            held.give_back();
        }
        self.kept.shelf().served();
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.connections()).finish()
    }
}

/// What became of a BEGIN whose task was stopped.
pub(super) fn did_not_begin(stopped: &tokio::task::JoinError) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("the transaction did not begin: {stopped}")))
}

/// Returns the runtime that this runs in.
fn here() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn timed_out() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

fn not_acquired(source: SqlxError) -> DbErr {
    match source {
        SqlxError::PoolTimedOut => timed_out(),
        SqlxError::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        source => DbErr::Conn(RuntimeErr::SqlxError(source.into())),
    }
}
