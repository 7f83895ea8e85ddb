//! Traces: what a request, a job or an event causes, over all processes, as a tree of spans.
//!
//! Here: ids and what one process tells the next (W3C Trace Context), which traces are recorded, the spans of a run, and which run a
//! task belongs to. Whether a trace is recorded is known before its first span: where it is not, a run only carries ids, and nothing
//! is made or measured. Not here: which spans there are (each room says that of itself), and where they are sent (`otlp`).

mod current;
mod id;
#[cfg(feature = "reqwest")]
mod outgoing;
mod parent;
mod run;
mod sampler;
mod span;
mod tracer;

#[cfg(feature = "reqwest")]
pub use self::outgoing::Outgoing;
#[cfg(feature = "otlp")]
pub(crate) use self::span::Value;
pub use self::{
    current::{InRun, Run, sync_within, within},
    id::{SpanId, TraceId},
    parent::Parent,
    sampler::Sampler,
    tracer::Tracer,
};
pub(crate) use self::{
    current::{is_recording, span, with_current},
    id::write_hex,
    parent::Traceparent,
    run::Trace,
    span::{Kind, Record, Span},
    tracer::Sink,
};
