//! Runs with an idempotency key: the first one's answer is kept in its transaction, and the others get it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{CallError, Runner, Settle, Written, attempts::write};
use crate::{
    Error, Result,
    action::{Action, Body, Door, Reply},
    context::Ctx,
    error::{FieldError, Retry},
    idempotency::{Begun, Call, Fingerprint, Held, Key, Stored, mismatch, still_running},
};

/// How much longer than its time limit a run is alone with its key: what it takes to commit.
const MARGIN: Duration = Duration::from_secs(5);

/// How long a run without a time limit is alone with its key, should its process die.
const UNLIMITED: Duration = Duration::from_hours(1);

/// The content type of an error that is kept.
const ERROR: &str = "application/x-bunbase-error";

/// The answer of a run, and whether it is the one of an earlier run.
#[derive(Debug)]
pub struct Answer {
    /// The answer.
    pub reply: Reply,
    /// Whether it is that of an earlier run with the same idempotency key.
    pub is_replayed: bool,
}

/// Returns the key of a run: the caller's over HTTP, and where it came from behind the queue's doors.
///
/// # Errors
/// 400 when the caller's is none.
fn key_of(runner: &Runner, ctx: &Ctx) -> Result<Option<Key>> {
    if !runner.meta.idempotent {
        return Ok(None);
    }
    match (ctx.door(), ctx.job()) {
        (Door::Http, _) => {
            ctx.request().and_then(|request| request.header("idempotency-key")).map(Key::parse).transpose()
        }
        (Door::Job, Some(job)) => Ok(Some(Key::of(&format!("job:{}", job.id())))),
        (door, Some(job)) => Ok(Some(Key::of(&format!("{door}:{}", job.origin().unwrap_or_default())))),
        (_, None) => Ok(None),
    }
}

impl Runner {
    /// Second half of a run whose answer is written: the handler, or with a key that was used before the answer of the first run.
    ///
    /// # Errors
    /// The handler's own; 409 and 422 of the key; what the first run failed with.
    pub(crate) async fn answer<A: Action>(
        &self,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        started: Instant,
    ) -> Result<Answer, CallError<A::Error>> {
        if let Some(policy) = self.meta.cache.filter(|_| matches!(ctx.door(), Door::Http | Door::Tool)) {
            // In boxes what most runs do not need, so that they do not carry room for it.
            return Box::pin(self.cached::<A>(policy, ctx, provided, message, started)).await;
        }
        if let Some(key) = key_of(self, ctx)? {
            return Box::pin(self.with_key::<A>(key, ctx, provided, message, started)).await;
        }
        let reply = self.perform::<A, _>(ctx, provided, message, Written, started).await?;
        self.note_output(ctx, &reply);
        Ok(Answer { reply, is_replayed: false })
    }

    /// The handler, or the answer of the first run with this key.
    async fn with_key<A: Action>(
        &self,
        key: Key,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        started: Instant,
    ) -> Result<Answer, CallError<A::Error>> {
        let input = serde_json::to_vec(&message).map_err(Error::from)?;
        let mut scope = format!("{} {}", self.name, ctx.identity().scope());
        if let Some(tenant) = ctx.tenant() {
            scope = format!("{scope} of {tenant}");
        }
        // The queue gives a job to one worker at a time, and fences those that lost it: a second attempt need not wait for the first.
        let lock = if ctx.door().is_queued() {
            Duration::ZERO
        } else {
            self.timeout.map_or(UNLIMITED, |limit| limit + MARGIN)
        };
        let call = Call::new(&scope, key, Fingerprint::of(&[&input]), lock);
        let held = match ctx.inner().services().keys.begin(&call).await? {
            Begun::Mine(held) => held,
            Begun::Replay(stored) => return Ok(Answer { reply: replay(stored)?, is_replayed: true }),
            Begun::Running { until } => {
                let left = (until - ctx.now()).to_std().unwrap_or_default();
                return Err(still_running(left.clamp(Duration::from_secs(1), Duration::from_mins(1))).into());
            }
            Begun::Mismatch => return Err(mismatch().into()),
        };
        let mut kept = Kept { held: Some(held) };
        match self.perform::<A, _>(ctx, provided, message, &mut kept, started).await {
            Ok(reply) => {
                self.note_output(ctx, &reply);
                Ok(Answer { reply, is_replayed: false })
            }
            Err(error) => {
                kept.failed(ctx, &error).await;
                Err(error)
            }
        }
    }
}

