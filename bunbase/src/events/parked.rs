//! Events that could not be delivered: kept until somebody decides.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Emitted, Events, event::columns};
use crate::Result;

const PARKED: &str = concat!(
    "SELECT ",
    columns!(),
    ", failures, error, parked_at FROM event_outbox WHERE parked_at IS NOT NULL AND position > $1 ORDER BY position LIMIT $2"
);
const RELEASE: &str =
    "UPDATE event_outbox SET parked_at = NULL, failures = 0, error = NULL WHERE id = $1 AND parked_at IS NOT NULL";
const DISCARD: &str = "DELETE FROM event_outbox WHERE id = $1 AND parked_at IS NOT NULL";

/// An event that could not be delivered as often as was allowed. It stays in the outbox, whatever the retention, and holds up no other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parked {
    /// The event.
    pub event: Emitted,
    /// How often it was tried.
    pub failures: u32,
    /// The last error.
    pub error: String,
    /// Since when it is parked.
    pub parked_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    event: Emitted,
    failures: i32,
    error: String,
    parked_at: DateTime<Utc>,
}

impl Events {
    /// Returns up to `limit` events that are parked, oldest first, from the first behind the position `after`; 0 for the beginning.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn parked(&self, after: i64, limit: u32) -> Result<Vec<Parked>> {
        let rows: Vec<Row> = self.db.sql(PARKED).bind(after).bind(i64::from(limit)).all().await?;
        let parked = |Row { event, failures, error, parked_at }| Parked {
            event,
            failures: i32::unsigned_abs(failures),
            error,
            parked_at,
        };
        Ok(rows.into_iter().map(parked).collect())
    }

    /// Lets a parked event be tried again, behind those of its key that went on without it. Returns whether it was parked.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn release(&self, id: Uuid) -> Result<bool> {
        let released = self.db.sql(RELEASE).bind(id).execute().await? > 0;
        self.emitted.notify_one();
        Ok(released)
    }

    /// Deletes a parked event for good. Returns whether it was parked.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn discard(&self, id: Uuid) -> Result<bool> {
        Ok(self.db.sql(DISCARD).bind(id).execute().await? > 0)
    }
}
