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
    cpu::Cpu,
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

/// How jobs were worked off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drained {
    /// Jobs a second.
    pub(super) rate: f64,
    /// Processor time of worker and server for each, in microseconds, where it can be told.
    pub(super) cpu_us: Option<f64>,
}

/// Starts workers, each with connections of its own, and runs `jobs` jobs.
async fn run(bed: &Bed, workers: usize, batch: usize, jobs: usize) -> Result<Drained> {
    let mut processes = Vec::new();
    for _ in 0..workers {
        processes.push(bed.another().await?);
    }
    let handler = Arc::new(Noop { seen: AtomicUsize::new(0), wanted: jobs, done: Notify::new() });
    let cpu = Cpu::start(bed).await?;
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
    let cpu_us = cpu.per_job(bed, jobs);
    for worker in workers {
        worker.stop().await;
    }
    if bed.is_postgres() {
        for process in processes {
            process.close().await;
        }
    }
    Ok(Drained { rate: per_second(jobs, time), cpu_us })
}

/// Works off so many jobs with so many workers, to the last one.
async fn all(bed: &Bed, workers: usize, batch: usize, jobs: usize) -> Result<Drained> {
    bed.fill(jobs, FILL).await?;
    bed.settle().await?;
    let drained = run(bed, workers, batch, jobs).await?;
    match bed.count().await? {
        0 => Ok(drained),
        left => Err(format!("{left} jobs were run and are still there").into()),
    }
}

/// Jobs a second, with batching and one by one, with 1, 2 and 4 workers and the peer in turn.
pub(super) async fn jobs(bed: &Bed, peer: Option<&Peer>, size: Size, report: &mut Report) -> Result<()> {
    let batch = size.batch();
    for (batch, jobs, kind) in [(batch, size.drained, Kind::Batched), (1, size.drained_singly, Kind::Single)] {
        let (mut ours, mut theirs): ([Vec<Drained>; 3], Vec<Drained>) = ([vec![], vec![], vec![]], vec![]);
        for _ in 0..size.rounds {
            for (workers, rates) in [1, 2, 4].into_iter().zip(&mut ours) {
                rates.push(all(bed, workers, batch, jobs).await?);
            }
            if let Some(peer) = peer {
                theirs.push(peer.drain(jobs, kind).await?);
            }
        }
        let how = if batch == 1 { "each by itself".to_owned() } else { format!("batches of {batch}") };
        for (workers, drained) in ["1 worker", "2 workers", "4 workers"].iter().zip(&ours) {
            tell(report, bed.backend, &format!("no-op jobs, {workers}, {how}"), drained)?;
        }
        if peer.is_some() {
            tell(report, bed.backend, &format!("no-op jobs, graphile-worker {kind}"), &theirs)?;
            let pairs = || ours[0].iter().zip(&theirs);
            let what = format!("1 worker, {how} ÷ graphile-worker {kind}");
            let rates = pairs().map(|(ours, theirs)| ours.rate / theirs.rate).collect();
            report.target(bed.backend, &what, (median(rates), "×"), Goal::AtLeast(1.0))?;
            let cpu: Vec<_> = pairs().filter_map(|(ours, theirs)| Some(theirs.cpu_us? / ours.cpu_us?)).collect();
            if !cpu.is_empty() {
                report.add(bed.backend, &format!("{what}, jobs for the same CPU"), median(cpu), "×")?;
            }
        }
    }
    Ok(())
}

fn tell(report: &mut Report, backend: &str, what: &str, drained: &[Drained]) -> Result<()> {
    report.add(backend, what, median(drained.iter().map(|drained| drained.rate).collect()), "/s")?;
    let cpu: Vec<_> = drained.iter().filter_map(|drained| drained.cpu_us).collect();
    if cpu.is_empty() { Ok(()) } else { report.add(backend, &format!("{what}, CPU a job"), median(cpu), "µs") }
}

/// Jobs a second in front of a small and of a large backlog, in turn; each is filled up again after its round.
pub(super) async fn backlogs(small: &Bed, large: &Bed, size: Size, report: &mut Report) -> Result<()> {
    let batch = size.batch();
    for (bed, backlog) in [(small, size.backlogs[0]), (large, size.backlogs[1])] {
        bed.fill(backlog, FILL).await?;
        bed.settle().await?;
    }
    let (mut of_small, mut of_large) = (vec![], vec![]);
    for round in 0..size.rounds {
        // Whoever is first meets what the other left to be cleaned, so they take turns.
        let mut turns = [(small, &mut of_small), (large, &mut of_large)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (bed, drained) in turns {
            drained.push(run(bed, 1, batch, size.of_backlog).await?);
            bed.fill(size.of_backlog, FILL).await?;
        }
    }
    let named = size.backlogs.map(|backlog| format!("{} k", backlog / 1000));
    for (named, drained) in named.iter().zip([&of_small, &of_large]) {
        tell(report, small.backend, &format!("no-op jobs, 1 worker, {named} waiting"), drained)?;
    }
    let ratios = of_small.iter().zip(&of_large).map(|(small, large)| large.rate / small.rate).collect();
    let what = format!("{} ÷ {} waiting", named[1], named[0]);
    report.target(small.backend, &what, (median(ratios), "×"), Goal::AtLeast(0.9))
}
