//! What events and ticks do: they become jobs of the actions that asked for them.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Calls, Invocation, Runner, enqueue::below};
use crate::{
    Error, Result,
    action::{Door, Trigger},
    context::{Caused, Services},
    db::Tx,
    events::{Deliver, Emitted},
    observe::trace::Kind,
    queue::{Due, Group, NewJob},
    registry::{Registered, Registry},
    schedule::{NewSchedule, OnTick, Overlap, Rule, Tick},
};

/// How many jobs one statement stores.
const BATCH: usize = 500;

/// Whether a job has not ended.
const UNFINISHED: &str =
    "SELECT count(*) FROM job_queue WHERE id = $1 AND status IN ('pending', 'running', 'retrying')";

/// Which actions subscribe to what, as their triggers say.
#[derive(Clone)]
pub struct Subscriptions {
    services: Arc<Services>,
    events: Arc<[Subscription]>,
    schedules: Arc<[(&'static str, usize, Trigger)]>,
    queues: Arc<BTreeSet<&'static str>>,
}

/// One action's subscription to an event.
#[derive(Clone, Debug)]
struct Subscription {
    event: &'static str,
    action: &'static str,
    ordered: bool,
    broadcast: bool,
}

impl Subscriptions {
    /// Reads the triggers of all actions.
    pub fn new(registry: &Registry, services: Arc<Services>) -> Self {
        let mut events = Vec::new();
        let mut schedules: Vec<(&str, usize, Trigger)> = Vec::new();
        for action in registry.actions() {
            for trigger in action.entry.meta.triggers {
                match *trigger {
                    Trigger::Event { name, ordered, broadcast } => {
                        events.push(Subscription { event: name, action: action.name, ordered, broadcast });
                    }
                    Trigger::Schedule { .. } => {
                        let mine = schedules.iter().filter(|(name, ..)| *name == action.name).count();
                        schedules.push((action.name, mine, *trigger));
                    }
                    _ => {}
                }
            }
        }
        let queues = Self::queue_names(registry).collect();
        Self { services, events: events.into(), schedules: schedules.into(), queues: Arc::new(queues) }
    }

    /// Returns the queues that the actions of a registry name, some more than once.
    pub fn queue_names(registry: &Registry) -> impl Iterator<Item = &'static str> {
        registry.actions().iter().map(|action| action.entry.meta.queue)
    }

    /// Returns the names of the events that are broadcast to some action of a registry.
    pub fn broadcast_names(registry: &Registry) -> BTreeSet<String> {
        let triggers = |action: &Registered| action.entry.meta.triggers.iter();
        let names = registry.actions().iter().flat_map(triggers).filter_map(|trigger| match *trigger {
            Trigger::Event { name, broadcast: true, .. } => Some(name.to_owned()),
            _ => None,
        });
        names.collect()
    }

    /// Returns the queues that the actions name.
    pub fn queues(&self) -> impl Iterator<Item = &'static str> {
        self.queues.iter().copied()
    }

    /// Returns the schedules that the actions declare. An action's first has its name, the others a number behind it.
    ///
    /// # Errors
    /// 500 when a rule or a zone is none, each with its action.
    pub fn schedules(&self) -> Result<Vec<NewSchedule>> {
        let zone_of_config = &self.services.config.schedule.zone;
        let mut problems = Vec::new();
        let mut all = Vec::new();
        for (action, number, trigger) in self.schedules.iter() {
            let Trigger::Schedule { rule, zone, missed, overlap } = *trigger else { continue };
            let zone = if zone.is_empty() { zone_of_config.as_str() } else { zone };
            match (rule.parse::<Rule>(), zone.parse()) {
                (Ok(rule), Ok(zone)) => {
                    let name = if *number == 0 { (*action).to_owned() } else { format!("{action}#{}", number + 1) };
                    all.push(NewSchedule { zone, missed, overlap, ..NewSchedule::new(name, *action, rule) });
                }
                (rule, zone) => {
                    let told = rule.err().map(|error| error.to_string());
                    problems.extend(
                        told.into_iter()
                            .chain(zone.err().map(|error| error.to_string()))
                            .map(|text| format!("`{action}`: {text}")),
                    );
                }
            }
        }
        if problems.is_empty() { Ok(all) } else { Err(Error::new(500, "schedules", problems.join("\n"))) }
    }

    /// Runs a broadcast event on this instance, for each action that asked for it so: at most once, and without a job.
    pub async fn run_broadcast(&self, event: &Emitted) {
        for subscription in self.events.iter().filter(|one| one.broadcast && one.event == event.name) {
            let run = async {
                let input = self.services.unseal(&event.name, &event.payload)?;
                let Caused { identity, tenant } = serde_json::from_str(&event.identity)?;
                let call = Invocation {
                    identity,
                    tenant,
                    ..Invocation::new(self.services.tracer.decide_on(&event.traceparent), Door::Event, Instant::now())
                };
                Calls::of(&self.services)?.reply_by_name(&self.services, subscription.action, call, input).await
            };
            if let Err(error) = run.await {
                let (action, event, code) = (subscription.action, &event.name, error.code());
                tracing::warn!(action, event, code, %error, "a broadcast event was not taken; it is not tried again");
            }
        }
    }

