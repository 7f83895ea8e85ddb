//! The place of one run in its trace, and its spans.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use super::{Kind, Parent, Record, Sink, Span, SpanId, TraceId, Traceparent, Tracer, tracer::begin};

/// How many spans one run may have, its own aside. What comes after is counted.
const MOST_SPANS: u32 = 1000;

/// A run's place in its trace. Where the trace is not recorded, these are ids and nothing else.
pub struct Trace {
    id: TraceId,
    /// The run's own, or the caller's where there is no tracer to give it one.
    span: SpanId,
    sampled: bool,
    state: Option<Arc<str>>,
    recording: Option<Box<Recording>>,
}

/// What is recorded of a run.
struct Recording {
    sink: Arc<dyn Sink>,
    /// The run's own span, until it ends.
    own: Mutex<Span>,
    /// The span that others are below: the run's own, or that of a part of it.
    active: AtomicU64,
    begun: AtomicU32,
}

impl Trace {
    /// Begins a run's span, if its trace is recorded.
    pub(crate) fn begin(tracer: &Tracer, parent: Parent, kind: Kind, name: &'static str) -> Self {
        let recording = tracer.sink(&parent).map(|sink| {
            let span = SpanId::random();
            let mut own = begin(sink, &parent, span, kind, Cow::Borrowed(name));
            if kind == Kind::Consumer && parent.span.is_some() {
                // The parent may be long over: some viewers show a link where they do not show that.
                own.write(|record| record.link = Some(parent.clone()));
            }
            let recording = Recording {
                sink: sink.clone(),
                own: Mutex::new(own),
                active: AtomicU64::new(span.as_u64()),
                begun: AtomicU32::new(0),
            };
            (span, Box::new(recording))
        });
        let (span, recording) = match (recording, parent.span) {
            (Some((span, recording)), _) => (span, Some(recording)),
            // Nobody records this span, so those below it belong to whoever called.
            (None, Some(span)) if !tracer.is_on() => (span, None),
            (None, _) => (SpanId::random(), None),
        };
        Self { id: parent.trace, span, sampled: parent.sampled, state: parent.state, recording }
    }

    /// Returns the trace's id.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Returns the id of the run's own span, which it has although nobody records it.
    pub fn span_id(&self) -> SpanId {
        self.span
    }

    /// Returns whether the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Returns the span that is going on: the run's own, or that of a part of it.
    pub fn active(&self) -> SpanId {
        let active = self.recording.as_ref().map(|recording| recording.active.load(Ordering::Relaxed));
        active.and_then(SpanId::from_u64).unwrap_or(self.span)
    }

    /// Returns the place below what is going on.
    pub fn below(&self) -> Parent {
        Parent {
            trace: self.id,
            span: Some(self.active()),
            sampled: self.sampled,
            state: self.state.clone(),
            is_remote: false,
        }
    }

    /// Returns the `traceparent` by which it is handed on.
    pub fn traceparent(&self) -> String {
        Traceparent { trace: self.id, span: self.active(), sampled: self.sampled }.to_string()
    }

    /// Returns the `tracestate` by which it is handed on, if the caller had one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Begins a span below what is going on.
    pub(crate) fn child(&self, kind: Kind, name: impl Into<Cow<'static, str>>) -> Span {
        let Some(recording) = &self.recording else { return Span::none() };
        if recording.begun.fetch_add(1, Ordering::Relaxed) >= MOST_SPANS {
            return Span::none();
        }
        begin(&recording.sink, &self.below(), SpanId::random(), kind, name.into())
    }

