//! One step of the relay: what waits is delivered and marked, in one transaction.

use std::{collections::HashSet, error::Error as _, panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, future::BoxFuture};

use super::{Emitted, Events, outbox::Waiting};
use crate::{Error, Result, db::Tx};

/// The longest wait before an event that could not be delivered is tried again.
const LONGEST_HOLD: Duration = Duration::from_mins(5);

const HOLD: &str = "UPDATE event_outbox SET failures = $2, error = $3, retry_at = $4 WHERE position = $1";
const PARK: &str =
    "UPDATE event_outbox SET failures = $2, error = $3, retry_at = NULL, parked_at = $4 WHERE position = $1";

/// Hands events to their subscribers: the relay does not know them.
pub trait Deliver: Send + Sync + 'static {
    /// Makes jobs of events, one for each subscription, in the transaction that marks them as dispatched. The events are in the order of
    /// their positions; those of one key stay in order if the jobs do.
    ///
    /// # Errors
    /// What it did is undone. The events are tried again one at a time, so that one does not hold up the others for ever. A 503 is
    /// nobody's fault: all are tried again together.
    fn deliver<'a>(&'a self, tx: &'a Tx, events: &'a [Emitted]) -> BoxFuture<'a, Result<()>>;

    /// Learns that what it made has been committed: the time to wake workers.
    fn committed(&self) {}
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another relay is at work.
    Busy,
    /// Nothing waits that can be delivered now.
    Idle,
    /// So many were delivered, and so many could not be.
    Worked { delivered: usize, failed: usize },
}

/// How a step works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many events it reads.
    pub(super) batch: u32,
    /// How often an event may fail before it is parked.
    pub(super) max_failures: u32,
    /// Whether dispatched events are kept.
    pub(super) keep: bool,
}

impl Events {
    /// Delivers everything that waits and can be delivered now.
    #[cfg(feature = "testing")]
    pub(crate) async fn deliver_all(&self, deliver: &dyn Deliver) -> Result<()> {
        let limits = Limits { batch: 500, max_failures: 10, keep: true };
        while matches!(self.step(deliver, limits).await?, Step::Worked { delivered: 1.., .. }) {}
        Ok(())
    }

    /// Delivers up to a batch of what waits.
    pub(super) async fn step(&self, deliver: &dyn Deliver, limits: Limits) -> Result<Step> {
        let step = self
            .db
            .transaction(async |tx: &Tx| {
                let turn = self.outbox.turn(tx).await?;
                if !turn.is_mine {
                    return Ok(Step::Busy);
                }
                let waiting = self.outbox.waiting(tx, turn.now, limits.batch).await?;
                if waiting.is_empty() {
                    return Ok(Step::Idle);
                }
                let outcome = each_part(tx, deliver, &waiting).await?;
                for (one, error) in &outcome.failed {
                    failed(tx, one, error, turn.now, limits.max_failures).await?;
                }
                self.mark(tx, turn.now, &outcome.delivered, limits.keep).await?;
                Ok(Step::Worked { delivered: outcome.delivered.len(), failed: outcome.failed.len() })
            })
            .await?;
        if matches!(step, Step::Worked { delivered: 1.., .. }) {
            deliver.committed();
        }
        Ok(step)
    }

    /// Marks what was delivered, or deletes it. What is broadcast is kept in any case: instances that were told of it read it.
    async fn mark(&self, tx: &Tx, now: DateTime<Utc>, delivered: &[&Emitted], keep: bool) -> Result<()> {
        let is_kept = |event: &&Emitted| keep || self.broadcast.has_subscribers(&event.name);
        let (kept, deleted): (Vec<_>, Vec<_>) = delivered.iter().copied().partition(is_kept);
        for (events, delete) in [(kept, false), (deleted, true)] {
            let positions: Vec<_> = events.into_iter().map(|event| event.position).collect();
            if !positions.is_empty() {
                self.outbox.dispatched(tx, now, &positions, delete).await?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Outcome<'a> {
    delivered: Vec<&'a Emitted>,
    failed: Vec<(&'a Waiting, Error)>,
}

/// Delivers events in as few parts as it can: those that have failed before one at a time, and what is between them together.
async fn each_part<'a>(tx: &Tx, deliver: &dyn Deliver, waiting: &'a [Waiting]) -> Result<Outcome<'a>> {
    let (mut outcome, mut held) = (Outcome::default(), HashSet::new());
    for part in waiting.chunk_by(|one, next| one.failures == 0 && next.failures == 0) {
        if part.len() > 1 && held.is_empty() {
            let events: Vec<_> = part.iter().map(|one| one.event.clone()).collect();
            match in_savepoint(tx, deliver, &events).await {
                Ok(()) => {
                    outcome.delivered.extend(part.iter().map(|one| &one.event));
                    continue;
                }
                Err(error) if error.status() == 503 => return Err(error),
                Err(_) => {}
            }
        }
        for one in part {
            let key = one.event.ordering_key.as_ref().map(|key| (&one.event.name, key));
            // What comes after a failed one under its key waits with it.
            if key.is_some_and(|key| held.contains(&key)) {
                continue;
            }
            match in_savepoint(tx, deliver, std::slice::from_ref(&one.event)).await {
                Ok(()) => outcome.delivered.push(&one.event),
                Err(error) if error.status() == 503 => return Err(error),
                Err(error) => {
                    held.extend(key);
                    outcome.failed.push((one, error));
                }
            }
        }
    }
    Ok(outcome)
}

async fn in_savepoint(tx: &Tx, deliver: &dyn Deliver, events: &[Emitted]) -> Result<()> {
    tx.nested(async |tx: &Tx| {
        // A panic must not end the relay.
        let delivered = AssertUnwindSafe(deliver.deliver(tx, events)).catch_unwind().await;
        delivered.unwrap_or_else(|_| Err(Error::internal("delivering an event panicked")))
    })
    .await
}

/// Lets an event wait, twice as long each time, and parks it in the end.
async fn failed(tx: &Tx, one: &Waiting, error: &Error, now: DateTime<Utc>, max_failures: u32) -> Result<()> {
    let failures = one.failures.saturating_add(1);
    let text = format!("{}: {error}", error.code());
    let cause = error.source().map(ToString::to_string);
    let Emitted { position, id, name, .. } = &one.event;
    if failures.unsigned_abs() >= max_failures {
        tracing::error!(%id, event = name, failures, %error, cause, "an event cannot be delivered; it is parked until somebody releases it");
        tx.sql(PARK).bind(*position).bind(failures).bind(text).bind(now).execute().await?;
        return Ok(());
    }
    let doubled = 2_u32.saturating_pow(one.failures.unsigned_abs());
    let wait = Duration::from_secs(1).saturating_mul(doubled).min(LONGEST_HOLD);
    tracing::warn!(%id, event = name, failures, ?wait, %error, cause, "an event could not be delivered; it is tried again");
    let retry_at = now + TimeDelta::from_std(wait).unwrap_or_default();
    tx.sql(HOLD).bind(*position).bind(failures).bind(text).bind(retry_at).execute().await?;
    Ok(())
}
