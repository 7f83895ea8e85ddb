//! An action as a job: `ctx.enqueue(SendMail::new(7))`.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::Calls;
use crate::{
    Error, Result,
    action::{Action, Door, rules},
    context::{Caused, Ctx, Services, Tx},
    error::code,
    observe::trace::{Kind, Parent, Span},
    queue::{Due, Enqueued, Group, NewJob, Priority, Unique, UniqueScope, Wake},
    tenant::TenantId,
};

/// A job that is stored when it is awaited.
///
/// ```no_run
/// # use bunbase::prelude::*;
/// # use std::time::Duration;
/// # #[action]
/// # async fn send_mail(to: String) -> Result<()> { Ok(()) }
/// # async fn example(ctx: Ctx) -> Result<()> {
/// ctx.enqueue(SendMail::new("ann".to_owned())).after(Duration::from_secs(60)).unique_key("welcome:ann").await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a job is stored by `.await`"]
pub struct Enqueue<'a> {
    place: Place<'a>,
    job: Result<NewJob>,
    /// The tenant that it is for, where this run is across all.
    tenant: Option<TenantId>,
}

/// What the job becomes part of.
#[derive(Clone, Copy)]
enum Place<'a> {
    Ctx(&'a Ctx),
    Tx(&'a Tx),
}

impl Ctx {
    /// Stores a run of an action for later: its message is the job. Workers run it with this run's identity, as part of its trace.
    ///
    /// An action that takes a file or answers a stream cannot be a job: that does not compile.
    ///
    /// # Errors
    /// 500 `transaction_open` while a transaction of this run is open: there it is `tx.enqueue(…)`, which makes the job part of it.
    /// 503 when the database is away.
    #[expect(clippy::needless_pass_by_value, reason = "the message is the call, as in `ctx.call`")]
    pub fn enqueue<A: Action>(&self, message: A) -> Enqueue<'_> {
        Enqueue { place: Place::Ctx(self), job: job_of(self, &message), tenant: None }
    }

    /// Stores many jobs of one action with one statement. Answers in their order.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue); then none of them is stored.
    pub async fn enqueue_all<A: Action>(&self, messages: impl IntoIterator<Item = A>) -> Result<Vec<Enqueued>> {
        let jobs = messages.into_iter().map(|message| job_of(self, &message)).collect::<Result<Vec<_>>>()?;
        Place::Ctx(self).store(jobs).await
    }
}

impl Tx {
    /// Stores a run of an action for later, as part of this transaction: workers see it when it commits, and never otherwise.
    ///
    /// # Errors
    /// Those of the database.
    #[expect(clippy::needless_pass_by_value, reason = "the message is the call, as in `ctx.call`")]
    pub fn enqueue<A: Action>(&self, message: A) -> Enqueue<'_> {
        Enqueue { place: Place::Tx(self), job: job_of(self.ctx(), &message), tenant: None }
    }

    /// Stores many jobs of one action with one statement, as part of this transaction. Answers in their order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn enqueue_all<A: Action>(&self, messages: impl IntoIterator<Item = A>) -> Result<Vec<Enqueued>> {
        let jobs = messages.into_iter().map(|message| job_of(self.ctx(), &message)).collect::<Result<Vec<_>>>()?;
        Place::Tx(self).store(jobs).await
    }
}

/// Makes a job of a message, with what its action says.
fn job_of<A: Action>(ctx: &Ctx, message: &A) -> Result<NewJob> {
    const { rules::job::<A>() };
    let services = ctx.inner().services();
    let runner = Calls::of(services)?.runner::<A>()?;
    let max_attempts = runner.meta.retry.map_or(services.config.queue.max_attempts, |policy| policy.attempts);
    Ok(NewJob {
        id: Uuid::now_v7(),
        queue: runner.meta.queue.to_owned(),
        action: runner.name.to_owned(),
        input: services.seal(runner.name, &runner.sensitive, message)?,
        priority: runner.meta.priority,
        due: Due::Now,
        max_attempts,
        unique: None,
        group: None,
        door: Door::Job.as_str(),
        origin: None,
        identity: ctx.caused()?,
        traceparent: String::new(),
    })
}

