//! What is remembered of a run, however it ends.

use std::{error::Error as _, time::Instant};

use super::{CallError, Panicked, Runner, measure::OfAction};
use crate::{
    Error,
    action::{ActionError, Door},
    context::Ctx,
    error::{ErrorClass, code},
    observe::{Entered, Gauge, trace},
    runs::{Failure, RunRecord, RunStatus},
};

/// One run that is being remembered. Dropped before it ended, it was cancelled.
pub(crate) struct Outcome<'r> {
    ctx: &'r Ctx,
    action: &'static str,
    started_us: i64,
    started: Instant,
    is_over: bool,
    measures: &'r OfAction,
    _entered: Entered<&'r Gauge>,
}

impl<'r> Outcome<'r> {
    /// Begins with a run that came then.
    pub(crate) fn begin(ctx: &'r Ctx, runner: &'r Runner, came: Instant) -> Self {
        Self {
            ctx,
            action: runner.name,
            started_us: ctx.clock().now_us(),
            started: came,
            is_over: false,
            measures: &runner.measures,
            _entered: runner.measures.enter(),
        }
    }

    /// Remembers how a typed run ended.
    pub(crate) fn ended<E: ActionError>(&mut self, error: Option<&CallError<E>>) {
        match error {
            None => self.succeeded(None),
            Some(CallError::Action(error)) => self.failed(error.class(), error.to_string(), error.source()),
            Some(CallError::Framework(error)) => self.failed_with(error),
        }
    }

    /// Remembers a success, with the status of its answer over HTTP.
    pub(crate) fn succeeded(&mut self, http_status: Option<u16>) {
        self.record(RunStatus::Succeeded, http_status, None, None);
    }

    /// Remembers a failure of the framework.
    pub(crate) fn failed_with(&mut self, error: &Error) {
        self.failed(error.class(), error.detail().to_owned(), error.source());
    }

    fn failed(&mut self, class: ErrorClass<'_>, text: String, source: Option<&(dyn std::error::Error + 'static)>) {
        let status = match class.code {
            code::TIMEOUT => RunStatus::TimedOut,
            code::CANCELLED => RunStatus::Cancelled,
            _ if source.is_some_and(<dyn std::error::Error>::is::<Panicked>) => RunStatus::Panicked,
            _ => RunStatus::Failed,
        };
        // Over HTTP the door logs the problem that it answers.
        if class.status >= 500 && self.ctx.door() != Door::Http {
            let (action, door, trace_id) = (self.action, self.ctx.door(), self.ctx.trace_id());
            let cause = cause(source);
            trace::sync_within(self.ctx.as_current(), || {
                tracing::error!(target: "bunbase::run", action, %door, code = class.code, cause, %trace_id, "the run failed");
            });
        }
        self.ctx.log_refusal(class.status, class.code);
        self.record(status, Some(class.status), Some(class.code.to_owned()), Some(text));
    }

    fn record(&mut self, status: RunStatus, http_status: Option<u16>, code: Option<String>, text: Option<String>) {
        self.is_over = true;
        let (ctx, duration) = (self.ctx, self.started.elapsed());
        self.measures.ended(status, duration, code.as_deref(), &ctx.inner().trace);
        ctx.inner().trace.end(|span| {
            // Nobody who waits hears of a job that was refused.
            let is_fault = |status: u16| status >= 500 || ctx.door().is_queued();
            match (http_status, code.as_deref()) {
                (Some(status), Some(code)) => span.refused(if is_fault(status) { 500 } else { status }, code),
                (None, Some(code)) => span.refused(0, code),
                _ => {}
            }
            if let (Some(status), Door::Http) = (http_status, ctx.door()) {
                span.set("http.response.status_code", status);
            }
            if ctx.attempt() > 1 {
                span.set("bunbase.attempt", ctx.attempt());
            }
        });
        let is_http = ctx.door() == Door::Http;
        ctx.inner().services().recorder.record(RunRecord {
            action: self.action,
            door: ctx.door().as_str(),
            trace_id: ctx.trace_id().to_bytes(),
            attempt: ctx.attempt(),
            status,
            started_us: self.started_us,
            duration,
            http_status: http_status.filter(|_| is_http),
            failure: code.map(|code| Box::new(Failure { code: code.into(), text })),
            details: ctx.inner().notes.take(),
        });
    }
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.record(RunStatus::Cancelled, None, Some(code::CANCELLED.to_owned()), None);
        }
    }
}

/// Writes an error's causes in one line, for the log.
fn cause(first: Option<&(dyn std::error::Error + 'static)>) -> Option<String> {
    let mut text = first?.to_string();
    let mut next = first.and_then(std::error::Error::source);
    while let Some(error) = next {
        let more = error.to_string();
        // Some errors repeat their cause's text; once is enough.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    Some(text)
}