    fn runner(&self, action: &str) -> Result<Arc<Runner>> {
        let runner = Calls::of(&self.services)?.runner_by_name(action);
        runner.ok_or_else(|| Error::internal(format!("no action is named `{action}`")))
    }

    fn job(&self, runner: &Runner, door: Door, origin: String, input: String) -> NewJob {
        let meta = runner.meta;
        NewJob {
            id: Uuid::now_v7(),
            queue: meta.queue.to_owned(),
            action: runner.name.to_owned(),
            input,
            priority: meta.priority,
            due: Due::Now,
            max_attempts: meta.retry.map_or(self.services.config.queue.max_attempts, |policy| policy.attempts),
            unique: None,
            group: None,
            door: door.as_str(),
            origin: Some(origin),
            identity: String::new(),
            traceparent: String::new(),
        }
    }

    fn jobs_of(&self, event: &Emitted) -> Result<Vec<NewJob>> {
        let mut jobs = Vec::new();
        let mut payload = None;
        for subscription in self.events.iter().filter(|one| !one.broadcast && one.event == event.name) {
            let runner = self.runner(subscription.action)?;
            // Sealed for the event so far, and from here on for the action.
            let payload = match &payload {
                Some(payload) => payload,
                None => payload.insert(self.services.unseal(&event.name, &event.payload)?),
            };
            let input = self.services.seal(runner.name, &runner.sensitive, payload)?;
            let ordering = event.ordering_key.as_ref().filter(|_| subscription.ordered);
            jobs.push(NewJob {
                group: ordering.map(|key| Group {
                    key: format!("event:{}:{}:{key}", subscription.action, event.name),
                    limit: 1,
                    position: Some(event.position),
                }),
                identity: event.identity.clone(),
                traceparent: event.traceparent.clone(),
                ..self.job(&runner, Door::Event, event.id.to_string(), input)
            });
        }
        Ok(jobs)
    }

    /// Takes all ticks that are due, once.
    #[cfg(feature = "testing")]
    pub(crate) async fn take_ticks(&self) -> Result<()> {
        let names: Vec<String> = self.schedules()?.into_iter().map(|schedule| schedule.name).collect();
        self.services.schedules.take_all(&names, self.services.config.schedule.grace, self).await
    }
}

impl Deliver for Subscriptions {
    fn deliver<'a>(&'a self, tx: &'a Tx, events: &'a [Emitted]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut jobs = Vec::new();
            for event in events {
                jobs.extend(self.jobs_of(event)?);
            }
            for batch in jobs.chunks(BATCH) {
                self.services.jobs.insert_in(tx, batch).await?;
            }
            Ok(())
        })
    }

    fn committed(&self) {
        self.queues.iter().for_each(|queue| self.services.wake.jobs(queue));
    }
}

impl OnTick for Subscriptions {
    fn fire<'a>(&'a self, tx: &'a Tx, tick: &'a Tick) -> BoxFuture<'a, Result<Option<Uuid>>> {
        Box::pin(async move {
            if let (Overlap::Skip, Some(previous)) = (tick.overlap, tick.previous_job) {
                let unfinished: i64 = tx.sql(UNFINISHED).bind(previous).scalar().await?;
                if unfinished > 0 {
                    return Ok(None);
                }
            }
            let runner = self.runner(&tick.action)?;
            let at_us = tick.at.timestamp_micros();
            // A trace begins here, and the job is the first that happens in it.
            let root = self.services.tracer.decide(None);
            let span = self.services.tracer.span(&root, Kind::Producer, format!("schedule {}", tick.schedule));
            let mut jobs = [NewJob {
                group: (tick.overlap == Overlap::Queue).then(|| Group {
                    key: format!("schedule:{}", tick.schedule),
                    limit: 1,
                    position: Some(at_us),
                }),
                identity: tick.identity.clone(),
                ..self.job(
                    &runner,
                    Door::Cron,
                    format!("{}@{}", tick.schedule, tick.at.to_rfc3339()),
                    tick.input.clone(),
                )
            }];
            let _span = below(span, &root, &mut jobs);
            let id = jobs[0].id;
            self.services.jobs.insert_in(tx, &jobs).await?;
            Ok(Some(id))
        })
    }

    fn committed(&self) {
        Deliver::committed(self);
    }
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").field("events", &self.events).finish_non_exhaustive()
    }
}
