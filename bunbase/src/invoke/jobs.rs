//! What the queue's jobs do: one attempt of a job is one run of its action.

use std::{fmt, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Calls, Invocation};
use crate::{
    Error, Result,
    action::{Door, RetryPolicy},
    context::{Caused, Job, Services},
    error::code,
    queue::{Claimed, Failure, JobHandler, Outcome},
};

/// The wait before a job is tried again whose action this process does not know: during a rolling update another one does.
const UNKNOWN_WAIT: std::time::Duration = std::time::Duration::from_secs(15);

/// Runs the jobs of the queue.
#[derive(Clone)]
pub struct JobRunner {
    services: Arc<Services>,
}

impl JobRunner {
    /// A runner over the actions of these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

impl JobHandler for JobRunner {
    fn run(&self, job: Claimed, cancelled: CancellationToken) -> BoxFuture<'static, Outcome> {
        let services = self.services.clone();
        Box::pin(async move {
            tokio::select! {
                // One that has ended counts, whatever else has happened.
                biased;
                result = run(&services, &job, cancelled.clone()) => match result {
                    Ok(()) => Outcome::Completed,
                    Err(error) => Outcome::Failed(failure(&services, &job, &error)),
                },
                () = cancelled.cancelled() => Outcome::Cancelled,
            }
        })
    }
}

async fn run(services: &Arc<Services>, job: &Claimed, cancelled: CancellationToken) -> Result<()> {
    let input: Value = services.unseal(&job.action, &job.input)?;
    let Caused { identity, tenant } = serde_json::from_str(&job.identity)?;
    let call = Invocation {
        identity,
        tenant,
        attempt: job.attempt,
        job: Some(Job {
            lease: job.lease(),
            origin: job.origin.as_deref().map(Into::into),
            store: services.jobs.clone(),
            cancelled,
        }),
        ..Invocation::new(services.tracer.decide_on(&job.traceparent), Door::of_name(&job.door), Instant::now())
    };
    Calls::of(services)?.reply_by_name(services, &job.action, call, input).await.map(|_| ())
}

/// Says what becomes of a job whose attempt failed.
fn failure(services: &Services, job: &Claimed, error: &Error) -> Failure {
    let class = error.class();
    let policy = Calls::of(services).ok().and_then(|calls| calls.retry_of(&job.action));
    let policy = policy.unwrap_or(RetryPolicy { attempts: job.max_attempts, ..RetryPolicy::DEFAULT });
    let retry_after = match class.code {
        code::ACTION_UNKNOWN => Some(UNKNOWN_WAIT),
        // Whether it happened is not known, and a job happens at least once; an `idempotent` one finds out.
        code::COMMIT_UNKNOWN => Some(policy.wait(job.attempt).max(class.least_wait())),
        _ if class.is_worth_retrying() => Some(policy.wait(job.attempt).max(class.least_wait())),
        _ => None,
    };
    // What a caller over HTTP would get; the cause is in the log under the trace id.
    let mut message = error.detail().to_owned();
    for field in error.fields() {
        message = format!("{message}; {}: {}", field.pointer, field.message);
    }
    Failure { code: class.code.to_owned(), message, retry_after }
}

impl fmt::Debug for JobRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRunner").finish_non_exhaustive()
    }
}
