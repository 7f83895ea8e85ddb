//! Running an action: the one path that every door ends in.
//!
//! Here: [`invoke`] and its two halves, attempts, and the typed in-process call. Not here: how a door decodes its own form (it
//! implements [`Decode`]), and what a door does with the answer.

mod attempts;
mod cached;
mod call;
mod compute;
mod emit;
mod enqueue;
mod error;
mod idempotent;
mod jobs;
mod measure;
mod outcome;
mod queue;
mod schedule;
mod subscriptions;
mod time_limit;

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde_json::Value;

#[cfg(feature = "testing")]
pub(crate) use self::call::read;
use self::measure::OfAction;
pub use self::{
    attempts::{Finish, Settle, Typed, Written},
    call::{Callable, Calls},
    emit::Emit,
    enqueue::Enqueue,
    error::CallError,
    idempotent::Answer,
    jobs::JobRunner,
    queue::Jobs,
    schedule::Schedule,
    subscriptions::Subscriptions,
    time_limit::TimeLimit,
};
pub(crate) use self::{
    emit::TOPIC as EVENTS,
    measure::{Errors, Measures},
    outcome::Outcome,
};
use crate::{
    Error, Result,
    action::{Action, ActionMeta, Door},
    context::{Chain, Ctx, Database, Held, Identity, Inner, Job, Lazy, Request, Scope, Services, Who},
    db::Run,
    guard::DynGuard,
    observe::trace::{self, Kind, Parent, Trace},
    registry::Registered,
    runs::{self, Redaction},
    schema::Generator,
    seal::Sensitive,
    tenant::TenantId,
};

/// One action, ready to run: what start-up resolved, so that a run looks nothing up.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The full name.
    pub name: &'static str,
    /// What the macro said.
    pub meta: &'static ActionMeta,
    /// The longest time until the answer; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Which values of its message are sealed where it is stored.
    pub(crate) sensitive: Sensitive,
    /// Which values are left out of its records.
    redaction: Redaction,
    module_guards: Arc<[Box<dyn DynGuard>]>,
    guards: Arc<[Box<dyn DynGuard>]>,
    /// Whether no guard of it tells callers apart.
    admits_everybody: bool,
    measures: OfAction,
}

/// Who calls, and as part of what.
#[derive(Debug)]
pub struct Invocation {
    /// The place in a trace that this run is below.
    pub trace: Parent,
    /// When it came.
    pub came: Instant,
    /// The door.
    pub door: Door,
    /// Who causes it.
    pub identity: Identity,
    /// The tenant that it is for, where that is known beforehand.
    pub tenant: Option<TenantId>,
    /// Which attempt of the queue this is; 1 behind doors that have no queue.
    pub attempt: u32,
    /// The job behind it.
    pub job: Option<Job>,
    /// The HTTP request behind it.
    pub request: Option<Request>,
    /// The message's fields, where guards cannot read them from a path.
    pub fields: Option<Value>,
    /// The names of the actions that led here.
    pub chain: Chain,
    /// The run that calls, where one does: its open transaction forbids writes here, too.
    pub caller: Option<Ctx>,
    /// What its statements belong to.
    pub(crate) scope: Scope,
    /// The name of the tool that is called, where one is and its trace is recorded.
    pub(crate) tool: Option<String>,
}

/// A door's own form of an input, which it decodes once the guards have passed.
pub trait Decode<A: Action> {
    /// Decodes the input.
    ///
    /// # Errors
    /// 400 when it cannot be read, 422 when fields of it are wrong.
    fn decode(self, ctx: &Ctx) -> impl Future<Output = Result<A>>;
}

