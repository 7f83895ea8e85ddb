//! The typed in-process call, `ctx.call(CreateTask::new(…))`, and the call by name with JSON.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{CallError, Decode, Invocation, Runner, Typed, Written, invoke};
use crate::{
    Error, Result,
    action::{Action, Body, Door, Reply, RetryPolicy},
    context::{Chain, Ctx, Identity, Scope, Services, Tx},
    error::{FieldError, Place, code},
    observe::trace::Parent,
    schema::{Checker, record},
};

/// The deepest chain of actions that call each other.
const DEEPEST: usize = 32;

/// Runs one action with one JSON object of all fields.
type CallJson = fn(Arc<Runner>, Ctx, Value) -> BoxFuture<'static, Result<Reply>>;

/// An action by its type, for calls by name. Submitted beside the registry's own entry.
#[derive(Clone, Copy)]
pub struct Callable {
    /// Its place in the code, which tells it from all others.
    pub at: (&'static str, &'static str),
    message: fn() -> TypeId,
    call: CallJson,
}

impl std::fmt::Debug for Callable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callable").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Callable {
    /// Describes `A`.
    pub const fn of<A: Action>() -> Self {
        Self { at: (A::META.module_path, A::META.name), message: TypeId::of::<A>, call: call_json::<A> }
    }
}

inventory::collect!(Callable);

/// All actions by message type and by name: what `ctx.call` looks into.
#[derive(Debug, Default)]
pub struct Calls {
    by_type: HashMap<TypeId, Arc<Runner>>,
    by_name: HashMap<&'static str, (Arc<Runner>, Callable)>,
}

impl Calls {
    /// Joins runners with the types that were submitted at link time.
    pub fn new(runners: impl Iterator<Item = ((&'static str, &'static str), Arc<Runner>)>) -> Self {
        let types: HashMap<_, _> = inventory::iter::<Callable>().map(|callable| (callable.at, *callable)).collect();
        let mut calls = Self::default();
        for (at, runner) in runners {
            if let Some(callable) = types.get(&at) {
                calls.by_type.insert((callable.message)(), runner.clone());
                calls.by_name.insert(runner.name, (runner, *callable));
            }
        }
        calls
    }

    /// Returns the table of these services.
    ///
    /// # Errors
    /// 503 while the application starts.
    pub fn of(services: &Services) -> Result<&Self> {
        let calls = services.calls.get().and_then(|calls| calls.downcast_ref());
        calls.ok_or_else(|| Error::unavailable("the application is starting", Duration::from_secs(1)))
    }

    /// Runs the action of a message.
    ///
    /// # Errors
    /// The action's own error, or the framework's.
    pub async fn call<A: Action>(
        &self,
        services: &Arc<Services>,
        call: Invocation,
        message: A,
    ) -> Result<A::Output, CallError<A::Error>> {
        let runner = self.runner::<A>()?;
        // A message with a file in it has no JSON. Guards then see no fields, and not those of the request behind the caller either.
        let fields = serde_json::to_value(&message).unwrap_or_default();
        let ctx = runner.open(services, Invocation { fields: Some(fields), ..call });
        invoke(runner, &ctx, Message(message), Typed).await
    }

    /// Returns what is known of the action of a message.
    ///
    /// # Errors
    /// 500 when it is not registered.
    pub(super) fn runner<A: Action>(&self) -> Result<&Arc<Runner>> {
        self.by_type
            .get(&TypeId::of::<A>())
            .ok_or_else(|| Error::internal(format!("the action of `{}` is not registered", std::any::type_name::<A>())))
    }

    /// Returns what is known of the action of this name.
    pub(super) fn runner_by_name(&self, name: &str) -> Option<Arc<Runner>> {
        self.by_name.get(name).map(|(runner, _)| runner.clone())
    }

    /// Returns the retry policy of the action of this name, where it declares one.
    pub(super) fn retry_of(&self, name: &str) -> Option<RetryPolicy> {
        self.by_name.get(name).and_then(|(runner, _)| runner.meta.retry)
    }

    /// Runs an action by its full name, with one JSON object of all fields.
    ///
    /// # Errors
    /// 404 `action_unknown` when there is no such action, 422 when fields of the input are wrong, or what the action fails with.
    pub async fn reply_by_name(
        &self,
        services: &Arc<Services>,
        name: &str,
        call: Invocation,
        input: Value,
    ) -> Result<Reply> {
        let Some((runner, callable)) = self.by_name.get(name) else {
            return Err(Error::new(404, code::ACTION_UNKNOWN, format!("no action is named `{name}`")));
        };
        let ctx = runner.open(services, Invocation { fields: Some(input.clone()), ..call });
        (callable.call)(runner.clone(), ctx, input).await
    }

    /// As [`reply_by_name`](Self::reply_by_name), and returns the answer's body as JSON.
    ///
    /// # Errors
    /// As there, and 400 for an action that answers a stream.
    pub async fn call_by_name(
        &self,
        services: &Arc<Services>,
        name: &str,
        call: Invocation,
        input: Value,
    ) -> Result<Value> {
        let reply = self.reply_by_name(services, name, call, input).await?;
        Ok(match reply.body {
            Body::Bytes { content_type, bytes } if content_type == "application/json" => {
                serde_json::from_slice(&bytes)?
            }
            Body::Bytes { bytes, .. } => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
            Body::Empty => Value::Null,
            Body::Stream { .. } => {
                return Err(Error::bad_request("this action answers a stream; call it over HTTP"));
            }
        })
    }
}

