//! How long an idle worker takes to begin a job.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bunbase::queue::{Claimed, JobHandler, Outcome, Worker, WorkerSettings};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Result, Size,
    bed::{Bed, QUEUE, job},
    drain::CONCURRENCY,
    peer::Peer,
};
use crate::report::{Goal, Report, quantile};

/// Between two jobs, so that the worker has ended the one and is idle.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Says when it was called.
struct Watch(Mutex<mpsc::UnboundedSender<Instant>>);

impl JobHandler for Watch {
    fn run(&self, _job: Claimed, _cancelled: CancellationToken) -> BoxFuture<'static, Outcome> {
        // Nobody listens any more once the benchmark has failed.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(Instant::now());
        Box::pin(std::future::ready(Outcome::Completed))
    }
}

/// From before the job is stored until it begins: enqueued by the process that runs it, by another one, and the peer.
pub(super) async fn idle(bed: &Bed, peer: Option<&Peer>, size: Size, report: &mut Report) -> Result<()> {
    let waits = pick_up(bed, bed, size.picked_up).await?;
    tell(report, bed.backend, "pick-up, idle, same process", &waits)?;
    if bed.is_postgres() {
        let other = bed.another().await?;
        let waits = pick_up(bed, &other, size.picked_up).await?;
        tell(report, bed.backend, "pick-up, idle, another process", &waits)?;
        other.close().await;
    }
    if let Some(peer) = peer {
        let (p50, p99) = peer.latency(size.picked_up).await?;
        report.add(bed.backend, "pick-up, idle, graphile-worker, p50", p50, "ms")?;
        report.add(bed.backend, "pick-up, idle, graphile-worker, p99", p99, "ms")?;
    }
    Ok(())
}

fn tell(report: &mut Report, backend: &str, what: &str, waits: &[f64]) -> Result<()> {
    report.add(backend, &format!("{what}, p50"), quantile(waits.to_vec(), 0.5), "ms")?;
    let p99 = quantile(waits.to_vec(), 0.99);
    report.target(backend, &format!("{what}, p99"), (p99, "ms"), Goal::AtMost(20.0))
}

async fn pick_up(worker: &Bed, caller: &Bed, jobs: usize) -> Result<Vec<f64>> {
    let (report, mut starts) = mpsc::unbounded_channel();
    let running = Worker::start(
        Arc::clone(&worker.store),
        Arc::new(Watch(Mutex::new(report))),
        worker.wake.clone(),
        worker.clock.clone(),
        WorkerSettings { queues: vec![(QUEUE.to_owned(), CONCURRENCY)], ..WorkerSettings::default() },
    );
    running.started().await;
    let mut waits = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        tokio::time::sleep(PAUSE).await;
        let stored = Instant::now();
        caller.store.insert(&[job()]).await?;
        caller.wake.jobs(QUEUE);
        let at = starts.recv().await.ok_or("the worker is gone")?;
        waits.push(at.saturating_duration_since(stored).as_secs_f64() * 1000.0);
    }
    running.stop().await;
    Ok(waits)
}