impl Runner {
    /// Prepares an action to run. `timeout` is the limit where the action has none of its own; zero is none.
    pub(crate) fn new(action: &Registered, timeout: Duration, measures: &Measures) -> Self {
        let meta = &action.entry.meta;
        let mut generator = Generator::default();
        let output = (action.entry.output)(&mut generator).content.map(|(_, schema)| schema);
        let redaction = Redaction::of(action.entry.fields, output.as_ref(), &generator.into_definitions());
        Self {
            name: action.name,
            meta,
            timeout: Some(meta.timeout.unwrap_or(timeout)).filter(|timeout| !timeout.is_zero()),
            sensitive: Sensitive::of(action.entry.fields),
            redaction,
            module_guards: action.module_guards.clone(),
            guards: action.guards.clone(),
            admits_everybody: action.guard_docs().iter().all(|guard| guard.admits_everybody),
            measures: measures.of(action.name),
        }
    }

    /// Opens the context of one run.
    pub fn open(&self, services: &Arc<Services>, call: Invocation) -> Ctx {
        let Invocation {
            trace,
            came,
            door,
            identity,
            tenant,
            attempt,
            job,
            request,
            fields,
            mut chain,
            caller,
            scope,
            tool,
        } = call;
        chain.push(self.name);
        // One transaction for all that it writes, so that the answer can be stored in it.
        let scope = match scope {
            Scope::Alone if self.meta.idempotent => Scope::Lazy(Arc::new(Lazy::new(services.db.clone(), None))),
            scope => scope,
        };
        let run = Run::new(self.name, trace.trace.as_u128(), services.db.settings().n_plus_one);
        let trace = self.trace(services, trace, (door, tool), job.as_ref());
        let db = Database::new(services.db.clone(), run, scope, caller).gated(services.tenants.is_on());
        let db = match (&services.read_after, &request) {
            (Some(read_after), Some(request)) => db.reading_after(read_after.of(request, services.clock.now())),
            _ => db,
        };
        Ctx::open(Inner {
            services: services.clone(),
            db,
            action: self.name,
            trace,
            door,
            attempt: attempt.into(),
            who: std::sync::RwLock::new(Who::Known(identity)),
            job,
            request,
            fields,
            chain,
            provided: std::sync::Mutex::default(),
            notes: runs::Notes::default(),
            session: Held::new(came),
            headers: std::sync::Mutex::default(),
            written: std::sync::OnceLock::new(),
            carried_tenant: tenant,
            entered: std::sync::OnceLock::new(),
        })
    }

    /// Begins the run's span. Behind HTTP it is the request's, too, and the door says more of it.
    fn trace(
        &self,
        services: &Services,
        parent: Parent,
        (door, tool): (Door, Option<String>),
        job: Option<&Job>,
    ) -> Trace {
        let kind = match door {
            Door::Http | Door::Tool => Kind::Server,
            Door::Call => Kind::Internal,
            _ => Kind::Consumer,
        };
        let trace = Trace::begin(&services.tracer, parent, kind, self.name);
        trace.write(|span| {
            span.set("bunbase.action", self.name);
            span.set("bunbase.door", door.as_str());
            if let Some(tool) = tool {
                span.name = format!("tools/call {tool}").into();
                span.set("mcp.method.name", "tools/call");
                span.set("gen_ai.operation.name", "execute_tool");
                span.set("gen_ai.tool.name", tool);
            }
            if let (Kind::Consumer, Some(job)) = (kind, job) {
                span.set("messaging.system", "bunbase");
                span.set("messaging.operation.type", "process");
                span.set("messaging.operation.name", "process");
                span.set("messaging.destination.name", self.meta.queue);
                span.set("messaging.message.id", job.id().to_string());
            }
        });
        trace
    }

    /// First half: the guards, in their order, then decoding and what looks at the input. Nothing has happened yet when it is
    /// cancelled. A panic becomes an error.
    ///
    /// # Errors
    /// A guard's refusal, what is wrong with the input, or 500 when one of them panicked.
    pub async fn prepare<A: Action>(&self, ctx: &Ctx, input: impl Decode<A>) -> Result<(A::Provided, A)> {
        // By reference: what is moved from one wrapper into the next is copied.
        let steps = AssertUnwindSafe(pin!(self.check_and_decode(ctx, input)));
        steps.catch_unwind().await.unwrap_or_else(|panic| Err(panicked("a guard or the decoding", panic.as_ref())))
    }