impl Ctx {
    /// Calls another action in process: its guards, its checks and its handler, as part of this trace.
    ///
    /// # Errors
    /// [`CallError::Action`] with the callee's own error; [`CallError::Framework`] with a guard's refusal, wrong fields, a
    /// timeout, or a chain of calls that comes back to where it began or is deeper than 32.
    pub fn call<A: Action>(&self, message: A) -> BoxFuture<'static, Result<A::Output, CallError<A::Error>>> {
        let ctx = self.clone();
        // Boxed, so that actions which call each other have futures of a finite size.
        Box::pin(async move { call_from(&ctx, ctx.inner().db().scope(), message).await })
    }
}

impl Tx {
    /// Calls another action as part of this transaction: what it writes, enqueues and emits happens with the rest, or not at all.
    /// When it fails, what it did is undone, and the transaction goes on.
    ///
    /// # Errors
    /// As [`Ctx::call`].
    pub fn call<A: Action>(&self, message: A) -> BoxFuture<'_, Result<A::Output, CallError<A::Error>>> {
        Box::pin(async move {
            let mut failure = None;
            let result = self
                .nested(async |tx: &Self| {
                    let scope = Scope::Joined(tx.shared().clone());
                    match call_from(tx.ctx(), scope, message).await {
                        Ok(output) => Ok(output),
                        Err(error) => {
                            // The savepoint is undone for any error; the typed one is kept for the caller.
                            failure = Some(error);
                            Err(Error::conflict("the action that was called failed"))
                        }
                    }
                })
                .await;
            match (result, failure) {
                (_, Some(error)) => Err(error),
                (result, None) => Ok(result?),
            }
        })
    }
}

async fn call_from<A: Action>(ctx: &Ctx, scope: Scope, message: A) -> Result<A::Output, CallError<A::Error>> {
    let inner = ctx.inner();
    let calls = Calls::of(inner.services())?;
    let runner = calls.runner::<A>()?;
    let chain = || inner.chain.iter().chain([&runner.name]).copied().collect::<Vec<_>>().join(" → ");
    if inner.chain.contains(&runner.name) {
        return Err(Error::internal(format!("actions call each other in a circle: {}", chain())).into());
    }
    if inner.chain.len() >= DEEPEST {
        return Err(Error::internal(format!("calls are nested too deeply: {}", chain())).into());
    }
    let call = Invocation {
        identity: ctx.identity(),
        tenant: ctx.tenant().cloned(),
        request: inner.request.clone(),
        chain: inner.chain.clone(),
        caller: Some(ctx.clone()),
        scope,
        ..Invocation::new(inner.trace.below(), Door::Call, Instant::now())
    };
    calls.call(inner.services(), call, message).await
}

/// A message that is typed already: only its constraints are checked.
struct Message<A>(A);

impl<A: Action> Decode<A> for Message<A> {
    async fn decode(self, _ctx: &Ctx) -> Result<A> {
        if self.0.valid() {
            return Ok(self.0);
        }
        let mut checker = Checker::new(Place::Body);
        record::check(A::FIELDS, &serde_json::to_value(&self.0)?, &mut checker, |_| true);
        Err(Error::invalid(checker.into_errors()))
    }
}

/// A message as one JSON object of all fields.
struct Json(Value);

impl<A: Action> Decode<A> for Json {
    async fn decode(self, ctx: &Ctx) -> Result<A> {
        // What another service, or a newer version of the emitter, says beyond what this action knows is none of its business.
        read(self.0, matches!(ctx.door(), Door::Event | Door::Webhook))
    }
}

/// Reads a message from one JSON object of all fields. A tolerant reader ignores the keys that nobody knows.
pub(crate) fn read<A: Action>(mut value: Value, is_tolerant: bool) -> Result<A> {
    loop {
        let failure = match A::deserialize(&value) {
            Ok(message) if message.valid() => return Ok(message),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let mut checker = Checker::new(Place::Body);
        record::check(A::FIELDS, &value, &mut checker, |_| true);
        if checker.count() == 0 {
            let text = failure.map_or_else(|| "the input is not valid".to_owned(), |error| error.to_string());
            checker.fail("type", text);
        }
        let errors = checker.into_errors();
        // The checker stops counting at some number, so what is left may have more of them.
        if !is_tolerant || !remove_unknown(&mut value, &errors) {
            return Err(Error::invalid(errors));
        }
    }
}

/// Removes the keys that nobody knows. Answers whether there were any.
fn remove_unknown(value: &mut Value, errors: &[FieldError]) -> bool {
    let mut removed = false;
    for error in errors.iter().filter(|error| error.code == "unknown") {
        let Some((parent, key)) = error.pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(entries)) = value.pointer_mut(parent) {
            removed |= entries.remove(&key.replace("~1", "/").replace("~0", "~")).is_some();
        }
    }
    removed
}

fn call_json<A: Action>(runner: Arc<Runner>, ctx: Ctx, input: Value) -> BoxFuture<'static, Result<Reply>> {
    Box::pin(async move { Ok(invoke::<A, _>(&runner, &ctx, Json(input), Written).await?.reply) })
}

impl Invocation {
    /// A run that begins a trace of its own, has no request behind it, and is caused by nobody that is known.
    pub fn fresh(services: &Services, door: Door) -> Self {
        Self::new(services.tracer.decide(None), door, Instant::now())
    }

    /// Returns a first attempt by nobody in particular, in a trace, that came then.
    pub fn new(trace: Parent, door: Door, came: Instant) -> Self {
        Self {
            trace,
            came,
            door,
            identity: Identity::Anonymous,
            tenant: None,
            attempt: 1,
            job: None,
            request: None,
            fields: None,
            chain: Chain::new(),
            caller: None,
            scope: Scope::Alone,
            tool: None,
        }
    }
}
