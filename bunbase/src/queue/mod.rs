//! Background jobs, stored in the application's database and run at least once.
//!
//! Here: the life of a job from the statement that enqueues it to its last attempt, its retention, and the dead letters. Not here: what a
//! job does (`action`), when it recurs (`schedule`), and who emitted it (`events`). A new backend implements [`JobStore`] and
//! passes `conformance`; nothing else changes. May name: `db`, `observe`, `clock`, `error`.

pub mod backoff;
mod claim;
mod entity;
mod groups;
mod job;
mod listing;
mod measure;
mod postgres;
mod reaper;
mod record;
mod sqlite;
mod store;
mod wake;
mod worker;

use std::sync::Arc;

pub(crate) use self::measure::measure;
use self::record::history;
pub use self::{
    claim::{Claim, Claimed, Claims, Ended, Failed, Failure, Held, JobHandler, Lease, Outcome},
    entity::{failure::Model as DeadLetter, job::Model as Job},
    job::{Due, Enqueued, Group, NewJob, Priority, Unique, UniqueScope},
    reaper::{Reaper, ReaperSettings},
    record::{Attempt, Cancel, FailureFilter, JobFilter, QueueStats, Reaped, Requeued, Stats, Status},
    store::{JobStore, Settings},
    wake::Wake,
    worker::{Worker, WorkerSettings, worker_name},
};
use crate::{
    clock::Clock,
    db::{Db, DbBackend},
};

/// Opens the queue in a database whose tables are there.
pub fn open(db: Db, clock: Clock, settings: Settings) -> Arc<dyn JobStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(postgres::Postgres::new(db, clock, settings)),
        _ => Arc::new(sqlite::Sqlite::new(db, clock, settings)),
    }
}

#[cfg(test)]
mod tests;
