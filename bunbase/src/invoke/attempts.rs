//! The handler, as often as its retry policy says, and what makes its answer last.

use std::{future::Future, panic::AssertUnwindSafe, pin::pin, sync::atomic::Ordering, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::{Answer, CallError, Runner, compute, idempotent::Kept, panicked};
use crate::{
    Error, Result,
    action::{Action, ActionError, Output, Reply, RetryPolicy},
    context::Ctx,
    error::ErrorClass,
};

/// What happens to an output before the run is over: it is written, if the door wants it so, and the run's transaction commits.
pub trait Settle<A: Action>: Send {
    /// What the door gets.
    type Value: Send;

    /// Makes the value and commits the run's own transaction, if it has one. Part of the attempt: when it fails, nothing of
    /// the attempt lasts.
    fn settle(&mut self, ctx: &Ctx, output: A::Output) -> impl Future<Output = Result<Self::Value>> + Send;
}

/// The second half of a run, as a door wants it.
pub trait Finish<A: Action>: Send {
    /// What the door gets.
    type Value: Send;

    /// Runs the handler and makes its answer last.
    fn finish(
        self,
        runner: &Runner,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        started: Instant,
    ) -> impl Future<Output = Result<Self::Value, CallError<A::Error>>> + Send;
}

/// Leaves the output as it is: the typed call.
#[derive(Clone, Copy, Debug)]
pub struct Typed;

impl<A: Action> Settle<A> for Typed {
    type Value = A::Output;

    async fn settle(&mut self, ctx: &Ctx, output: A::Output) -> Result<A::Output> {
        commit(ctx).await?;
        Ok(output)
    }
}

impl<A: Action> Finish<A> for Typed {
    type Value = A::Output;

    fn finish(
        self,
        runner: &Runner,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        started: Instant,
    ) -> impl Future<Output = Result<A::Output, CallError<A::Error>>> + Send {
        runner.perform::<A, _>(ctx, provided, message, self, started)
    }
}

/// Writes the output, for doors that speak in bytes. With an idempotency key the answer may be that of an earlier run.
#[derive(Clone, Copy, Debug)]
pub struct Written;

impl<A: Action> Finish<A> for Written {
    type Value = Answer;

    // The future that is there already: one around it would have room for the message once more.
    fn finish(
        self,
        runner: &Runner,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        started: Instant,
    ) -> impl Future<Output = Result<Answer, CallError<A::Error>>> + Send {
        runner.answer::<A>(ctx, provided, message, started)
    }
}

/// Writes the output, and makes it last.
#[derive(Debug)]
pub(super) struct Writing<'k> {
    /// Keeps the answer with what the run has written, where there is a key.
    pub(super) kept: Option<&'k mut Kept>,
}

impl<A: Action> Settle<A> for Writing<'_> {
    type Value = Reply;

    async fn settle(&mut self, ctx: &Ctx, output: A::Output) -> Result<Reply> {
        let reply = write(output)?;
        match &mut self.kept {
            None => {
                commit(ctx).await?;
                Ok(reply)
            }
            // In a box, as what most runs do not need.
            Some(kept) => Box::pin(kept.keep(ctx, reply)).await,
        }
    }
}

/// Writes an output. The application's own `Serialize` may panic, too.
fn write<O: Output>(output: O) -> Result<Reply> {
    let written = std::panic::catch_unwind(AssertUnwindSafe(|| output.reply()));
    written.unwrap_or_else(|panic| Err(panicked("writing the answer", panic.as_ref())))
}

async fn commit(ctx: &Ctx) -> Result<()> {
    match ctx.inner().db().take_own().await {
        Some(shared) => Box::pin(shared.commit()).await,
        None => Ok(()),
    }
}

impl Runner {
    /// Second half: the handler. Behind doors without a queue it is tried as often as the action's `retry` says, as long as
    /// the run's time allows. A panic becomes an error.
    ///
    /// # Errors
    /// The handler's own, or 500 when it panicked.
    pub async fn perform<A: Action, S: Settle<A>>(
        &self,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        mut settle: S,
        started: Instant,
    ) -> Result<S::Value, CallError<A::Error>> {
        match self.meta.retry.filter(|_| !ctx.door().is_queued()) {
            None => self.attempt::<A, S>(ctx, (provided, message), &mut settle).await,
            // In a box, as what most runs do not need: they would carry room for it.
            Some(policy) => Box::pin(self.retry::<A, S>(policy, ctx, (provided, message), settle, started)).await,
        }
    }

    /// Tries the handler as often as this policy says.
    async fn retry<A: Action, S: Settle<A>>(
        &self,
        policy: RetryPolicy,
        ctx: &Ctx,
        (provided, message): (A::Provided, A),
        mut settle: S,
        started: Instant,
    ) -> Result<S::Value, CallError<A::Error>> {
        for attempt in 1..policy.attempts {
            let Some(copy) = message.copy() else { break };
            let this = (provided.clone(), copy);
            let error = match self.attempt::<A, S>(ctx, this, &mut settle).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match self.next_wait(&policy, attempt, error.class(), started) {
                Some(wait) => ctx.clock().sleep(wait).await,
                None => return Err(error),
            }
            ctx.inner().attempt.store(attempt + 1, Ordering::Relaxed);
            self.measures.retried();
        }
        // The last attempt, and mostly the only one, takes the message itself.
        self.attempt::<A, S>(ctx, (provided, message), &mut settle).await
    }

    /// Returns how long to wait before the next attempt; `None` where there is none.
    fn next_wait(
        &self,
        policy: &RetryPolicy,
        attempt: u32,
        class: ErrorClass<'_>,
        started: Instant,
    ) -> Option<Duration> {
        if !class.is_worth_retrying() {
            return None;
        }
        let wait = policy.wait(attempt).max(class.least_wait());
        // What cannot be over in time is better answered with the error than with a timeout.
        let left = self.timeout.map_or(Duration::MAX, |limit| limit.saturating_sub(started.elapsed()));
        (wait < left).then_some(wait)
    }

    async fn attempt<A: Action, S: Settle<A>>(
        &self,
        ctx: &Ctx,
        (provided, message): (A::Provided, A),
        settle: &mut S,
    ) -> Result<S::Value, CallError<A::Error>> {
        let mut span = ctx.inner().trace.part(|| "attempt".into());
        span.write(|span| span.set("bunbase.attempt", ctx.attempt()));
        // By the constant and not by `self.meta`: what takes a thread is compiled for those actions alone that do.
        let result = if const { A::META.cpu } {
            let run: BoxFuture<'_, _> = Box::pin(compute::run(ctx, A::run(ctx.clone(), provided, message)));
            run.await
        } else {
            let run = AssertUnwindSafe(pin!(A::run(ctx.clone(), provided, message)));
            run.catch_unwind().await.map_err(|panic| panicked("the handler", panic.as_ref()))
        };
        let result = match result {
            Ok(Ok(output)) => settle.settle(ctx, output).await.map_err(CallError::Framework),
            Ok(Err(error)) => Err(CallError::Action(error)),
            Err(error) => Err(CallError::Framework(error)),
        };
        // Nothing of an attempt that failed lasts.
        if result.is_err()
            && let Some(shared) = ctx.inner().db().take_own().await
        {
            Box::pin(shared.abandon()).await;
        }
        if let Err(error) = &result {
            span.write(|span| {
                let class = error.class();
                span.refused(class.status, class.code);
            });
        }
        result
    }
}

impl<E: ActionError> CallError<E> {
    /// Returns how it fails, without giving it up.
    pub fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Action(error) => error.class(),
            Self::Framework(error) => Error::class(error),
        }
    }
}
