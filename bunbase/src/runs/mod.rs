//! What happened to each invocation: one record a run, whichever door it came by.
//!
//! Here: the record, the buffer between a run and the database, and the writer behind it. A run never waits for any of it. Not here:
//! when a run is over (`invoke`). May name: `db`, `clock`, `error`.

mod buffer;
mod record;
mod writer;

#[cfg(feature = "testing")]
pub(crate) use self::writer::flush;
pub use self::{
    buffer::Recorder,
    record::{RunRecord, RunStatus},
    writer::{Settings, Writer},
};
