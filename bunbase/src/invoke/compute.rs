//! Runs that compute and do not wait: `#[action(cpu)]`, and actions that are a plain `fn`.
//!
//! They run on threads of their own, as many at a time as there are cores, so that they hold up neither requests nor the workers of
//! the queue. What has begun to compute cannot be interrupted: after a timeout it goes on unseen, and keeps its turn.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::runtime::Handle;

use super::panicked;
use crate::{Error, Result, context::Ctx, observe::trace};

/// Runs a future on a thread for computing. It may await; the thread waits with it.
pub(super) async fn run<T: Send + 'static>(ctx: &Ctx, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let turns = ctx.inner().services().cpu.clone();
    // Nobody closes it.
    let turn = turns.acquire_owned().await.map_err(Error::internal)?;
    let runtime = Handle::current();
    // The thread is another one, and the run is the same.
    let work = trace::within(ctx.as_current(), work);
    let thread = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        runtime.block_on(AssertUnwindSafe(work).catch_unwind())
    });
    match thread.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(panicked("the handler", panic.as_ref())),
        // The runtime is ending.
        Err(error) => Err(Error::internal(error)),
    }
}
