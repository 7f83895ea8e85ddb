//! Working off what waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bunbase::queue::{Claimed, JobHandler, Outcome, Worker, WorkerSettings, worker_name};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Result, Size,
    bed::{Bed, QUEUE},
    peer::{Kind, Peer},
};
use crate::{
    per_second,
    report::{Goal, Report, median},
};

/// How many jobs of one worker run at a time, which is what the peer has too.
pub(super) const CONCURRENCY: usize = 24;

/// How many jobs one statement stores where that is not what is measured.
const FILL: usize = 1000;

/// Does nothing, and counts it.
struct Noop {
    seen: AtomicUsize,
    wanted: usize,
    done: Notify,
}

impl JobHandler for Noop {
    fn run(&self, _job: Claimed, _cancelled: CancellationToken) -> BoxFuture<'static, Outcome> {
        if self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            self.done.notify_one();
        }
        Box::pin(std::future::ready(Outcome::Completed))
    }
}

/// Starts workers, each with connections of its own, and returns how many jobs they ran a second until `jobs` were run.
async fn run(bed: &Bed, workers: usize, batch: usize, jobs: usize) -> Result<f64> {
    let mut processes = Vec::new();
    for _ in 0..workers {
        processes.push(bed.another().await?);
    }
    let handler = Arc::new(Noop { seen: AtomicUsize::new(0), wanted: jobs, done: Notify::new() });
    let began = Instant::now();
    let start = |process: &Bed| {
        Worker::start(
            Arc::clone(&process.store),
            Arc::clone(&handler) as Arc<dyn JobHandler>,
            process.wake.clone(),
            process.clock.clone(),
            WorkerSettings {
                name: worker_name(),
                queues: vec![(QUEUE.to_owned(), CONCURRENCY)],
                batch,
                ..WorkerSettings::default()
            },
        )
    };
    let workers: Vec<_> = processes.iter().map(start).collect();
    handler.done.notified().await;
    let time = began.elapsed();
    for worker in workers {
        worker.stop().await;
    }
    if bed.is_postgres() {
        for process in processes {
            process.close().await;
        }
    }
    Ok(per_second(jobs, time))
}

/// Works off so many jobs with so many workers, to the last one.
async fn all(bed: &Bed, workers: usize, batch: usize, jobs: usize) -> Result<f64> {
    bed.fill(jobs, FILL).await?;
    bed.settle().await?;
    let rate = run(bed, workers, batch, jobs).await?;
    match bed.count().await? {
        0 => Ok(rate),
        left => Err(format!("{left} jobs were run and are still there").into()),
    }
}

/// Jobs a second, with batching and one by one, with 1, 2 and 4 workers and the peer in turn.
pub(super) async fn jobs(bed: &Bed, peer: Option<&Peer>, size: Size, report: &mut Report) -> Result<()> {
    let batch = WorkerSettings::default().batch;
    for (batch, jobs, kind) in [(batch, size.drained, Kind::Batched), (1, size.drained_singly, Kind::Single)] {
        let (mut ours, mut theirs) = ([vec![], vec![], vec![]], vec![]);
        for _ in 0..size.rounds {
            for (workers, rates) in [1, 2, 4].into_iter().zip(&mut ours) {
                rates.push(all(bed, workers, batch, jobs).await?);
            }
            if let Some(peer) = peer {
                theirs.push(peer.drain(jobs, kind).await?);
            }
        }
        let how = if batch == 1 { "each by itself".to_owned() } else { format!("batches of {batch}") };
        let [one, two, four] = ours.map(median);
        report.add(bed.backend, &format!("no-op jobs, 1 worker, {how}"), one, "/s")?;
        report.add(bed.backend, &format!("no-op jobs, 2 workers, {how}"), two, "/s")?;
        report.add(bed.backend, &format!("no-op jobs, 4 workers, {how}"), four, "/s")?;
        if peer.is_some() {
            let theirs = median(theirs);
            report.add(bed.backend, &format!("no-op jobs, graphile-worker {kind}"), theirs, "/s")?;
            let what = format!("1 worker, {how} ÷ graphile-worker {kind}");
            report.target(bed.backend, &what, (one / theirs, "×"), Goal::AtLeast(1.0))?;
        }
    }
    Ok(())
}

/// Jobs a second in front of a small and of a large backlog, in turn; each is filled up again after its round.
pub(super) async fn backlogs(small: &Bed, large: &Bed, size: Size, report: &mut Report) -> Result<()> {
    let batch = WorkerSettings::default().batch;
    for (bed, backlog) in [(small, size.backlogs[0]), (large, size.backlogs[1])] {
        bed.fill(backlog, FILL).await?;
        bed.settle().await?;
    }
    let (mut of_small, mut of_large, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..size.rounds {
        for (bed, rates) in [(small, &mut of_small), (large, &mut of_large)] {
            rates.push(run(bed, 1, batch, size.of_backlog).await?);
            bed.fill(size.of_backlog, FILL).await?;
        }
        ratios.extend(of_large.last().zip(of_small.last()).map(|(large, small)| large / small));
    }
    let named = size.backlogs.map(|backlog| format!("{} k", backlog / 1000));
    for (named, rates) in named.iter().zip([of_small, of_large]) {
        report.add(small.backend, &format!("no-op jobs, 1 worker, {named} waiting"), median(rates), "/s")?;
    }
    let what = format!("{} ÷ {} waiting", named[1], named[0]);
    report.target(small.backend, &what, (median(ratios), "×"), Goal::AtLeast(0.9))
}
