//! Asking for a lock, and waiting for it.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{held::Lock, store::LockStore};
use crate::{Error, Result, clock::Clock, db::notify::Notifier, error::Retry};

/// The topic of locks that were given back.
const TOPIC: &str = "locks";

/// How long who waits does so before it looks again, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_millis(500);

/// The shortest lease: a third of it must leave time for a round trip.
const SHORTEST: Duration = Duration::from_millis(300);

/// How many locks that have ended one statement deletes.
const SWEPT_AT_A_TIME: u32 = 1000;

/// The locks of an application; cheap to clone.
#[derive(Clone, Debug)]
pub struct Locks {
    pub(super) store: Arc<dyn LockStore>,
    pub(super) clock: Clock,
    pub(super) notifier: Notifier,
    wait: Duration,
}

impl Locks {
    /// Keeps locks in a store. Who asks for one waits at most `wait`, unless it says otherwise.
    pub fn new(store: Arc<dyn LockStore>, clock: Clock, notifier: Notifier, wait: Duration) -> Self {
        Self { store, clock, notifier, wait }
    }

    /// Asks for a lock; see [`Acquire`].
    pub fn acquire(&self, name: impl Into<String>, ttl: Duration) -> Acquire {
        let name = name.into();
        let refused = (name.is_empty() || name.len() > 512 || name.contains('\0')).then(|| {
            Error::internal(format!(
                "a lock's name has 1 to 512 bytes and no U+0000; this one has {} bytes",
                name.len()
            ))
        });
        Acquire { locks: self.clone(), name, ttl: ttl.max(SHORTEST), wait: self.wait, refused }
    }

    /// Deletes what is left of locks that ended long ago. Returns how many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self) -> Result<u64> {
        let mut all = 0;
        loop {
            let deleted = self.store.sweep(SWEPT_AT_A_TIME).await?;
            all += deleted;
            if deleted < u64::from(SWEPT_AT_A_TIME) {
                return Ok(all);
            }
        }
    }

    pub(super) fn given_back(&self) {
        self.notifier.notify(TOPIC);
    }
}

/// A lock that is asked for: `.await` waits until it is free, [`try_now`](Self::try_now) does not.
#[must_use = "a lock is taken by `.await`"]
#[derive(Debug)]
pub struct Acquire {
    locks: Locks,
    name: String,
    ttl: Duration,
    wait: Duration,
    refused: Option<Error>,
}

impl Acquire {
    /// Says how long it waits; `lock.wait` unless said. Zero is not at all.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Refuses to ask, for a reason.
    pub(crate) fn refused(mut self, because: Option<Error>) -> Self {
        self.refused = self.refused.or(because);
        self
    }

    /// Takes the lock if it is free now.
    ///
    /// # Errors
    /// 503 when whoever keeps the locks is away. 500 `transaction_open` while a transaction of the run is open.
    pub async fn try_now(mut self) -> Result<Option<Lock>> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        self.take().await
    }

    async fn take(&self) -> Result<Option<Lock>> {
        let (locks, name, ttl, owner) = (self.locks.clone(), self.name.clone(), self.ttl, Uuid::new_v4());
        // In a task of its own, so that it ends although the caller goes away: what was taken and forgotten would be held until its
        // lease ends. Dropped there, it is given back.
        let take = async move {
            let asked = locks.clock.now();
            let fence = locks.store.acquire(name.clone(), owner, ttl).await?;
            Ok(fence.map(|fence| Lock::start(locks, name, owner, fence, ttl, asked)))
        };
        tokio::spawn(take).await.unwrap_or_else(|stopped| Err(Error::internal(stopped)))
    }
}

impl IntoFuture for Acquire {
    type Output = Result<Lock>;
    type IntoFuture = BoxFuture<'static, Result<Lock>>;

    /// # Errors
    /// 409 `lock_held` when it was not free for as long as it waited; otherwise as [`Acquire::try_now`].
    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            if let Some(error) = self.refused.take() {
                return Err(error);
            }
            let patience = self.locks.clock.sleep(self.wait);
            tokio::pin!(patience);
            let mut freed = self.locks.notifier.subscribe(TOPIC);
            let mut pause = FIRST_LOOK;
            loop {
                freed.mark_seen();
                if let Some(lock) = self.take().await? {
                    return Ok(lock);
                }
                // Half of it by chance, so that those who wait do not come all at once.
                let part = f64::from(u16::try_from(Uuid::new_v4().as_u128() & 0xffff).unwrap_or(0)) / 65_536.0;
                tokio::select! {
                    biased;
                    () = &mut patience => {
                        let text = format!("the lock `{}` was not free within {:?}", self.name, self.wait);
                        return Err(Error::new(409, "lock_held", text).retry(Retry::After(self.ttl.min(LAST_LOOK))));
                    }
                    () = freed.notified() => {}
                    () = tokio::time::sleep(pause.mul_f64(0.5 + part / 2.0)) => pause = (2 * pause).min(LAST_LOOK),
                }
            }
        })
    }
}
