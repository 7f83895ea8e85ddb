//! What begins spans.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{Kind, Parent, Record, Sampler, Span, SpanId, TraceId, span::Open};

/// Where spans go that have ended. It never waits.
pub(crate) trait Sink: fmt::Debug + Send + Sync {
    /// Takes a span.
    fn take(&self, span: Record);
}

/// Begins spans, and decides which traces have any. Cheap to clone; a clone is the same.
///
/// One that is off records nothing. What callers say of their traces is handed on all the same.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    sampler: Sampler,
    sink: Arc<dyn Sink>,
}

impl Tracer {
    /// One that records nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// One whose spans go there.
    #[cfg(any(test, feature = "otlp"))]
    pub(crate) fn new(sampler: Sampler, sink: Arc<dyn Sink>) -> Self {
        Self(Some(Arc::new(Inner { sampler, sink })))
    }

    /// Decides on a trace: one that others have begun, or a new one. This comes before everything else.
    pub fn decide(&self, parent: Option<Parent>) -> Parent {
        match (parent, &self.0) {
            (Some(parent), None) => parent,
            (Some(parent), Some(inner)) => Parent { sampled: inner.sampler.takes_on(&parent), ..parent },
            (None, inner) => {
                let trace = TraceId::generate();
                let sampled = inner.as_ref().is_some_and(|inner| inner.sampler.takes(trace));
                Parent { trace, span: None, sampled, state: None, is_remote: false }
            }
        }
    }

    /// As [`decide`](Self::decide), for what is stored with a job or an event.
    pub fn decide_on(&self, traceparent: &str) -> Parent {
        self.decide(Parent::read(traceparent))
    }

    /// Begins a span there, if the trace is recorded.
    pub(crate) fn span(&self, parent: &Parent, kind: Kind, name: impl Into<Cow<'static, str>>) -> Span {
        match self.sink(parent) {
            Some(sink) => begin(sink, parent, SpanId::random(), kind, name.into()),
            None => Span::none(),
        }
    }

    /// Returns whether it records anything.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns where the spans of a trace go; nowhere, where it is not recorded.
    pub(super) fn sink(&self, parent: &Parent) -> Option<&Arc<dyn Sink>> {
        self.0.as_ref().filter(|_| parent.sampled).map(|inner| &inner.sink)
    }
}

/// Begins a span of a trace that is recorded.
pub(super) fn begin(sink: &Arc<dyn Sink>, parent: &Parent, span: SpanId, kind: Kind, name: Cow<'static, str>) -> Span {
    let record = Record {
        trace: parent.trace,
        span,
        parent: parent.span,
        parent_is_remote: parent.is_remote,
        state: parent.state.clone(),
        kind,
        name,
        began: SystemTime::now(),
        took: Duration::ZERO,
        attributes: Vec::new(),
        link: None,
        error: None,
    };
    Span(Some(Box::new(Open { record, started: Instant::now(), sink: sink.clone() })))
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracer").field(&self.0.as_ref().map(|inner| inner.sampler)).finish()
    }
}
