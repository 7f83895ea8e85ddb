//! Background jobs, stored in the application's database and run at least once.
//!
//! Here: the life of a job from the statement that enqueues it to its last attempt, its retention, and the dead letters. Not here: what a
//! job does (`action`), when it recurs (`schedule`), and who emitted it (`events`). A new backend implements [`JobStore`] and
//! passes `conformance`; nothing else changes. May name: `db`, `clock`, `error`.

pub mod backoff;
mod job;
mod store;

pub use self::{
    job::{Due, Enqueued, Group, NewJob, Priority, Unique, UniqueScope},
    store::{Claim, Claimed, Failure, Held, JobHandler, JobStore, Outcome},
};
