//! Writing a batch of records: all of it or nothing, and never twice.

mod postgres;
mod sqlite;

use super::buffer::{Entry, Ids};
use crate::{
    Result,
    db::{Db, DbBackend},
};

/// How much is written at once.
pub(super) struct Batches {
    /// How many batches are on their way at a time.
    pub(super) at_a_time: usize,
    /// The most rows of one.
    pub(super) most: usize,
    /// The most bytes of records of one.
    pub(super) most_bytes: usize,
}

/// On SQLite the application's writes wait for as long as a batch takes; on Postgres nobody does, and what counts is how often a commit is
/// waited for. There one batch is made and sent while the server stores the other.
pub(super) fn batches(db: &Db) -> Batches {
    match db.backend() {
        DbBackend::Postgres => Batches { at_a_time: 2, most: 5000, most_bytes: 8 << 20 },
        _ => Batches { at_a_time: 1, most: 250, most_bytes: 256 << 10 },
    }
}

/// Writes a batch.
///
/// # Errors
/// Those of the database. Nothing is stored then, or nobody knows.
pub(super) async fn write(db: &Db, ids: Ids, batch: &[Entry]) -> Result<()> {
    match db.backend() {
        DbBackend::Postgres => postgres::write(db, ids, batch).await,
        _ => sqlite::write(db, ids, batch).await,
    }
}

/// Returns the 32 digits of an id.
fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}
