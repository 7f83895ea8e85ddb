//! What runs beside the requests: workers, the relay of events, the ticker of schedules, housekeeping, and the writer of run records.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::Wired;
use crate::{
    Error, Result,
    config::Config,
    context::Services,
    events::{self, Listener, Relay},
    invoke::{self, JobRunner, Subscriptions},
    queue::{Reaper, ReaperSettings, Worker, WorkerSettings, worker_name},
    runs::{self, Writer},
    schedule::{self, Ticker},
    service::Service,
    session::Revocation,
};

/// How often what is no longer needed is deleted.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// How long the start waits until broadcast events are heard.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);

/// Deletes deliveries that were kept for long enough, some at a time.
const FORGET_DELIVERIES: &str = "DELETE FROM webhook_deliveries WHERE (action, delivery_id) IN
    (SELECT action, delivery_id FROM webhook_deliveries WHERE received_at < $1 ORDER BY received_at LIMIT 1000)";

/// What a process does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roles {
    /// Answers requests.
    pub(crate) http: bool,
    /// Runs jobs and hands events to their subscribers.
    pub(crate) worker: bool,
    /// Takes the ticks of schedules, and tidies up.
    pub(crate) scheduler: bool,
}

impl Roles {
    pub(crate) fn of(config: &Config) -> Self {
        let has = |role: &str| config.app.roles.iter().any(|one| one == role);
        Self { http: has("http"), worker: has("worker"), scheduler: has("scheduler") }
    }
}

/// Everything that runs in the background of one process.
pub(crate) struct Background {
    workers: Vec<(Worker, Reaper)>,
    relays: Vec<Relay>,
    ticker: Option<Ticker>,
    listeners: Vec<Listener>,
    others: Vec<Service>,
    writer: Writer,
}

/// Starts the writer of run records alone: what a command that runs one action needs.
pub(super) fn writer(services: &Services) -> Writer {
    let settings =
        runs::Settings { flush_interval: Duration::from_millis(services.config.persistence.flush_interval_ms) };
    Writer::start(services.recorder.clone(), services.db.clone(), settings)
}

impl Background {
    /// Starts what the roles ask for.
    ///
    /// # Errors
    /// 500 when a schedule's rule or a queue's setting is none; 409 when a schedule of the code has the name of one made at run time.
    pub(crate) async fn start(wired: &Wired, roles: Roles) -> Result<Self> {
        let services = &wired.services;
        let subscriptions = Subscriptions::new(&wired.registry, services.clone());
        let (mut workers, mut relays, mut listeners, mut ticker) = (Vec::new(), Vec::new(), Vec::new(), None);
        let mut others = Vec::new();
        // Each shard has jobs and events of its own.
        let main = (services.clone(), wired.relay_wake.clone());
        for (services, relay_wake) in std::iter::once(&main).chain(&wired.shards) {
            let subscriptions = Subscriptions::new(&wired.registry, services.clone());
            others.push(broadcasts(services, &subscriptions));
            if roles.worker {
                workers.push(work(services, &subscriptions)?);
                let retention = services.config.events.retention;
                let settings = events::Settings { retention, ..events::Settings::default() };
                relays.push(Relay::start(services.events.clone(), Arc::new(subscriptions), settings));
                others.push(wake_ups(services, relay_wake.clone()));
            }
            if roles.scheduler {
                others.push(tidying(services));
            }
            listeners.push(Listener::start(services.events.clone(), None));
        }
        if services.sessions.settings().revocation == Revocation::Eventual {
            others.push(services.sessions.watch());
        }
        if roles.scheduler {
            let declared = subscriptions.schedules()?;
            services.schedules.declare(&declared).await?;
            let settings =
                schedule::Settings { grace: services.config.schedule.grace, ..schedule::Settings::default() };
            ticker = Some(Ticker::start(services.schedules.clone(), declared, Arc::new(subscriptions), settings));
        }
        // What is broadcast once this process serves reaches it. A database that is away now does not keep it from starting.
        let heard = join_all(listeners.iter().map(Listener::started));
        if tokio::time::timeout(LISTENS_WITHIN, heard).await.is_err() {
            tracing::warn!("broadcast events are not heard yet: the connection that listens is not there");
        }
        Ok(Self { workers, relays, ticker, listeners, others, writer: writer(services) })
    }

