//! The relay: empties the outbox, and keeps it small.

use std::{error::Error as _, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Deliver, Events,
    deliver::{Limits, Step},
};
use crate::{
    Error, Result,
    service::{Patience, Service, Signals},
};

/// How long to wait when another relay is at work.
const BUSY: Duration = Duration::from_millis(100);

/// How often dispatched events that are old enough are deleted.
const PRUNE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How many events one statement deletes.
const PRUNE_BATCH: u32 = 1000;
/// How long events that are broadcast are kept, for the instances that were told of them, where others are not kept.
const KEPT_FOR_BROADCAST: Duration = Duration::from_mins(1);

/// How a relay works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long dispatched events are kept; `None` deletes them at once. 24 h unless said.
    pub retention: Option<Duration>,
    /// How many events one transaction delivers; 500 unless said.
    pub batch: u32,
    /// How often an event may fail before it is parked; 10 unless said, which is after some nine minutes.
    pub max_failures: u32,
    /// How long to wait at most before looking by itself. 1 s unless said.
    pub poll_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Some(Duration::from_hours(24)),
            batch: 500,
            max_failures: 10,
            poll_interval: Duration::from_secs(1),
        }
    }
}

/// Delivers what is in the outbox. Any number of instances may run one: one works at a time, and another goes on when it dies.
#[derive(Debug)]
pub struct Relay(Service);

impl Relay {
    /// Starts it. It goes on while the database is away, and catches up then.
    pub fn start(events: Events, deliver: Arc<dyn Deliver>, settings: Settings) -> Self {
        let run = Run { batch: settings.batch, events, deliver, settings, prune_at: DateTime::<Utc>::MIN_UTC };
        Self(Service::start("relay", |signals| run.run(signals)))
    }

    /// Returns once it has looked for what waited at its start.
    pub async fn started(&self) {
        self.0.started().await;
    }

    /// Asks it to stop, and returns when it has: a step that has begun ends first. May be called again.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

struct Run {
    events: Events,
    deliver: Arc<dyn Deliver>,
    settings: Settings,
    /// How many events the next step reads.
    batch: u32,
    prune_at: DateTime<Utc>,
}

impl Run {
    async fn run(mut self, signals: Signals) {
        let (clock, emitted) = (self.events.clock.clone(), self.events.emitted.clone());
        let mut patience = Patience::new();
        while !signals.is_stopping() {
            // From before it looks: a test may move the clock while it does.
            let now = clock.now();
            let wait = match self.pass(&signals).await {
                Ok(wait) => {
                    patience.reset();
                    signals.started();
                    wait
                }
                Err(error) => {
                    let wait = patience.wait();
                    let cause = error.source().map(ToString::to_string);
                    tracing::warn!(%error, cause, ?wait, "events cannot be delivered; they wait in the outbox");
                    wait
                }
            };
            let until = TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait));
            tokio::select! {
                () = signals.stopping() => {}
                () = emitted.notified() => {}
                () = clock.sleep_until(until.unwrap_or(DateTime::<Utc>::MAX_UTC)) => {}
            }
        }
    }

    /// Delivers all that waits, and returns how long to wait then.
    async fn pass(&mut self, signals: &Signals) -> Result<Duration> {
        let wait = loop {
            if signals.is_stopping() {
                break Duration::ZERO;
            }
            match self.step().await? {
                Step::Worked { .. } => {}
                Step::Idle => break self.settings.poll_interval,
                Step::Busy => break BUSY.min(self.settings.poll_interval),
            }
        };
        self.prune().await?;
        Ok(wait)
    }

    async fn step(&mut self) -> Result<Step> {
        let Settings { max_failures, retention, batch, .. } = self.settings;
        let limits = Limits { batch: self.batch, max_failures, keep: retention.is_some() };
        let step = self.events.step(&*self.deliver, limits).await;
        self.batch = match &step {
            // Too much for one transaction: half of it, down to one.
            Err(error) if is_timeout(error) => (self.batch / 2).max(1),
            Err(_) => self.batch,
            Ok(_) => self.batch.saturating_mul(2).min(batch),
        };
        step
    }

    /// Deletes one batch of what is old enough; the rest at the next passes, so that no event waits for it.
    async fn prune(&mut self) -> Result<()> {
        let now = self.events.clock.now();
        if now < self.prune_at {
            return Ok(());
        }
        let retention = self.settings.retention.unwrap_or(KEPT_FOR_BROADCAST);
        let pruned = self.events.outbox.prune(retention, PRUNE_BATCH).await?;
        if pruned < u64::from(PRUNE_BATCH) {
            self.prune_at = now + PRUNE_EVERY;
        }
        Ok(())
    }
}

fn is_timeout(error: &Error) -> bool {
    error.status() == 504
}
