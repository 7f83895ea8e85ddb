//! The task that writes what the buffer holds.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::{Recorder, buffer::Entry, store};
use crate::{Error, Result, db::Db, error::chain, service::Patience};

/// How many records in a row the database may refuse one by one before the rest waits: then it is not they that are wrong.
const REFUSALS: usize = 8;

/// How long the last flush goes on asking a database that is away.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// How long what fills the buffer again right after a write waits for more to come: under load each statement then has more rows, and there
/// are fewer of them. Waiting longer saves the database little more, and what shares its cores waits longer for the larger statement.
const BREATH: Duration = Duration::from_millis(20);

/// The part of the buffer that may be filled meanwhile: an eighth.
pub(super) const FILLED: usize = 8;

/// When the writer writes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a record waits at most.
    pub flush_interval: Duration,
}

/// A running writer. Dropping it leaves the task to end with the runtime; [`stop`](Self::stop) writes everything first.
#[derive(Debug)]
pub struct Writer {
    stopping: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts writing what the recorder takes.
    pub fn start(recorder: Recorder, db: Db, settings: Settings) -> Self {
        let (stopping, stop) = watch::channel(false);
        let task = tokio::spawn(run(recorder, db, settings, stop));
        Self { stopping, task: Some(task) }
    }

    /// Writes what there is and ends. While the database is away it asks for 5 s more. The second time it does nothing.
    pub async fn stop(&mut self) {
        self.stopping.send_replace(true);
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of run records ended badly");
        }
    }
}

async fn run(recorder: Recorder, db: Db, settings: Settings, mut stop: watch::Receiver<bool>) {
    let mut patience = Patience::new();
    let mut wait = settings.flush_interval;
    // When it may next be woken by a buffer that is full: not while the database is away.
    let mut is_away = false;
    let mut dropped = 0;
    let mut wrote = Instant::now();
    loop {
        let stopping = tokio::select! {
            () = tokio::time::sleep(wait) => false,
            () = full(&recorder, wrote + BREATH), if !is_away => false,
            // An error is the sender's end, which is one as well.
            _ = stop.wait_for(|stop| *stop) => true,
        };
        if stopping {
            return end(&recorder, &db).await;
        }
        wrote = Instant::now();
        match flush_once(&recorder, &db).await {
            Ok(()) => {
                patience.reset();
                (is_away, wait) = (false, settings.flush_interval);
            }
            Err(error) => {
                tell(&error, &recorder, is_away);
                (is_away, wait) = (true, patience.wait());
            }
        }
        tell_dropped(&recorder, &mut dropped);
    }
}

/// Waits until there are enough records for a write before its time, and until then, unless the buffer fills up.
pub(super) async fn full(recorder: &Recorder, until: Instant) {
    recorder.full().await;
    while recorder.bytes() < recorder.limits().most_bytes / FILLED {
        tokio::select! {
            () = tokio::time::sleep_until(until) => break,
            () = recorder.full() => {}
        }
    }
}

/// Writes everything, and says what could not be written in time.
async fn end(recorder: &Recorder, db: &Db) {
    let until = Instant::now() + LAST_FLUSH;
    let mut patience = Patience::new();
    while let Err(error) = flush_once(recorder, db).await {
        let wait = patience.wait();
        if Instant::now() + wait > until {
            let (records, cause) = (recorder.len(), chain(&error));
            tracing::error!(records, cause, "run records are lost: the database does not take them");
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

fn tell(error: &Error, recorder: &Recorder, is_away: bool) {
    // Once, and not each time that it is asked again.
    if !is_away {
        tracing::warn!(
            cause = chain(error),
            waiting = recorder.len(),
            "run records wait: the database does not take them"
        );
    }
}

fn tell_dropped(recorder: &Recorder, before: &mut u64) {
    let counts = recorder.counts();
    let now = counts.dropped_successes + counts.dropped_others;
    if now > *before {
        let (successes, others) = (counts.dropped_successes, counts.dropped_others);
        tracing::warn!(
            successes,
            others,
            "run records were dropped, so many since the start: the database does not keep up"
        );
    }
    *before = now;
}

/// Writes everything that waits, or as much of it as the database takes.
#[cfg(feature = "testing")]
pub(crate) async fn flush(recorder: &Recorder, db: &Db) {
    if let Err(error) = flush_once(recorder, db).await {
        tell(&error, recorder, false);
    }
}

/// Writes what waits now, but not what comes meanwhile: that makes a batch of its own when there is enough of it. On failure the
/// rest waits for the next time.
pub(super) async fn flush_once(recorder: &Recorder, db: &Db) -> Result<()> {
    let sizes = store::batches(db);
    // Lanes take turns on one task, so nobody else counts in between.
    let left = AtomicUsize::new(recorder.len());
    let lane = async || {
        while left.load(Ordering::Relaxed) > 0 {
            let batch = recorder.take(sizes.most, sizes.most_bytes);
            if batch.is_empty() {
                break;
            }
            left.store(left.load(Ordering::Relaxed).saturating_sub(batch.len()), Ordering::Relaxed);
            if let Err(error) = write(recorder, db, batch).await {
                // The others end with what they have.
                left.store(0, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    join_all((0..sizes.at_a_time).map(|_| lane())).await.into_iter().collect()
}

/// Writes a batch. When the database refuses it, it is halved until the record is alone that is refused; the others are written.
async fn write(recorder: &Recorder, db: &Db, batch: Vec<Entry>) -> Result<()> {
    let mut parts = vec![batch];
    let mut refusals = 0;
    while let Some(mut part) = parts.pop() {
        let began = Instant::now();
        let result = store::write(db, recorder.ids(), &part).await;
        recorder.flushed(began.elapsed());
        let error = match result {
            Ok(()) => {
                recorder.done(&part, true);
                refusals = 0;
                continue;
            }
            Err(error) => error,
        };
        if is_away(&error) || (part.len() == 1 && refusals >= REFUSALS) {
            parts.push(part);
            // The last part is that of the oldest records.
            recorder.put_back(parts.into_iter().rev().flatten().collect());
            return Err(error);
        }
        if part.len() > 1 {
            let later = part.split_off(part.len() / 2);
            parts.extend([later, part]);
            continue;
        }
        refusals += 1;
        recorder.done(&part, false);
        for entry in part {
            let (action, cause) = (entry.record.action, chain(&error));
            tracing::error!(action, cause, "a run record was refused by the database and is lost");
        }
    }
    Ok(())
}

/// Whether the same statement may do better later.
fn is_away(error: &Error) -> bool {
    matches!(error.status(), 503 | 504)
}
