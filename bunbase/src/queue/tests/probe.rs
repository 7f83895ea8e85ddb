//! A handler that tests watch and steer: what it does with a job is the name of the job's action.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::db::notify::Notifier;

/// Long enough for a loaded machine, and the end of a test that would hang.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Probe {
    /// The claims that began, in order.
    pub(super) began: watch::Sender<Vec<Claimed>>,
    /// How many runs are over, dropped ones included.
    pub(super) over: watch::Sender<usize>,
    /// Whether jobs named `blocks` may end.
    pub(super) open: watch::Sender<bool>,
    running: AtomicUsize,
    pub(super) most_at_once: AtomicUsize,
}

/// Counts a run as over when it is dropped.
struct Running(Arc<Probe>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.over.send_modify(|over| *over += 1);
    }
}

/// Runs jobs by a probe.
struct Handler(Arc<Probe>);

impl JobHandler for Handler {
    fn run(&self, job: Claimed, cancelled: CancellationToken) -> BoxFuture<'static, Outcome> {
        let probe = Arc::clone(&self.0);
        Box::pin(async move {
            let now = probe.running.fetch_add(1, Ordering::SeqCst) + 1;
            probe.most_at_once.fetch_max(now, Ordering::SeqCst);
            let running = Running(Arc::clone(&probe));
            probe.began.send_modify(|began| began.push(job.clone()));
            let outcome = match job.action.as_str() {
                "fails" => Outcome::Failed(failure(Some(Duration::ZERO))),
                "panics" => panic!("on purpose"),
                "blocks" => {
                    let mut open = probe.open.subscribe();
                    tokio::select! {
                        _ = open.wait_for(|is_open| *is_open) => Outcome::Completed,
                        () = cancelled.cancelled() => Outcome::Cancelled,
                    }
                }
                "is deaf" => std::future::pending().await,
                _ => Outcome::Completed,
            };
            drop(running);
            outcome
        })
    }
}

impl Probe {
    /// Waits until so many runs have begun.
    pub(super) async fn began(&self, runs: usize) -> Vec<Claimed> {
        let mut began = self.began.subscribe();
        let reached = began.wait_for(|began| began.len() >= runs);
        tokio::time::timeout(PATIENCE, reached).await.expect("enough runs begin").unwrap().clone()
    }

    /// Waits until a run of this action has begun.
    pub(super) async fn began_one_of(&self, action: &str) {
        let mut began = self.began.subscribe();
        let reached = began.wait_for(|began| began.iter().any(|job| job.action == action));
        tokio::time::timeout(PATIENCE, reached).await.expect("it begins").unwrap();
    }

    /// Waits until so many runs are over.
    pub(super) async fn over(&self, runs: usize) {
        let mut over = self.over.subscribe();
        tokio::time::timeout(PATIENCE, over.wait_for(|over| *over >= runs)).await.expect("enough runs end").unwrap();
    }
}

impl Bed {
    pub(super) fn wake() -> Wake {
        Wake::new(Notifier::local())
    }

    /// Starts a worker that never looks by itself, so that what it finds it was woken for.
    pub(super) async fn worker(&self, wake: &Wake, settings: WorkerSettings) -> (Worker, Arc<Probe>) {
        let probe = Arc::<Probe>::default();
        let handler = Arc::new(Handler(Arc::clone(&probe)));
        let worker = Worker::start(Arc::clone(&self.store), handler, wake.clone(), self.clock.clone(), settings);
        worker.started().await;
        (worker, probe)
    }

    /// Waits until so many jobs have a status.
    pub(super) async fn until(&self, status: Status, jobs: usize) {
        // A connection that was cut off while nobody used it is found out by using it.
        let filter = JobFilter { status: Some(status), ..JobFilter::default() };
        let reached =
            async { while self.store.list(&filter, 1000, None).await.map_or(0, |page| page.items.len()) < jobs {} };
        assert!(
            tokio::time::timeout(PATIENCE, reached).await.is_ok(),
            "{} of {jobs} jobs are {status}",
            self.count(status).await
        );
    }
}

pub(super) fn settings(concurrency: usize) -> WorkerSettings {
    WorkerSettings {
        queues: vec![("default".to_owned(), concurrency)],
        poll_interval: Duration::from_hours(10),
        ..WorkerSettings::default()
    }
}