/// Begins the span of storing jobs of one action, which are then below it.
fn producing(ctx: &Ctx, jobs: &mut [NewJob]) -> Span {
    let trace = &ctx.inner().trace;
    let span = match jobs {
        [first, ..] if trace.is_recording() => trace.child(Kind::Producer, format!("enqueue {}", first.action)),
        _ => Span::none(),
    };
    below(span, &trace.below(), jobs)
}

/// Says in jobs of one action that they are below a span, or where that would be.
pub(super) fn below(mut span: Span, place: &Parent, jobs: &mut [NewJob]) -> Span {
    let traceparent = span.below().as_ref().unwrap_or(place).traceparent();
    for job in &mut *jobs {
        job.traceparent.clone_from(&traceparent);
    }
    span.write(|span| {
        span.set("messaging.system", "bunbase");
        span.set("messaging.operation.type", "send");
        span.set("messaging.operation.name", "enqueue");
        if let [job, ..] = jobs {
            span.set("messaging.destination.name", job.queue.clone());
        }
        match jobs {
            [job] => span.set("messaging.message.id", job.id.to_string()),
            _ => span.set("messaging.batch.message_count", jobs.len()),
        }
    });
    span
}

/// Keeps the keys of tenants apart that share a queue.
fn apart(mut job: NewJob, tenant: Option<&TenantId>) -> NewJob {
    if let Some(tenant) = tenant {
        job.unique = job.unique.map(|unique| Unique { key: format!("{tenant}|{}", unique.key), ..unique });
        job.group = job.group.map(|group| Group { key: format!("{tenant}|{}", group.key), ..group });
    }
    job
}

impl Place<'_> {
    fn ctx(&self) -> &Ctx {
        match self {
            Place::Ctx(ctx) => ctx,
            Place::Tx(tx) => tx.ctx(),
        }
    }

    /// Returns the services of the shard of a tenant that this run may store jobs for.
    async fn for_tenant(&self, tenant: &TenantId) -> Result<Arc<Services>> {
        let ctx = self.ctx();
        if matches!(self, Place::Tx(_)) {
            let text = "a job for a tenant is stored where its data is, so it is no part of this transaction: enqueue it through `ctx`";
            return Err(Error::internal(text));
        }
        if ctx.tenant().is_some_and(|own| own != tenant) {
            return Err(Error::new(403, code::TENANT_OTHER, "a run of one tenant stores no jobs for another"));
        }
        let services = ctx.inner().services();
        let shard = services.tenants.find(tenant).await?;
        let shard =
            shard.ok_or_else(|| Error::new(404, code::TENANT_UNKNOWN, format!("there is no tenant `{tenant}`")))?;
        services.of_shard(&shard)
    }

    async fn store(self, mut jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        let _span = producing(self.ctx(), &mut jobs);
        let jobs = jobs.as_slice();
        match self {
            Place::Ctx(ctx) => {
                let inner = ctx.inner();
                inner.db().refuse_beside_transaction("enqueue through `tx.enqueue(…)`, not through `ctx`")?;
                let store = &inner.services().jobs;
                match inner.db().joined(true).await? {
                    None => {
                        let stored = store.insert(jobs).await?;
                        wake(&inner.services().wake, &queues(jobs));
                        Ok(stored)
                    }
                    Some(shared) => store_in(ctx, &shared, jobs).await,
                }
            }
            Place::Tx(tx) => store_in(tx.ctx(), tx.shared(), jobs).await,
        }
    }
}

async fn store_in(ctx: &Ctx, shared: &crate::context::Shared, jobs: &[NewJob]) -> Result<Vec<Enqueued>> {
    let services = ctx.inner().services();
    let stored = services.jobs.insert_in(shared.tx(), jobs).await?;
    let (waker, queues) = (services.wake.clone(), queues(jobs));
    shared.after_commit(move || wake(&waker, &queues));
    Ok(stored)
}

/// Wakes the workers of these queues, here and in other processes.
fn wake(waker: &Wake, queues: &[String]) {
    for queue in queues {
        waker.jobs(queue);
    }
}

fn queues(jobs: &[NewJob]) -> Vec<String> {
    let mut queues: Vec<String> = jobs.iter().map(|job| job.queue.clone()).collect();
    queues.sort_unstable();
    queues.dedup();
    queues
}

