//! Closing what nobody needs, and keeping as many as were asked for.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use sea_orm::sqlx::PgPool;
use tokio::sync::Notify;

use super::{Kept, Limits};

/// The least and the longest time between two looks.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

/// Looks after connections until they are dropped, every quarter of the time that one may be idle or live.
pub(super) async fn run(kept: Weak<Kept>, lost: Arc<Notify>, limits: Limits) {
    let shortest = [limits.idle_timeout, limits.max_lifetime].into_iter().flatten().min();
    let every = shortest.map_or(LOOK_EVERY.1, |shortest| (shortest / 4).clamp(LOOK_EVERY.0, LOOK_EVERY.1));
    loop {
        let Some(here) = kept.upgrade() else { return };
        here.reap();
        here.fill().await;
        drop(here);
        // A server that is away is not asked again at once, however many connections were lost.
        tokio::time::sleep(LOOK_EVERY.0).await;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = lost.notified() => {}
        }
    }
}

impl Kept {
    fn reap(&self) {
        let spare = self.driver().size().saturating_sub(self.limits.min) as usize;
        let reaped = self.shelf().reap(Instant::now(), self.limits.idle_timeout, spare);
        for held in reaped {
            held.close_soon();
        }
    }

    /// Opens connections up to `min_connections`, while nobody needs the permits for something better.
    async fn fill(&self) {
        while self.driver().size() < self.limits.min {
            let Ok(_permit) = self.permits.clone().try_acquire_owned() else { return };
            // There is room: none need come from the shelf, where it would be missing again.
            let ready = |pool: &PgPool| self.limits.max.saturating_sub(pool.size()) as usize + pool.num_idle();
            match self.ask(ready).borrow(Instant::now() + self.limits.acquire_timeout).await {
                Ok(held) => self.put_back(held, Instant::now()),
                Err(error) => {
                    tracing::debug!(%error, "fewer connections than `min_connections`: none can be opened");
                    return;
                }
            }
        }
    }
}
