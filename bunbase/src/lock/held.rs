//! A lock that is held: renewed while it is, and given back.

use std::{fmt, future::Future, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::acquire::Locks;
use crate::{Error, Result, clock::some_micros};

/// A lock that this process holds.
///
/// It is renewed in the background at a third of its lease, for as long as this is alive; dropped, it is given back. When it cannot
/// be renewed in time, or somebody else has it, it is lost: [`lost`](Self::lost) answers, [`check`](Self::check) fails, and
/// [`run`](Self::run) drops what it runs. Give [`fence`](Self::fence) along with every write to what the lock protects.
pub struct Lock {
    locks: Locks,
    name: String,
    owner: Uuid,
    fence: u64,
    lost: watch::Receiver<bool>,
    held: bool,
    /// Ends the renewals.
    _renewing: DropGuard,
}

impl Lock {
    /// Begins to renew a lock that was asked for at the time `asked`.
    pub(super) fn start(
        locks: Locks,
        name: String,
        owner: Uuid,
        fence: u64,
        ttl: Duration,
        asked: DateTime<Utc>,
    ) -> Self {
        let (tell, lost) = watch::channel(false);
        let stop = CancellationToken::new();
        let renewing = renew(locks.clone(), name.clone(), owner, ttl, asked, tell);
        tokio::spawn(stop.clone().run_until_cancelled_owned(renewing));
        Self { locks, name, owner, fence, lost, held: true, _renewing: stop.drop_guard() }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the fencing token: greater than that of every holder before. Keep the greatest that was seen beside what the lock
    /// protects, and refuse a smaller one there: `UPDATE … SET fence = $1 WHERE id = $2 AND fence <= $1`.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    #[cfg(test)]
    pub(super) fn owner(&self) -> Uuid {
        self.owner
    }

    /// Returns whether it was lost.
    pub fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Waits until it is lost.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            // Whoever renews has ended without losing it, which only happens when this does.
            std::future::pending::<()>().await;
        }
    }

    /// Makes sure that it is still held, as far as this process knows.
    ///
    /// # Errors
    /// 409 `lock_lost` when it is not.
    pub fn check(&self) -> Result<()> {
        if self.is_lost() {
            return Err(Error::new(
                409,
                "lock_lost",
                format!("the lock `{}` was lost; another may hold it", self.name),
            ));
        }
        Ok(())
    }

    /// Runs a future while the lock is held, drops it when it is lost, and gives it back in the end.
    ///
    /// # Errors
    /// Those of the future; 409 `lock_lost`.
    pub async fn run<T>(self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = tokio::select! {
            biased;
            () = self.lost() => Err(()),
            answer = future => Ok(answer),
        };
        match answer {
            Err(()) => Err(self.check().err().unwrap_or_else(|| Error::internal("a lock was lost and found again"))),
            Ok(answer) => {
                if let Err(error) = self.release().await {
                    tracing::warn!(%error, "a lock could not be given back; it ends with its lease");
                }
                answer
            }
        }
    }

    /// Gives it back. Returns whether it was still held: if not, another may have had it.
    ///
    /// # Errors
    /// 503 when whoever keeps the locks is away; it ends with its lease then.
    pub async fn release(mut self) -> Result<bool> {
        self.held = false;
        let was_held = self.locks.store.release(self.name.clone(), self.owner).await?;
        self.locks.given_back();
        Ok(was_held)
    }
}

/// Renews a lock until it is lost.
async fn renew(
    locks: Locks,
    name: String,
    owner: Uuid,
    ttl: Duration,
    mut from: DateTime<Utc>,
    tell: watch::Sender<bool>,
) {
    let (lease, third) = (TimeDelta::microseconds(some_micros(ttl)), TimeDelta::microseconds(some_micros(ttl / 3)));
    let mut next = from + third;
    loop {
        locks.clock.sleep_until(next.min(from + lease)).await;
        let now = locks.clock.now();
        let renewed = tokio::select! {
            biased;
            renewed = locks.store.renew(name.clone(), owner, ttl) => renewed,
            // A store that does not answer: it may have ended there. By this clock it has, for it began after it was asked for.
            () = locks.clock.sleep_until(from + lease) => Ok(false),
        };
        match renewed {
            Ok(true) => {
                from = now;
                next = now + third;
            }
            Err(error) if now < from + lease => {
                tracing::warn!(%error, lock = name, "a lock could not be renewed; it is tried again until its lease ends");
                next = now + third / 4;
            }
            Ok(false) | Err(_) => {
                tracing::warn!(lock = name, "a lock was lost");
                tell.send_replace(true);
                return;
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the lock with its lease.
        let (true, Ok(runtime)) = (self.held && !self.is_lost(), Handle::try_current()) else { return };
        let (locks, name, owner) = (self.locks.clone(), self.name.clone(), self.owner);
        runtime.spawn(async move {
            match locks.store.release(name, owner).await {
                Ok(_) => locks.given_back(),
                Err(error) => tracing::warn!(%error, "a lock could not be given back; it ends with its lease"),
            }
        });
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("name", &self.name).field("fence", &self.fence).finish_non_exhaustive()
    }
}