    /// Begins a span of a part of the run: as long as it goes on, others are below it. The parts of a run come one after the other.
    pub(crate) fn part(&self, name: impl FnOnce() -> Cow<'static, str>) -> Part<'_> {
        let Some(recording) = &self.recording else { return Part { span: Span::none(), within: None } };
        let span = self.child(Kind::Internal, name());
        let within = span.0.as_ref().map(|open| {
            let before = recording.active.swap(open.record.span.as_u64(), Ordering::Relaxed);
            (&recording.active, before)
        });
        Part { span, within }
    }

    /// Writes something into the run's own span.
    pub(crate) fn write(&self, write: impl FnOnce(&mut Record)) {
        if let Some(recording) = &self.recording {
            recording.own.lock().unwrap_or_else(PoisonError::into_inner).write(write);
        }
    }

    /// Ends the run's own span.
    pub(crate) fn end(&self, write: impl FnOnce(&mut Record)) {
        let Some(recording) = &self.recording else { return };
        let mut own =
            std::mem::replace(&mut *recording.own.lock().unwrap_or_else(PoisonError::into_inner), Span::none());
        let begun = recording.begun.load(Ordering::Relaxed);
        own.write(|record| {
            if begun > MOST_SPANS {
                record.set("bunbase.spans_left_out", begun - MOST_SPANS);
            }
            write(record);
        });
    }
}

/// A part of a run, until it is dropped.
pub(crate) struct Part<'a> {
    span: Span,
    within: Option<(&'a AtomicU64, u64)>,
}

impl Part<'_> {
    /// Writes something into its span.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Record)) {
        self.span.write(write);
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if let Some((active, before)) = self.within {
            active.store(before, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.traceparent()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::trace::{Run, Sampler, span, sync_within};

    /// Keeps spans.
    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<Record>>);

    impl Sink for Kept {
        fn take(&self, span: Record) {
            self.0.lock().unwrap().push(span);
        }
    }

    fn tracer(ratio: f64) -> (Tracer, Arc<Kept>) {
        let kept = Arc::new(Kept::default());
        (Tracer::new(Sampler::new(ratio, true), kept.clone()), kept)
    }

    fn trace(tracer: &Tracer) -> Trace {
        Trace::begin(tracer, tracer.decide(None), Kind::Server, "tasks.create")
    }

    /// The names of spans in the order in which they ended, each with its parent's.
    fn tree(kept: &Kept) -> Vec<(String, String)> {
        let spans = kept.0.lock().unwrap();
        let name = |id: Option<SpanId>| {
            spans.iter().find(|span| Some(span.span) == id).map(|span| span.name.to_string()).unwrap_or_default()
        };
        spans.iter().map(|span| (span.name.to_string(), name(span.parent))).collect()
    }

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.map(|(name, parent)| (name.to_owned(), parent.to_owned())).to_vec()
    }

    #[test]
    fn what_happens_in_a_part_of_a_run_is_below_it() {
        let (tracer, kept) = tracer(1.0);
        let trace = trace(&tracer);
        {
            let _guard = trace.part(|| "guard".into());
            drop(trace.child(Kind::Client, "SELECT"));
        }
        {
            let _attempt = trace.part(|| "attempt".into());
            drop(trace.child(Kind::Client, "INSERT"));
        }
        drop(trace.child(Kind::Client, "UPDATE"));
        trace.end(|_| {});
        assert_eq!(
            tree(&kept),
            pairs([
                ("SELECT", "guard"),
                ("guard", "tasks.create"),
                ("INSERT", "attempt"),
                ("attempt", "tasks.create"),
                ("UPDATE", "tasks.create"),
                ("tasks.create", ""),
            ])
        );
    }

    #[test]
    fn a_run_has_a_thousand_spans_and_counts_the_rest() {
        let (tracer, kept) = tracer(1.0);
        let trace = trace(&tracer);
        for _ in 0..MOST_SPANS + 5 {
            drop(trace.child(Kind::Client, "SELECT"));
        }
        trace.end(|_| {});
        let spans = kept.0.lock().unwrap();
        assert_eq!(spans.len(), MOST_SPANS as usize + 1);
        assert!(spans.last().unwrap().attributes.contains(&("bunbase.spans_left_out", 5_u32.into())));
    }

    #[test]
    fn a_trace_that_is_not_recorded_has_ids_and_no_spans() {
        let (tracer, kept) = tracer(0.0);
        let trace = trace(&tracer);
        drop(trace.part(|| unreachable!("nobody needs its name")));
        drop(trace.child(Kind::Client, "SELECT"));
        trace.write(|_| unreachable!("there is none"));
        trace.end(|_| unreachable!("there is none"));
        assert!(kept.0.lock().unwrap().is_empty());
        assert_eq!(trace.traceparent(), format!("00-{}-{}-00", trace.id(), trace.span_id()));
    }

    #[test]
    fn a_run_that_is_dropped_ends_its_span() {
        let (tracer, kept) = tracer(1.0);
        drop(trace(&tracer));
        assert_eq!(tree(&kept), pairs([("tasks.create", "")]));
    }

    #[test]
    fn without_a_tracer_those_below_belong_to_the_caller() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let off = Tracer::off();
        let trace = Trace::begin(&off, off.decide_on(header), Kind::Server, "tasks.create");
        assert_eq!(trace.traceparent(), header);
    }

    struct Here(Trace);

    impl Run for Here {
        fn action(&self) -> &'static str {
            "tasks.create"
        }

        fn trace(&self) -> &Trace {
            &self.0
        }

        fn keep(&self, _event: &tracing::Event<'_>) {}
    }

    #[test]
    fn rooms_below_a_run_reach_it_by_its_task_alone() {
        let (tracer, kept) = tracer(1.0);
        drop(span(Kind::Client, || unreachable!("there is no run")));
        let run = Arc::new(Here(trace(&tracer)));
        sync_within(Some(run.clone()), || drop(span(Kind::Client, || "GET".into())));
        run.0.end(|_| {});
        assert_eq!(tree(&kept), pairs([("GET", "tasks.create"), ("tasks.create", "")]));
    }
}
