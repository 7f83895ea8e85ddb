//! The worker: takes jobs, runs them, and writes down how they ended.
//!
//! One lane for each queue claims and starts; what has ended goes through one flusher, which writes many endings with one statement; one
//! heartbeat extends the leases of everything in hand.

mod flusher;
mod hand;
mod heartbeat;
mod lane;
mod pace;
mod run;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{hand::Hand, lane::Lane};
use super::{JobHandler, JobStore, Wake};
use crate::{clock::Clock, observe::Metrics, service};

/// How long the last endings may take to be written when the worker stops.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Who it is, for people who look at the table; see [`worker_name`].
    pub name: String,
    /// The queues that it works on, each with how many of its jobs may run at a time.
    pub queues: Vec<(String, usize)>,
    /// How long it owns what it takes unless it says more.
    pub lease: Duration,
    /// How long it waits before it looks by itself.
    pub poll_interval: Duration,
    /// How many jobs it takes, and ends, with one statement, at most 1000. With 1 it takes and ends each by itself, several at the
    /// same time.
    pub batch: usize,
    /// How long running jobs may take to end when it stops.
    pub shutdown_timeout: Duration,
    /// What is measured of it goes there; nowhere unless said.
    pub metrics: Metrics,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            name: worker_name(),
            queues: Vec::new(),
            lease: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            batch: 500,
            shutdown_timeout: Duration::from_secs(30),
            metrics: Metrics::off(),
        }
    }
}

/// Returns a name for this process: its host, its number and a random part.
pub fn worker_name() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}:{}", service::process_name(), &random[..8])
}

/// Runs jobs until it is stopped. Dropping it stops it too, without waiting.
pub struct Worker {
    stopping: CancellationToken,
    started: watch::Receiver<usize>,
    lanes: usize,
    done: watch::Receiver<bool>,
}

/// What the parts of a worker share.
struct Shared {
    store: Arc<dyn JobStore>,
    handler: Arc<dyn JobHandler>,
    wake: Wake,
    clock: Clock,
    settings: WorkerSettings,
    hand: Hand,
    /// Nothing more is claimed.
    stopping: CancellationToken,
    /// The deadline of the shutdown is over: what still runs is to stop, and goes back.
    cut_off: CancellationToken,
    /// What cannot be written is given up.
    given_up: CancellationToken,
}

impl Shared {
    /// Returns how many statements of a kind may be under way at a time: enough to keep everything busy that may run.
    fn statements(&self, concurrency: usize) -> usize {
        (concurrency / self.settings.batch.max(1)).clamp(2, 16)
    }
}

impl Worker {
    /// Starts a worker on the current runtime.
    pub fn start(
        store: Arc<dyn JobStore>,
        handler: Arc<dyn JobHandler>,
        wake: Wake,
        clock: Clock,
        settings: WorkerSettings,
    ) -> Self {
        let stopping = CancellationToken::new();
        let shared = Arc::new(Shared {
            store,
            handler,
            wake,
            clock,
            settings,
            hand: Hand::default(),
            stopping: stopping.clone(),
            cut_off: CancellationToken::new(),
            given_up: CancellationToken::new(),
        });
        let (first_look, started) = watch::channel(0);
        let (ended, done) = watch::channel(false);
        let lanes = shared.settings.queues.len();
        let (endings, to_flush) = mpsc::unbounded_channel();
        let mut running = JoinSet::new();
        for (queue, concurrency) in shared.settings.queues.clone() {
            let lane = Lane::new(Arc::clone(&shared), &queue, concurrency, endings.clone(), first_look.clone());
            running.spawn(lane.run());
        }
        drop(endings);
        tokio::spawn(async move {
            let stop_beating = CancellationToken::new();
            let beating = tokio::spawn(heartbeat::beat(Arc::clone(&shared), stop_beating.clone()));
            let mut flushing = tokio::spawn(flusher::flush(Arc::clone(&shared), to_flush));
            while running.join_next().await.is_some() {}
            // By the real time: it is about a statement under way, and a clock that is moved does not make that quicker.
            if tokio::time::timeout(LAST_FLUSH, &mut flushing).await.is_err() {
                shared.given_up.cancel();
                let _ = flushing.await;
            }
            stop_beating.cancel();
            let _ = beating.await;
            ended.send_replace(true);
        });
        Self { stopping, started, lanes, done }
    }

    /// Waits until it has looked into each of its queues.
    pub async fn started(&self) {
        let _ = self.started.clone().wait_for(|lanes| *lanes >= self.lanes).await;
    }

    /// Stops it: nothing more is taken, what was taken and not begun goes back, what runs may end until the deadline, and then goes back
    /// too without being charged an attempt. Returns when it is done; may be called again.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let _ = self.done.clone().wait_for(|is_done| *is_done).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}
