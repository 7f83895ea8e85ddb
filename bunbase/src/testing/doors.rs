//! What an application has stored for later, looked at and run by its test.

use std::{fmt, future::IntoFuture, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sea_orm::FromQueryResult;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::TestApp;
use crate::{
    Result,
    action::{Action, Door},
    clock::Clock,
    context::{Identity, Services},
    invoke::{self, CallError, Calls, Invocation, JobRunner, Subscriptions},
    queue::{Claim, Claimed, Failed, JobHandler, Outcome},
    session::Grant,
    tenant::{TenantId, Tenants},
};

/// The lease of jobs that a test runs inline.
const LEASE: Duration = Duration::from_hours(1);

/// A typed call of a test: awaited, it answers as `ctx.call` does.
#[must_use = "a call is made by `.await`"]
pub struct TestCall<'a, A> {
    services: &'a Arc<Services>,
    message: A,
    identity: Identity,
    tenant: Option<TenantId>,
}

/// One run, as the table `action_runs` has it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Run {
    /// The full name of the action.
    pub action: String,
    /// The door.
    pub door: String,
    /// The trace id.
    pub trace_id: String,
    /// The last attempt.
    pub attempt: i32,
    /// How it ended.
    pub status: String,
    /// The stable code of its error.
    pub error_code: Option<String>,
    /// The text of its error.
    pub error: Option<String>,
}

impl<'a, A: Action> TestCall<'a, A> {
    pub(super) fn new(services: &'a Arc<Services>, message: A) -> Self {
        Self { services, message, identity: Identity::Anonymous, tenant: None }
    }

    /// Calls as somebody.
    pub fn as_identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Calls for a tenant.
    ///
    /// # Panics
    /// When the text is no id of one.
    pub fn for_tenant(self, id: &str) -> Self {
        let tenant = id.parse().unwrap_or_else(|error| panic!("{error}"));
        Self { tenant: Some(tenant), ..self }
    }

    /// Calls as a person without roles.
    pub fn as_user(self, id: impl Into<String>) -> Self {
        self.as_identity(Identity::user(id))
    }

    /// Calls as a person who may do what this grants.
    pub fn signed_in(self, grant: Grant) -> Self {
        self.as_identity(grant.into())
    }
}

impl<'a, A: Action> IntoFuture for TestCall<'a, A> {
    type Output = Result<A::Output, CallError<A::Error>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let services = self.services;
            let call =
                Invocation { identity: self.identity, tenant: self.tenant, ..Invocation::fresh(services, Door::Call) };
            Calls::of(services).map_err(CallError::Framework)?.call(services, call, self.message).await
        })
    }
}

