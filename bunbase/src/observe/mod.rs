//! What an operator sees: metrics, in one registry, with their text for whoever collects it; traces; and how both leave the process.
//!
//! Here: [`Metrics`], the handles of what is measured, what is asked for before somebody reads, what the system says of the process, and `Refusal`.
//! Each room registers what it measures and keeps the handles that it got, with their labels resolved, so that measuring looks nothing
//! up. Not here: what is measured (each room says that of itself, and `app` calls them one after the other), who may read it (`http`).
//!
//! Names are `bunbase_…`, in the unit that they end with. Labels have few values that are known beforehand: names of actions and templates
//! of routes, never paths, ids or texts. A series is there from its first measurement on, unless its zero says something.

mod ask;
mod bounded;
#[cfg(feature = "heap-profiling")]
pub(crate) mod heap;
mod metrics;
mod numbers;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
mod own;
mod process;
#[cfg(feature = "profiling")]
pub(crate) mod profile;
#[cfg(any(feature = "profiling", feature = "heap-profiling"))]
mod profile_format;
pub(crate) mod redact;
mod refusals;
mod series;
#[cfg(test)]
mod tests;
pub mod trace;

#[cfg(any(feature = "profiling", feature = "heap-profiling"))]
pub(crate) use self::profile_format::ProfileFormat;
pub(crate) use self::{
    ask::Asked,
    bounded::{ByStatus, ByText},
    refusals::Refusal,
    series::{Counter, Counters, Durations, Entered, Gauge, Gauges, Histograms, Labels, labels},
};
pub use self::{
    metrics::{Format, Metrics},
    own::{OwnCounter, OwnGauge, OwnHistogram},
};
