//! The ticker: waits for what is due, and takes it.

use std::{error::Error as _, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{NewSchedule, OnTick, Schedules, declare};
use crate::{
    Result,
    service::{Patience, Service, Signals},
};

/// How long to wait when what is due is in another instance's hands.
const BUSY: Duration = Duration::from_millis(50);

/// How often ticks that are old enough are deleted.
const PRUNE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// How many ticks one statement deletes.
const PRUNE_BATCH: u32 = 1000;

/// How a ticker works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How late a tick may be taken before it counts as missed; 1 min unless said.
    pub grace: Duration,
    /// How long to wait at most before looking by itself: so late is a schedule that another process has changed. 1 s unless said.
    pub poll_interval: Duration,
    /// How long it is kept which ticks were taken; 7 days unless said.
    pub retention: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grace: Duration::from_mins(1),
            poll_interval: Duration::from_secs(1),
            retention: Duration::from_hours(24 * 7),
        }
    }
}

/// Takes the ticks of the schedules that the code declares, and of all that were made at run time.
///
/// Any number of instances may do so at the same time: one of them gets each tick.
#[derive(Debug)]
pub struct Ticker(Service);

impl Ticker {
    /// Starts it. It goes on while the database is away, and catches up then.
    pub fn start(
        schedules: Schedules,
        declared: Vec<NewSchedule>,
        on_tick: Arc<dyn OnTick>,
        settings: Settings,
    ) -> Self {
        let names = declared.iter().map(|schedule| schedule.name.clone()).collect();
        let (declare_at, prune_at) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MIN_UTC);
        let run = Run { schedules, declared, names, on_tick, settings, declare_at, prune_at };
        Self(Service::start("ticker", |signals| run.run(signals)))
    }

    /// Returns once it has taken what was due at its start.
    pub async fn started(&self) {
        self.0.started().await;
    }

    /// Asks it to stop, and returns when it has: a take that has begun ends first. May be called again.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

struct Run {
    schedules: Schedules,
    declared: Vec<NewSchedule>,
    names: Vec<String>,
    on_tick: Arc<dyn OnTick>,
    settings: Settings,
    declare_at: DateTime<Utc>,
    prune_at: DateTime<Utc>,
}

impl Run {
    async fn run(mut self, signals: Signals) {
        let (clock, changed) = (self.schedules.clock.clone(), self.schedules.changed.clone());
        let mut patience = Patience::new();
        while !signals.is_stopping() {
            let until = match self.pass(&signals).await {
                Ok(until) => {
                    patience.reset();
                    signals.started();
                    until
                }
                Err(error) => {
                    let wait = patience.wait();
                    let cause = error.source().map(ToString::to_string);
                    tracing::warn!(%error, cause, ?wait, "the schedules cannot be reached");
                    after(clock.now(), wait)
                }
            };
            tokio::select! {
                () = signals.stopping() => {}
                () = changed.notified() => {}
                () = clock.sleep_until(until) => {}
            }
        }
    }

    /// Takes everything that is due, and returns when to look again.
    async fn pass(&mut self, signals: &Signals) -> Result<DateTime<Utc>> {
        self.housekeeping().await?;
        loop {
            // From before it looks: a test may move the clock while it does.
            let now = self.schedules.clock.now();
            let next = self.schedules.store.until_next(&self.names).await?;
            if next.is_none_or(|wait| !wait.is_zero()) {
                return Ok(after(now, next.unwrap_or(Duration::MAX).min(self.settings.poll_interval)));
            }
            let taken = self.schedules.take(&self.names, self.settings.grace, &*self.on_tick).await?;
            if taken.schedules == 0 || signals.is_stopping() {
                return Ok(after(now, BUSY));
            }
        }
    }

    async fn housekeeping(&mut self) -> Result<()> {
        let now = self.schedules.clock.now();
        if now >= self.declare_at {
            self.schedules.declare(&self.declared).await?;
            self.declare_at = now + declare::EVERY;
        }
        if now >= self.prune_at {
            let pruned = self.schedules.store.prune(self.settings.retention, PRUNE_BATCH).await?;
            // The rest at the next pass, so that no tick waits for it.
            if pruned < u64::from(PRUNE_BATCH) {
                self.prune_at = now + PRUNE_EVERY;
            }
        }
        Ok(())
    }
}

fn after(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let later = TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait));
    later.unwrap_or(DateTime::<Utc>::MAX_UTC)
}
