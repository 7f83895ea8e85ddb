//! Runs with an idempotency key: the first one's answer is kept in its transaction, and the others get it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{CallError, Runner, attempts::Writing};
use crate::{
    Error, Result,
    action::{Action, ActionError, Body, Door, Reply},
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
        let reply = self.perform::<A, _>(ctx, provided, message, Writing { kept: None }, started).await?;
        Ok(self.first_answer(ctx, reply))
    }

    /// Returns the answer of a run that repeats none by its idempotency key. Where that is asked for, its JSON is kept for the record; headers
    /// and cookies are no part of it.
    pub(super) fn first_answer(&self, ctx: &Ctx, reply: Reply) -> Answer {
        let inner = ctx.inner();
        if inner.services().recorder.limits().outputs
            && let Body::Bytes { content_type, bytes } = &reply.body
            && content_type.starts_with("application/json")
            && let Some(json) = self.redaction.output(bytes)
        {
            inner.notes.output(json);
        }
        Answer { reply, is_replayed: false }
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
        let mut kept = match self.begin(key, ctx, &input).await? {
            Begin::Mine(kept) => kept,
            Begin::Replayed(reply) => return Ok(Answer { reply, is_replayed: true }),
        };
        let writing = Writing { kept: Some(&mut kept) };
        match self.perform::<A, _>(ctx, provided, message, writing, started).await {
            Ok(reply) => Ok(self.first_answer(ctx, reply)),
            Err(error) => {
                let (failure, is_final) = Failure::of(ctx, &error);
                kept.failed(ctx, failure, is_final).await;
                Err(error)
            }
        }
    }

    /// Begins with a key.
    ///
    /// # Errors
    /// 409 while another call is at it, 422 when it was used with another input, what the first run failed with.
    async fn begin(&self, key: Key, ctx: &Ctx, input: &[u8]) -> Result<Begin> {
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
        let call = Call::new(&scope, key, Fingerprint::of(&[input]), lock);
        match ctx.inner().services().keys.begin(&call).await? {
            Begun::Mine(held) => Ok(Begin::Mine(Kept { held: Some(held) })),
            Begun::Replay(stored) => replay(stored).map(Begin::Replayed),
            Begun::Running { until } => {
                let left = (until - ctx.now()).to_std().unwrap_or_default();
                Err(still_running(left.clamp(Duration::from_secs(1), Duration::from_mins(1))))
            }
            Begun::Mismatch => Err(mismatch()),
        }
    }
}

/// What becomes of a run with a key.
enum Begin {
    /// It is the first one.
    Mine(Kept),
    /// Another one has answered.
    Replayed(Reply),
}

/// Keeps the answer with what the run has written.
#[derive(Debug)]
pub(super) struct Kept {
    held: Option<Held>,
}

impl Kept {
    /// Keeps an answer, commits what the run has written, and gives it back.
    pub(super) async fn keep(&mut self, ctx: &Ctx, reply: Reply) -> Result<Reply> {
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

    /// Keeps an error that is final, and gives the key back after any other.
    async fn failed(&mut self, ctx: &Ctx, failure: Failure, is_final: bool) {
        let Some(held) = self.held.take() else { return };
        let ended = match serde_json::to_vec(&failure) {
            Ok(body) if is_final => {
                let headers = vec![("content-type".to_owned(), ERROR.to_owned())];
                held.finish(Stored { status: failure.status, headers, body: body.into() }).await.map(|_| ())
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

impl Failure {
    /// Returns an error as it is kept, and whether it is: where another attempt would meet it again. The queue's doors keep none: a job that is
    /// taken out of the dead letters is meant to run again.
    fn of<E: ActionError>(ctx: &Ctx, error: &CallError<E>) -> (Self, bool) {
        let class = error.class();
        let is_final = class.status < 500 && !matches!(class.retry, Retry::After(_)) && !ctx.door().is_queued();
        let fields = match error {
            CallError::Framework(error) => error.fields().to_vec(),
            CallError::Action(_) => Vec::new(),
        };
        let failure = Self {
            status: class.status,
            code: class.code.to_owned(),
            detail: error.to_string(),
            fields,
            trace_id: ctx.trace_id().to_string(),
        };
        (failure, is_final)
    }
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