    /// Stops taking work and lets what runs end. The writer of run records goes on: it is stopped when nothing runs any more, requests
    /// included.
    pub(crate) async fn stop(self) -> Writer {
        if let Some(ticker) = &self.ticker {
            ticker.stop().await;
        }
        let stopping = self.workers.iter().map(|(worker, reaper)| async { tokio::join!(worker.stop(), reaper.stop()) });
        join_all(stopping).await;
        join_all(self.relays.iter().map(Relay::stop)).await;
        join_all(self.listeners.iter().map(Listener::stop)).await;
        join_all(self.others.iter().map(Service::stop)).await;
        self.writer
    }
}

fn work(services: &Arc<Services>, subscriptions: &Subscriptions) -> Result<(Worker, Reaper)> {
    let config = &services.config.queue;
    let settings = WorkerSettings {
        name: worker_name(),
        queues: queues(&services.config, subscriptions)?,
        lease: config.lease,
        poll_interval: config.poll_interval,
        batch: config.batch as usize,
        shutdown_timeout: config.shutdown_timeout,
        metrics: services.metrics.clone(),
    };
    let handler = Arc::new(JobRunner::new(services.clone()));
    let (jobs, wake, clock) = (services.jobs.clone(), services.wake.clone(), services.clock.clone());
    let worker = Worker::start(jobs.clone(), handler, wake.clone(), clock.clone(), settings);
    let settings = ReaperSettings { lease: config.lease, raise_after: config.raise_after };
    Ok((worker, Reaper::start(jobs, wake, clock, settings)))
}

/// Returns the queues that this process works on, each with how many of its jobs may run at a time.
fn queues(config: &Config, subscriptions: &Subscriptions) -> Result<Vec<(String, usize)>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let usual = match config.queue.concurrency {
        0 => 2 * cores,
        some => some as usize,
    };
    if config.queue.queues.is_empty() {
        let named = subscriptions.queues().map(|queue| (queue.to_owned(), usual));
        return Ok(named.collect());
    }
    let one = |text: &String| match text.split_once('=') {
        None => Ok((text.trim().to_owned(), usual)),
        Some((name, number)) => match number.trim().parse() {
            Ok(number) if number > 0 => Ok((name.trim().to_owned(), number)),
            _ => Err(Error::new(
                500,
                "configuration",
                format!("`queue.queues` has `{text}`; write a queue's name, or `mail=4` for at most four at a time"),
            )),
        },
    };
    config.queue.queues.iter().map(one).collect()
}

/// Wakes this process's relay when another process has emitted.
fn wake_ups(services: &Arc<Services>, relay: Arc<Notify>) -> Service {
    let mut emitted = services.notifier.subscribe(invoke::EVENTS);
    Service::start("event wake-ups", |signals| async move {
        signals.started();
        loop {
            tokio::select! {
                () = signals.stopping() => return,
                () = emitted.notified() => relay.notify_one(),
            }
        }
    })
}

/// Runs broadcast events, one after the other.
fn broadcasts(services: &Arc<Services>, subscriptions: &Subscriptions) -> Service {
    let mut events = services.events.subscribe();
    let subscriptions = subscriptions.clone();
    Service::start("broadcast", |signals| async move {
        signals.started();
        loop {
            let event = tokio::select! {
                () = signals.stopping() => return,
                event = events.next() => event,
            };
            match event {
                Some(event) => subscriptions.run_broadcast(&event).await,
                None => return signals.stopping().await,
            }
        }
    })
}

/// Deletes what was kept for long enough: answers of calls with a key, records of runs, values with an end, and deliveries of
/// webhooks.
fn tidying(services: &Arc<Services>) -> Service {
    let services = services.clone();
    Service::start("tidying", |signals| async move {
        signals.started();
        loop {
            if let Err(error) = tidy(&services).await {
                tracing::warn!(%error, "what is no longer needed could not be deleted; it will be later");
            }
            tokio::select! {
                () = signals.stopping() => return,
                () = services.clock.sleep(TIDY_EVERY) => {}
            }
        }
    })
}

async fn tidy(services: &Services) -> Result<()> {
    services.keys.prune().await?;
    runs::tidy(&services.db, services.clock.now(), services.config.persistence.retention).await?;
    services.kv.sweep().await?;
    services.locks.sweep().await?;
    services.limits.sweep().await?;
    services.sessions.sweep().await?;
    let before = services.clock.now() - services.config.webhook.retention;
    while services.db.sql(FORGET_DELIVERIES).bind(before).execute().await? > 0 {}
    Ok(())
}
