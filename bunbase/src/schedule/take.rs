//! Taking what is due: each tick once, whatever the instances' clocks say.

use std::{error::Error as _, panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, future::BoxFuture};
use uuid::Uuid;

use super::{
    Overlap, Schedules,
    due::{Due, MOST},
    entry::Row,
};
use crate::{Error, Result, db::Tx};

/// How many schedules one transaction takes.
const BATCH: u32 = 100;

/// The longest wait before a schedule whose tick failed is looked at again.
const LONGEST_HOLD: Duration = Duration::from_mins(5);

/// Only the first to take a tick gets it; `schedule_ticks` has it as its primary key.
const TAKE: &str =
    "INSERT INTO schedule_ticks (schedule, tick_at, taken_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const NAME_JOB: &str = "UPDATE schedule_ticks SET job_id = $3 WHERE schedule = $1 AND tick_at = $2";
const MOVE: &str = "UPDATE schedules
    SET next_run_at = $2, last_tick_at = $3, last_job_id = $4, failures = 0, retry_at = NULL, error = NULL WHERE name = $1";
const HOLD: &str = "UPDATE schedules SET failures = $2, retry_at = $3, error = $4 WHERE name = $1";
const END: &str = "DELETE FROM schedules WHERE name = $1";

/// One tick of a schedule, to be made a job of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The schedule's name.
    pub schedule: String,
    /// When it was due. Together with the schedule it names the tick, in the whole cluster.
    pub at: DateTime<Utc>,
    /// The full name of the action.
    pub action: String,
    /// The action's input, as JSON.
    pub input: String,
    /// Who its run is caused by, as JSON.
    pub identity: String,
    /// What happens when the run of an earlier tick has not ended.
    pub overlap: Overlap,
    /// The last job that was made of a tick of the schedule.
    pub previous_job: Option<Uuid>,
}

/// What a tick does: the ticker does not know.
pub trait OnTick: Send + Sync + 'static {
    /// Makes a job of a tick, in the transaction that takes it. Returns its id, or `None` when the tick is left out, because an earlier
    /// run has not ended.
    ///
    /// # Errors
    /// What it did is undone, and the tick comes again a little later.
    fn fire<'a>(&'a self, tx: &'a Tx, tick: &'a Tick) -> BoxFuture<'a, Result<Option<Uuid>>>;

    /// Learns that jobs it made have been committed: the time to wake workers.
    fn committed(&self) {}
}

/// What one take did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many schedules were due and not another's.
    pub(super) schedules: usize,
    /// How many ticks were taken.
    pub(super) ticks: usize,
}

impl Schedules {
    /// Takes everything that is due.
    #[cfg(feature = "testing")]
    pub(crate) async fn take_all(&self, declared: &[String], grace: Duration, on_tick: &dyn OnTick) -> Result<()> {
        while self.take(declared, grace, on_tick).await?.schedules > 0 {}
        Ok(())
    }

    /// Takes what is due, once: of the declared schedules those named. Whoever calls it goes on until no schedule is due.
    pub(super) async fn take(&self, declared: &[String], grace: Duration, on_tick: &dyn OnTick) -> Result<Taken> {
        let taken = self
            .db
            .transaction(async |tx: &Tx| {
                let due = self.store.claim(tx, declared, BATCH).await?;
                let mut taken = Taken::default();
                for row in &due.rows {
                    // What is left stays due.
                    if taken.ticks >= MOST {
                        break;
                    }
                    taken.schedules += 1;
                    let one = tx.nested(async |tx: &Tx| self.take_one(tx, row, (due.now, grace), on_tick).await).await;
                    match one {
                        Ok(ticks) => taken.ticks += ticks,
                        // Not this schedule's fault: nothing of the take happens.
                        Err(error) if error.status() == 503 => return Err(error),
                        Err(error) => hold(tx, row, due.now, &error).await?,
                    }
                }
                Ok(taken)
            })
            .await?;
        if taken.ticks > 0 {
            on_tick.committed();
        }
        Ok(taken)
    }

    /// Takes the ticks of one schedule, and moves it to its next.
    async fn take_one(
        &self,
        tx: &Tx,
        row: &Row,
        (now, grace): (DateTime<Utc>, Duration),
        on_tick: &dyn OnTick,
    ) -> Result<usize> {
        let (rule, zone) = row.rule()?;
        let first = row.next_run_at.unwrap_or(now);
        let due = Due::of((&rule, zone), row.missed(), first, now, grace);
        if let Some(left_out) = due.left_out {
            tracing::warn!(schedule = row.name, first = %left_out, next = ?due.next, "ticks were missed and are left out");
        }
        let (mut last, mut taken) = (row.last_job_id, 0);
        for at in &due.ticks {
            if tx.sql(TAKE).bind(row.name.as_str()).bind(*at).bind(now).execute().await? == 0 {
                continue;
            }
            taken += 1;
            self.lateness.add((now - *at).to_std().unwrap_or_default());
            let tick = Tick {
                schedule: row.name.clone(),
                at: *at,
                action: row.action.clone(),
                input: row.input.clone(),
                identity: row.identity.clone(),
                overlap: row.overlap(),
                previous_job: last,
            };
            // A panic must not end the ticker.
            let fired = AssertUnwindSafe(on_tick.fire(tx, &tick)).catch_unwind().await;
            let fired = fired.unwrap_or_else(|_| Err(Error::internal("making a job of a tick panicked")));
            if let Some(job) = fired? {
                tx.sql(NAME_JOB).bind(row.name.as_str()).bind(*at).bind(job).execute().await?;
                last = Some(job);
            }
        }
        if due.next.is_none() && rule.is_once() {
            tx.sql(END).bind(row.name.as_str()).execute().await?;
            return Ok(taken);
        }
        let last_tick = due.ticks.last().copied().or(row.last_tick_at);
        tx.sql(MOVE).bind(row.name.as_str()).bind(due.next).bind(last_tick).bind(last).execute().await?;
        Ok(taken)
    }
}

/// Keeps a schedule whose tick failed from being taken for a while: twice as long each time.
async fn hold(tx: &Tx, row: &Row, now: DateTime<Utc>, error: &Error) -> Result<()> {
    let failures = row.failures.saturating_add(1);
    let doubled = 2_u32.saturating_pow(row.failures.unsigned_abs());
    let wait = Duration::from_secs(1).saturating_mul(doubled).min(LONGEST_HOLD);
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::error!(schedule = row.name, failures, ?wait, %error, cause, "no job could be made of a tick; it is tried again");
    let retry_at = now + TimeDelta::from_std(wait).unwrap_or_default();
    let text = format!("{}: {error}", error.code());
    tx.sql(HOLD).bind(row.name.as_str()).bind(failures).bind(retry_at).bind(text).execute().await?;
    Ok(())
}