    async fn check_and_decode<A: Action>(&self, ctx: &Ctx, input: impl Decode<A>) -> Result<(A::Provided, A)> {
        ctx.resolve_tenant().await?;
        let provided = self.check::<A>(ctx).await.inspect_err(|error| self.measures.refused(error.status()))?;
        ctx.require_tenant().await?;
        let message = {
            let _span = ctx.inner().trace.part(|| "decode".into());
            input.decode(ctx).await?
        };
        self.note_input(ctx, &message);
        A::check_input(ctx, &message).await?;
        Ok((provided, message))
    }

    /// Asks the guards, in their order.
    async fn check<A: Action>(&self, ctx: &Ctx) -> Result<A::Provided> {
        check_all(&self.module_guards, ctx).await?;
        let provided = A::provide(ctx).await?;
        check_all(&self.guards, ctx).await?;
        Ok(provided)
    }

    /// Asks the guards that count deliveries about one that has arrived.
    ///
    /// # Errors
    /// A guard's refusal, or 500 when one panicked.
    pub async fn count_delivery(&self, ctx: &Ctx) -> Result<()> {
        let steps = AssertUnwindSafe(async {
            for guard in self.module_guards.iter().chain(self.guards.iter()).filter(|guard| guard.counts_deliveries()) {
                guard.check(ctx).await?;
            }
            Ok(())
        });
        steps.catch_unwind().await.unwrap_or_else(|panic| Err(panicked("a guard", panic.as_ref())))
    }

    fn note_input<A: Action>(&self, ctx: &Ctx, message: &A) {
        let inner = ctx.inner();
        if inner.services().recorder.limits().inputs
            && let Some(json) = self.redaction.input(message)
        {
            inner.notes.input(json);
        }
    }

    /// Returns the error of a run that took too long.
    pub fn timed_out(&self) -> Error {
        Error::new(504, "timeout", "this took too long and was stopped; try again later")
    }
}

/// Runs one call, whichever trigger it came from. Read this function first.
///
/// Generic over the action, so that input and output keep their types. The HTTP door takes the same two halves one by one,
/// because a client that leaves cancels the first and not always the second.
///
/// # Errors
/// The action's own error, or the framework's: a refusal, a wrong input, a timeout, a panic.
pub async fn invoke<A: Action, F: Finish<A>>(
    runner: &Runner,
    ctx: &Ctx,
    input: impl Decode<A>,
    finish: F,
) -> Result<F::Value, CallError<A::Error>> {
    let began = Instant::now();
    let mut outcome = Outcome::begin(ctx, runner, began);
    let mut limit = TimeLimit::new(runner.timeout, began);
    let began = limit.began();
    let result = {
        let steps = pin!(async {
            let (provided, message) = runner.prepare::<A>(ctx, input).await?;
            finish.finish(runner, ctx, provided, message, began).await
        });
        limit.keep(trace::within(ctx.as_current(), steps)).await
    };
    let result = result.unwrap_or_else(|| Err(runner.timed_out().into()));
    outcome.ended(result.as_ref().err());
    result
}

/// Asks guards, one after the other.
async fn check_all(guards: &[Box<dyn DynGuard>], ctx: &Ctx) -> Result<()> {
    for guard in guards {
        let mut span = ctx.inner().trace.part(|| format!("guard {}", guard.describe().name).into());
        if let Err(error) = guard.check(ctx).await {
            span.write(|span| span.refused(error.status(), error.code()));
            return Err(error);
        }
    }
    Ok(())
}

/// A part of a run that panicked.
#[derive(Debug, thiserror::Error)]
#[error("{what} panicked: {text}")]
pub(crate) struct Panicked {
    what: &'static str,
    text: String,
}

/// Makes the error of a part of a run that panicked; the message goes to the log only.
pub(crate) fn panicked(what: &'static str, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(Panicked { what, text: text.unwrap_or("no message").to_owned() })
}