impl<A> fmt::Debug for TestCall<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCall").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl TestApp {
    /// Returns the clock that the application lives by; `advance` moves it.
    pub fn clock(&self) -> &Clock {
        &self.services.clock
    }

    /// Returns the messages of the jobs of an action that wait, in the order in which they were stored.
    ///
    /// # Panics
    /// When the database does not answer, or a stored message is none.
    pub async fn enqueued<A: Action>(&self) -> Vec<A> {
        let name = self.name_of::<A>();
        let sql = "SELECT input FROM job_queue WHERE action = $1 AND status IN ('pending', 'retrying') ORDER BY id";
        let rows: Vec<(String,)> =
            self.db().sql(sql).bind(name).columns().await.unwrap_or_else(|error| panic!("{error:?}"));
        let read = |(text,): (String,)| {
            let message = self.services.unseal(name, &text).unwrap_or_else(|error| panic!("{error:?}"));
            // As its run reads it: deliveries and events may say more than the action knows.
            invoke::read(message, true).unwrap_or_else(|error| panic!("{error:?}: {text}"))
        };
        rows.into_iter().map(read).collect()
    }

    /// Returns the payloads of the events of a name that were emitted, in their order.
    ///
    /// # Panics
    /// When the database does not answer, or a payload is not a `T`.
    pub async fn emitted<T: DeserializeOwned>(&self, name: &str) -> Vec<T> {
        let sql = "SELECT payload FROM event_outbox WHERE name = $1 ORDER BY position";
        let rows: Vec<(String,)> =
            self.db().sql(sql).bind(name).columns().await.unwrap_or_else(|error| panic!("{error:?}"));
        let read = |(text,): (String,)| {
            let payload = self.services.unseal(name, &text).unwrap_or_else(|error| panic!("{error:?}"));
            serde_json::from_value(payload).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        rows.into_iter().map(read).collect()
    }

    fn name_of<A: Action>(&self) -> &'static str {
        let at = (A::META.module_path, A::META.name);
        let action = self.registry.actions().iter().find(|action| {
            let meta = &action.entry.meta;
            (meta.module_path, meta.name) == at
        });
        action.map_or_else(|| panic!("`{}` is not registered", A::META.name), |action| action.name)
    }

    /// Runs everything that is due, here and one after the other: events reach their subscribers, jobs run, and so does what they
    /// store in turn. Returns how many attempts of jobs there were. What fails waits for its next attempt: move the
    /// [`clock`](Self::clock) on and drain again.
    ///
    /// # Panics
    /// When the database does not answer, or there is no end to it.
    pub async fn drain(&self) -> usize {
        let subscriptions = Subscriptions::new(&self.registry, self.services.clone());
        let unwrap = |result: Result<()>| result.unwrap_or_else(|error| panic!("{error:?}"));
        unwrap(self.services.schedules.declare(&subscriptions.schedules().unwrap_or_default()).await);
        for attempts in 0..10_000 {
            unwrap(subscriptions.take_ticks().await);
            let mut next = None;
            for services in self.all_services() {
                let subscriptions = Subscriptions::new(&self.registry, services.clone());
                unwrap(services.events.deliver_all(&subscriptions).await);
                if next.is_none() {
                    next = next_job(services).await.map(|job| (services, job));
                }
            }
            let Some((services, job)) = next else { return attempts };
            let lease = job.lease();
            let jobs = &services.jobs;
            let runner = JobRunner::new(services.clone());
            let ended = match runner.run(job, CancellationToken::new()).await {
                Outcome::Completed => jobs.complete(&[lease]).await.map(|_| ()),
                Outcome::Failed(failure) => jobs.fail(&[Failed { lease, failure }]).await.map(|_| ()),
                Outcome::Cancelled => jobs.cancelled(&[lease]).await.map(|_| ()),
                Outcome::Released => jobs.release(&[lease]).await.map(|_| ()),
            };
            ended.unwrap_or_else(|error| panic!("{error:?}"));
        }
        panic!("after 10 000 jobs there is no end to it: does a job enqueue itself?");
    }

    /// Returns the services of the main database and of all shards.
    fn all_services(&self) -> impl Iterator<Item = &Arc<Services>> {
        std::iter::once(&self.services).chain(self.services.shards.get().into_iter().flat_map(|all| all.values()))
    }

    /// Returns the tenants of the application, to add one.
    pub fn tenants(&self) -> &Tenants {
        &self.services.tenants
    }

    /// Returns the runs of an action that were recorded, in the order in which they ended.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn runs<A: Action>(&self) -> Vec<Run> {
        crate::runs::flush(&self.services.recorder, self.db()).await;
        let sql = "SELECT action, door, trace_id, attempt, status, error_code, error FROM action_runs
            WHERE action = $1 ORDER BY id";
        self.db().sql(sql).bind(self.name_of::<A>()).all().await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}

async fn next_job(services: &Services) -> Option<Claimed> {
    let sql = "SELECT DISTINCT queue FROM job_queue WHERE status IN ('pending', 'retrying') ORDER BY queue";
    let queues: Vec<(String,)> = services.db.sql(sql).columns().await.unwrap_or_else(|error| panic!("{error:?}"));
    for (queue,) in queues {
        for grouped in [false, true] {
            let claim = Claim { queue: queue.clone(), limit: 1, lease: LEASE, worker: "test".to_owned(), grouped };
            let claimed = services.jobs.claim(&claim).await.unwrap_or_else(|error| panic!("{error:?}"));
            if let Some(job) = claimed.jobs.into_iter().next() {
                return Some(job);
            }
        }
    }
    None
}

/// Asserts that a job of an action waits; with a closure, one whose message it accepts.
///
/// ```ignore
/// assert_enqueued!(app, SendMail);
/// assert_enqueued!(app, SendMail, |mail| mail.to == "ann");
/// ```
#[macro_export]
macro_rules! assert_enqueued {
    ($app:expr, $action:ty) => {
        $crate::assert_enqueued!($app, $action, |_| true)
    };
    ($app:expr, $action:ty, $accepts:expr) => {{
        let waiting = $app.enqueued::<$action>().await;
        let accepts: fn(&$action) -> bool = $accepts;
        ::std::assert!(
            waiting.iter().any(accepts),
            "no such job of `{}` waits; those that do: {:#?}",
            ::std::stringify!($action),
            waiting
        );
    }};
}
