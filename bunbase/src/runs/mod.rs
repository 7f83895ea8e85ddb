//! What happened to each invocation: one record a run, whichever door it came by, and what the run logged.
//!
//! Here: the record, what a run gathers for it, what is left out of it, the buffer between a run and the database, the writer behind
//! it, and how long records are kept. A run never waits for any of it. Not here: when a run is over (`invoke`), and where else the log
//! goes (`app`). May name: `db`, `observe`, `schema`, `clock`, `service`, `error`.

mod buffer;
mod log;
mod notes;
pub mod read;
mod record;
mod redact;
mod retention;
mod store;
#[cfg(test)]
mod tests;
mod writer;

#[cfg(feature = "testing")]
pub(crate) use self::writer::flush;
pub use self::{
    buffer::{Counts, Limits, Recorder},
    log::RunLog,
    notes::Notes,
    record::{Details, Failure, LogLine, RunRecord, RunStatus},
    redact::Redaction,
    retention::tidy,
    writer::{Settings, Writer},
};
