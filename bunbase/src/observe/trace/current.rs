//! Which run a task belongs to: for rooms that are below the run, and for what is logged.

use std::{borrow::Cow, sync::Arc};

use futures_util::future::Either;
use tokio::task::futures::TaskLocalFuture;
use tracing::Event;

use super::{Kind, Span, Trace};

tokio::task_local! {
    static CURRENT: Arc<dyn Run>;
}

/// A run, as far as its log and its trace go.
pub trait Run: Send + Sync {
    /// Returns the full name of its action.
    fn action(&self) -> &'static str;

    /// Returns its place in its trace.
    fn trace(&self) -> &Trace;

    /// Keeps what it logs for its record, where that is asked for.
    fn keep(&self, event: &Event<'_>);
}

/// Work that belongs to a run, or work as it is.
pub type InRun<F> = Either<TaskLocalFuture<Arc<dyn Run>, F>, F>;

/// Has `work` belong to a run: what it logs, and the spans that it begins. `None` costs nothing.
pub fn within<F: Future>(run: Option<Arc<dyn Run>>, work: F) -> InRun<F> {
    match run {
        Some(run) => Either::Left(CURRENT.scope(run, work)),
        None => Either::Right(work),
    }
}

/// As [`within`], for work that does not wait.
pub fn sync_within<T>(run: Option<Arc<dyn Run>>, work: impl FnOnce() -> T) -> T {
    match run {
        Some(run) => CURRENT.sync_scope(run, work),
        None => work(),
    }
}

/// Looks at the run that this task belongs to; `None` outside of any.
pub(crate) fn with_current<T>(look: impl FnOnce(&dyn Run) -> T) -> Option<T> {
    CURRENT.try_with(|run| look(&**run)).ok()
}

/// Returns whether what happens now is part of a trace that is recorded.
pub(crate) fn is_recording() -> bool {
    with_current(|run| run.trace().is_recording()).unwrap_or(false)
}

/// Begins a span of the run that this task belongs to, if its trace is recorded.
pub(crate) fn span(kind: Kind, name: impl FnOnce() -> Cow<'static, str>) -> Span {
    let begin = |run: &dyn Run| run.trace().is_recording().then(|| run.trace().child(kind, name()));
    with_current(begin).flatten().unwrap_or(Span::none())
}