/// Keeps the answer with what the run has written.
struct Kept {
    held: Option<Held>,
}

impl<A: Action> Settle<A> for &mut Kept {
    type Value = Reply;

    async fn settle(&mut self, ctx: &Ctx, output: A::Output) -> Result<Reply> {
        let reply = write(output)?;
        let stored = stored(&reply)?;
        let Some(held) = self.held.take() else { return Err(lost()) };
        let Some(shared) = ctx.inner().db().take_own().await else {
            return if held.finish(stored).await? { Ok(reply) } else { Err(lost()) };
        };
        let is_held = held.finish_in(shared.tx(), &stored).await;
        match is_held {
            Ok(true) => match shared.commit().await {
                Ok(()) => {
                    held.committed(stored);
                    Ok(reply)
                }
                Err(error) => {
                    self.held = Some(held);
                    Err(error)
                }
            },
            Ok(false) => {
                shared.abandon().await;
                Err(lost())
            }
            Err(error) => {
                shared.abandon().await;
                self.held = Some(held);
                Err(error)
            }
        }
    }
}

impl Kept {
    /// Keeps an error that another attempt would meet again, and gives the key back after any other. The queue's doors keep none: a job
    /// that is taken out of the dead letters is meant to run again.
    async fn failed<E: crate::action::ActionError>(&mut self, ctx: &Ctx, error: &CallError<E>) {
        let Some(held) = self.held.take() else { return };
        let class = error.class();
        let is_final = class.status < 500 && !matches!(class.retry, Retry::After(_)) && !ctx.door().is_queued();
        let fields = match error {
            CallError::Framework(error) => error.fields().to_vec(),
            CallError::Action(_) => Vec::new(),
        };
        let failure = Failure {
            status: class.status,
            code: class.code.to_owned(),
            detail: error.to_string(),
            fields,
            trace_id: ctx.trace_id().to_string(),
        };
        let ended = match serde_json::to_vec(&failure) {
            Ok(body) if is_final => {
                let headers = vec![("content-type".to_owned(), ERROR.to_owned())];
                held.finish(Stored { status: class.status, headers, body: body.into() }).await.map(|_| ())
            }
            _ => held.abandon().await,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, action = ctx.action(), "an idempotency key could not be ended; its lock will");
        }
    }
}

/// An error as it is kept.
#[derive(Serialize, Deserialize)]
struct Failure {
    status: u16,
    code: String,
    detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldError>,
    trace_id: String,
}

/// Makes what is kept of an answer. Its cookies are not: they may be credentials, and were the first caller's.
fn stored(reply: &Reply) -> Result<Stored> {
    let mut headers: Vec<(String, String)> =
        reply.headers.iter().map(|(name, value)| (name.clone().into_owned(), value.clone())).collect();
    let body = match &reply.body {
        Body::Empty => Bytes::new(),
        Body::Bytes { content_type, bytes } => {
            headers.push(("content-type".to_owned(), content_type.clone().into_owned()));
            bytes.clone()
        }
        Body::Stream { .. } => return Err(Error::internal("the answer of an `idempotent` action cannot be a stream")),
    };
    Ok(Stored { status: reply.status, headers, body })
}

/// Makes the first run's answer again.
fn replay(stored: Stored) -> Result<Reply> {
    let Stored { status, mut headers, body } = stored;
    let content_type = headers.iter().position(|(name, _)| name == "content-type").map(|at| headers.remove(at).1);
    let Some(content_type) = content_type else { return Ok(with_headers(Reply::empty(status), headers)) };
    if content_type == ERROR {
        let Failure { status, code, detail, fields, trace_id } = serde_json::from_slice(&body)?;
        return Err(Error::new(status, code, detail).with_fields(fields).in_trace(trace_id).retry(Retry::Never));
    }
    Ok(with_headers(Reply::bytes(status, content_type, body), headers))
}

fn with_headers(mut reply: Reply, headers: Vec<(String, String)>) -> Reply {
    reply.headers.extend(headers.into_iter().map(|(name, value)| (name.into(), value)));
    reply
}

fn lost() -> Error {
    let text = "another call with this idempotency key has taken over; nothing of this one lasts";
    Error::new(409, "idempotency_lost", text).retry(Retry::Never)
}
