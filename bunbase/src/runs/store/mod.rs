//! Writing a batch of records: all of it or nothing, and never twice.

mod postgres;
mod sqlite;

use super::buffer::Entry;
use crate::{
    Result,
    db::{Db, DbBackend},
};

/// The most rows, and bytes of records, of one batch. On SQLite the application's writes wait for as long as a batch takes; on Postgres nobody
/// does, and what counts is how often a commit is waited for.
pub(super) fn batch_size(db: &Db) -> (usize, usize) {
    match db.backend() {
        DbBackend::Postgres => (5000, 8 << 20),
        _ => (250, 256 << 10),
    }
}

/// Writes a batch.
///
/// # Errors
/// Those of the database. Nothing is stored then, or nobody knows.
pub(super) async fn write(db: &Db, batch: &[Entry]) -> Result<()> {
    match db.backend() {
        DbBackend::Postgres => postgres::write(db, batch).await,
        _ => sqlite::write(db, batch).await,
    }
}

/// Returns the 32 digits of an id.
fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// Returns how long a run took, in microseconds.
fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
