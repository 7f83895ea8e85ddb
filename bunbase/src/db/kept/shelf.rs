//! The connections that wait for a statement, and who takes one from the pool instead.

use std::{
    fmt,
    time::{Duration, Instant},
};

use sea_orm::sqlx::{PgConnection, Postgres, pool::PoolConnection};
use tokio::runtime::{Handle, Id};

use super::TEST_AFTER_IDLE;

/// A connection that was taken out of the pool.
pub(super) struct Held {
    connection: PoolConnection<Postgres>,
    /// When it is too old.
    expires: Option<Instant>,
    /// The runtime that it was opened in, where that is known. Its socket is watched there: whoever waits for an answer elsewhere is woken by another thread.
    home: Option<Id>,
    /// How many statements it has run elsewhere.
    abroad: u32,
}

impl Held {
    pub(super) fn new(connection: PoolConnection<Postgres>, expires: Option<Instant>, home: Option<Id>) -> Self {
        Self { connection, expires, home, abroad: 0 }
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Gives it to the pool, which tests it first.
    pub(super) fn give_back(self) {
        if Handle::try_current().is_ok() {
            drop(self.connection);
        } else {
            self.cut();
        }
    }

    /// As [`give_back`](Self::give_back), and waits until the pool has it.
    pub(super) async fn give_back_now(mut self) {
        self.connection.return_to_pool().await;
    }

    /// Closes it in a task, with a goodbye to the server; its room in the pool is free after that.
    pub(super) fn close_soon(mut self) {
        if Handle::try_current().is_ok() {
            self.connection.close_on_drop();
        } else {
            self.cut();
        }
    }

    /// Closes it in the caller's task.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "a connection was closed without a goodbye");
        }
    }

    /// Closes it where no task can be started.
    pub(super) fn cut(self) {
        drop(self.connection.detach());
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("expires", &self.expires).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Idle {
    held: Held,
    since: Instant,
}

/// How many statements a connection runs outside of the runtime that it was opened in before it is closed, so that another is opened where it is needed: those
/// wake-ups have cost about as much by then as opening one does. Twice as many after each, because there may be no better place for so few connections.
const ABROAD: u32 = 1000;

/// The connections that wait, the last used on top, and how many take one from the pool instead.
///
/// Nobody waits for the pool in vain because of what lies here: connections in use, those here, and those who ask the pool are never more than `max_connections`, so
/// for each who asks the pool has one, or room, or one is on its way back to it. Whoever finds nothing here ([`join`](Self::join)) has a permit, of which there
/// are as many; whoever does not look here sends one back ([`ask`](Self::ask)); a statement's begin and end move one between use and here.
#[derive(Debug)]
pub(super) struct Shelf {
    idle: Vec<Idle>,
    /// How many take a connection from the pool at this moment.
    asking: usize,
    /// When a connection was last found broken: those that were not used since then are in doubt.
    doubt: Option<Instant>,
    /// How many statements the next one may run abroad.
    patience: u32,
    is_closed: bool,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { idle: Vec::new(), asking: 0, doubt: None, patience: ABROAD, is_closed: false }
    }
}

impl Shelf {
    /// Takes the last used connection that was opened here, or else the last used, and says whether it must be tested before use.
    pub(super) fn pop(&mut self, now: Instant, here: Option<Id>) -> Option<(Held, bool)> {
        let at_home = here.and_then(|here| self.idle.iter().rposition(|idle| idle.held.home == Some(here)));
        let Idle { mut held, since } = match at_home {
            Some(place) => self.idle.remove(place),
            None => self.idle.pop()?,
        };
        if at_home.is_none() {
            held.abroad += 1;
        }
        let is_doubtful =
            now.saturating_duration_since(since) >= TEST_AFTER_IDLE || self.doubt.is_some_and(|doubt| since <= doubt);
        Some((held, is_doubtful))
    }

    /// Puts a connection here, unless it is too old (`true`) or the pool is closed (`false`).
    pub(super) fn put(&mut self, held: Held, now: Instant) -> Option<(Held, bool)> {
        if held.is_expired(now) {
            return Some((held, true));
        }
        if held.abroad >= self.patience {
            self.patience = self.patience.saturating_mul(2);
            return Some((held, true));
        }
        if self.is_closed {
            return Some((held, false));
        }
        self.idle.push(Idle { held, since: now });
        None
    }

    /// Notes that somebody with a permit will take a connection from the pool: where that is not ready for so many, takes one off to go there.
    /// Those in use are left where they are: the pool tests what goes back to it, and meanwhile the next statement would find nothing here.
    pub(super) fn ask(&mut self, ready: usize) -> Option<Held> {
        self.join();
        if ready >= self.asking { None } else { self.idle.pop().map(|idle| idle.held) }
    }

    /// Notes that somebody with a permit has found nothing here and takes a connection from the pool.
    pub(super) fn join(&mut self) {
        self.asking += 1;
    }

    /// Notes that somebody has taken a connection from the pool, or has given up.
    pub(super) fn served(&mut self) {
        self.asking = self.asking.saturating_sub(1);
    }

    /// Notes that a connection was found broken.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.doubt = Some(now);
    }

    /// Takes off what has been idle for too long or is too old. `spare` is how many of the first kind may go.
    pub(super) fn reap(&mut self, now: Instant, idle_timeout: Option<Duration>, mut spare: usize) -> Vec<Held> {
        let mut reaped = Vec::new();
        // The longest idle first.
        for idle in std::mem::take(&mut self.idle) {
            let is_idle = idle_timeout.is_some_and(|most| now.saturating_duration_since(idle.since) >= most);
            if idle.held.is_expired(now) {
                reaped.push(idle.held);
            } else if is_idle && spare > 0 {
                spare -= 1;
                reaped.push(idle.held);
            } else {
                self.idle.push(idle);
            }
        }
        reaped
    }

    /// Takes all off, for good.
    pub(super) fn close(&mut self) -> Vec<Held> {
        self.is_closed = true;
        std::mem::take(&mut self.idle).into_iter().map(|idle| idle.held).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        // The last handle may be dropped where there is no runtime.
        for idle in std::mem::take(&mut self.idle) {
            idle.held.cut();
        }
    }
}