impl Enqueue<'_> {
    fn with(mut self, change: impl FnOnce(&mut NewJob)) -> Self {
        if let Ok(job) = &mut self.job {
            change(job);
        }
        self
    }

    fn refuse(mut self, text: String) -> Self {
        if self.job.is_ok() {
            self.job = Err(Error::internal(text));
        }
        self
    }

    /// Runs it so long after it was stored, at the earliest.
    pub fn after(self, wait: Duration) -> Self {
        self.with(|job| job.due = Due::After(wait))
    }

    /// Runs it at this time, at the earliest.
    pub fn at(self, time: DateTime<Utc>) -> Self {
        self.with(|job| job.due = Due::At(time))
    }

    /// Runs it for a tenant, where this run is across all of them; otherwise it is for this run's own. It is stored at once, where that
    /// tenant's data is, and is no part of a transaction.
    pub fn tenant(self, tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// Says how urgent it is; what the action says unless said.
    pub fn priority(self, priority: Priority) -> Self {
        self.with(|job| job.priority = priority)
    }

    /// Puts it into another queue than its action's.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        let queue = queue.into();
        if queue.is_empty()
            || queue.len() > 100
            || !queue.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        {
            return self.refuse(format!("{queue:?} is no name of a queue: write letters, digits, `_`, `-` and `.`"));
        }
        self.with(|job| job.queue = queue)
    }

    /// Gives it so many attempts, at least one; what the action's `retry` says unless said, else `queue.max_attempts`.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.with(|job| job.max_attempts = attempts.max(1))
    }

    /// Adds it only if no job of this action with the same key waits or runs; otherwise the answer is that one's id. See
    /// [`unique_until_started`](Self::unique_until_started) and [`unique_for`](Self::unique_for) for other spans.
    pub fn unique_key(self, key: impl fmt::Display) -> Self {
        self.with(|job| {
            let scope = job.unique.take().map_or(UniqueScope::Unfinished, |unique| unique.scope);
            job.unique = Some(Unique { key: format!("{}:{key}", job.action), scope });
        })
    }

    /// Lets go of the unique key as soon as a worker takes the job.
    pub fn unique_until_started(self) -> Self {
        self.scope(UniqueScope::Pending)
    }

    /// Keeps the unique key for so long after the job was stored, whether it has ended or not.
    pub fn unique_for(self, period: Duration) -> Self {
        self.scope(UniqueScope::Period(period))
    }

    fn scope(self, scope: UniqueScope) -> Self {
        self.with(|job| {
            // Without a key, the input is the key.
            let key = job.unique.take().map_or_else(|| format!("{}:{}", job.action, job.input), |unique| unique.key);
            job.unique = Some(Unique { key, scope });
        })
    }

    /// Lets at most `limit` jobs with this key run at a time, over all workers and actions.
    pub fn group_concurrency(self, key: impl fmt::Display, limit: u32) -> Self {
        if limit == 0 {
            return self.refuse("a group of which no job may run is none: its limit is at least 1".to_owned());
        }
        self.with(|job| job.group = Some(Group { key: key.to_string(), limit, position: None }))
    }
}

impl<'a> IntoFuture for Enqueue<'a> {
    type Output = Result<Enqueued>;
    type IntoFuture = BoxFuture<'a, Result<Enqueued>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut job = self.job?;
            let stored = match self.tenant {
                None => self.place.store(vec![apart(job, self.place.ctx().tenant())]).await?,
                Some(tenant) => {
                    let services = self.place.for_tenant(&tenant).await?;
                    let identity = self.place.ctx().identity();
                    job.identity = serde_json::to_string(&Caused { identity, tenant: Some(tenant.clone()) })?;
                    let mut jobs = [apart(job, Some(&tenant))];
                    let _span = producing(self.place.ctx(), &mut jobs);
                    let stored = services.jobs.insert(&jobs).await?;
                    wake(&services.wake, &queues(&jobs));
                    stored
                }
            };
            stored.first().copied().ok_or_else(|| Error::internal("the queue answered nothing"))
        })
    }
}

impl fmt::Debug for Enqueue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.job.as_ref().map(|job| job.action.as_str());
        f.debug_struct("Enqueue").field("action", &action).finish_non_exhaustive()
    }
}
