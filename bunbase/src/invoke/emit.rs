//! Events: `ctx.emit("task.created", &task)`.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    Result,
    context::{Ctx, Tx},
    events::{Event, NewEvent},
    observe::trace::{Kind, Span},
    schema::Record,
    seal::Sensitive,
};

/// The topic that wakes the relays of other processes.
pub(crate) const TOPIC: &str = "events";

/// An event that is stored when it is awaited. The answer is its id.
#[must_use = "an event is emitted by `.await`"]
pub struct Emit<'a> {
    ctx: &'a Ctx,
    tx: Option<&'a Tx>,
    event: Result<NewEvent>,
}

impl Ctx {
    /// Emits an event with any payload that is JSON. It is stored, and then reaches each action that subscribes to the name, at least
    /// once and as a job of its own.
    ///
    /// # Errors
    /// 500 `transaction_open` while a transaction of this run is open: there it is `tx.emit(…)`, which makes the event part of it. 500
    /// when the name is none or the payload is not JSON; 503 when the database is away.
    pub fn emit<'a>(&'a self, name: &str, payload: &impl Serialize) -> Emit<'a> {
        Emit { ctx: self, tx: None, event: event_of(self, name, &Sensitive::of(&[]), payload) }
    }

    /// Emits a typed event; see [`emit`](Self::emit). Its `#[sensitive]` values are stored encrypted.
    ///
    /// # Errors
    /// As there.
    pub fn emit_event<E: Event + Record>(&self, event: &E) -> Emit<'_> {
        Emit { ctx: self, tx: None, event: event_of(self, E::NAME, &Sensitive::of(E::FIELDS), event) }
    }
}

impl Tx {
    /// Emits an event as part of this transaction: subscribers see it when it commits, and never otherwise.
    ///
    /// # Errors
    /// Those of the database; 500 when the name is none or the payload is not JSON.
    pub fn emit<'a>(&'a self, name: &str, payload: &impl Serialize) -> Emit<'a> {
        Emit { tx: Some(self), ..self.ctx().emit(name, payload) }
    }

    /// Emits a typed event as part of this transaction; see [`emit`](Self::emit).
    ///
    /// # Errors
    /// As there.
    pub fn emit_event<E: Event + Record>(&self, event: &E) -> Emit<'_> {
        Emit { tx: Some(self), ..self.ctx().emit_event(event) }
    }
}

fn event_of(ctx: &Ctx, name: &str, sensitive: &Sensitive, payload: &impl Serialize) -> Result<NewEvent> {
    Ok(NewEvent {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        payload: ctx.inner().services().seal(name, sensitive, payload)?,
        ordering_key: None,
        identity: ctx.caused()?,
        traceparent: String::new(),
    })
}

/// Begins the span of storing an event, which is then below it.
fn producing(ctx: &Ctx, event: &mut NewEvent) -> Span {
    let trace = &ctx.inner().trace;
    let mut span =
        if trace.is_recording() { trace.child(Kind::Producer, format!("emit {}", event.name)) } else { Span::none() };
    event.traceparent = span.below().map_or_else(|| trace.traceparent(), |below| below.traceparent());
    span.write(|span| {
        span.set("messaging.system", "bunbase");
        span.set("messaging.operation.type", "send");
        span.set("messaging.operation.name", "emit");
        span.set("messaging.destination.name", event.name.clone());
        span.set("messaging.message.id", event.id.to_string());
    });
    span
}

impl Emit<'_> {
    /// Gives it an ordering key: subscriptions marked `ordered` take the events of one key one at a time, in the order in which
    /// they were emitted.
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        if let Ok(event) = &mut self.event {
            event.ordering_key = Some(match self.ctx.tenant() {
                Some(tenant) => format!("{tenant}|{key}"),
                None => key.to_string(),
            });
        }
        self
    }
}

impl<'a> IntoFuture for Emit<'a> {
    type Output = Result<Uuid>;
    type IntoFuture = BoxFuture<'a, Result<Uuid>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut all = [self.event?];
            let _span = producing(self.ctx, &mut all[0]);
            let inner = self.ctx.inner();
            let services = inner.services();
            let shared = if let Some(tx) = self.tx {
                Some(tx.shared().clone())
            } else {
                inner.db().refuse_beside_transaction("emit through `tx.emit(…)`, not through `ctx`")?;
                inner.db().joined(true).await?
            };
            match shared {
                None => {
                    services.events.emit(&all).await?;
                    services.notifier.notify(TOPIC);
                }
                Some(shared) => {
                    let emission = services.events.emit_in(shared.tx(), &all).await?;
                    let notifier = services.notifier.clone();
                    shared.after_commit(move || {
                        emission.committed();
                        notifier.notify(TOPIC);
                    });
                }
            }
            Ok(all[0].id)
        })
    }
}

impl fmt::Debug for Emit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.event.as_ref().map(|event| event.name.as_str());
        f.debug_struct("Emit").field("name", &name).finish_non_exhaustive()
    }
}
