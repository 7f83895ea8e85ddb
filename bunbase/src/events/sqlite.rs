//! The outbox on SQLite. One transaction writes at a time, so positions are in the order of commits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{
    Emitted, NewEvent, Stats,
    event::{Place, columns},
    outbox::{Outbox, Turn, Waiting},
};
use crate::{
    Result,
    clock::Clock,
    db::{Db, Sql, Tx},
};

const EMIT: &str = "INSERT INTO event_outbox (id, name, payload, ordering_key, identity, traceparent, emitted_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id, position, emitted_at";
/// Partial indexes: `event_outbox_waiting`, and `event_outbox_held` for what is held under the same key.
const WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    ", failures FROM event_outbox AS event
    WHERE dispatched_at IS NULL AND parked_at IS NULL AND (retry_at IS NULL OR retry_at <= $1)
        AND NOT EXISTS (SELECT 1 FROM event_outbox AS held
            WHERE held.retry_at > $1 AND held.name = event.name AND held.ordering_key = event.ordering_key
                AND held.position < event.position)
    ORDER BY position LIMIT $2"
);
const DISPATCHED: &str = "UPDATE event_outbox SET dispatched_at = $1, retry_at = NULL
    WHERE position IN (SELECT value FROM json_each($2))";
const DELETE: &str = "DELETE FROM event_outbox WHERE position IN (SELECT value FROM json_each($1))";
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM event_outbox WHERE id = $1");
const PRUNE: &str = "DELETE FROM event_outbox WHERE position IN
    (SELECT position FROM event_outbox WHERE dispatched_at < $1 ORDER BY dispatched_at LIMIT $2)";
const STATS: &str = "SELECT
    (SELECT count(*) FROM event_outbox WHERE dispatched_at IS NULL AND parked_at IS NULL) AS depth,
    (SELECT emitted_at FROM event_outbox WHERE dispatched_at IS NULL AND parked_at IS NULL ORDER BY position LIMIT 1) AS oldest,
    (SELECT count(*) FROM event_outbox WHERE retry_at IS NOT NULL) AS held,
    (SELECT count(*) FROM event_outbox WHERE parked_at IS NOT NULL) AS parked";

#[derive(FromQueryResult)]
struct Counted {
    depth: i64,
    oldest: Option<DateTime<Utc>>,
    held: i64,
    parked: i64,
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    event: Emitted,
    failures: i32,
}

/// The outbox in a SQLite file.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    db: Db,
    clock: Clock,
}

impl Sqlite {
    pub(super) fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    async fn store(&self, connection: &impl ConnectionTrait, event: &NewEvent) -> Result<Place> {
        let emit = Sql::new(connection, EMIT).bind(event.id).bind(event.name.as_str()).bind(event.payload.as_str());
        let emit = emit.bind(event.key()).bind(event.identity.as_str()).bind(event.traceparent.as_str());
        emit.bind(self.clock.now()).one().await
    }
}

impl Outbox for Sqlite {
    fn broadcasts(&self) -> bool {
        false
    }

    fn emit<'a>(&'a self, events: &'a [NewEvent], told: &'a [bool]) -> BoxFuture<'a, Result<Vec<Place>>> {
        Box::pin(async move {
            if let [event] = events {
                return Ok(vec![self.store(&self.db, event).await?]);
            }
            self.db.transaction(async |tx: &Tx| self.emit_in(tx, events, told).await).await
        })
    }

    fn emit_in<'a>(
        &'a self,
        tx: &'a Tx,
        events: &'a [NewEvent],
        _told: &'a [bool],
    ) -> BoxFuture<'a, Result<Vec<Place>>> {
        Box::pin(async move {
            let mut places = Vec::with_capacity(events.len());
            for event in events {
                places.push(self.store(tx.db(), event).await?);
            }
            Ok(places)
        })
    }

    fn turn<'a>(&'a self, _tx: &'a Tx) -> BoxFuture<'a, Result<Turn>> {
        // Its transaction began IMMEDIATE: nobody else writes meanwhile.
        Box::pin(async { Ok(Turn { is_mine: true, now: self.clock.now() }) })
    }

    fn waiting<'a>(&'a self, tx: &'a Tx, now: DateTime<Utc>, limit: u32) -> BoxFuture<'a, Result<Vec<Waiting>>> {
        Box::pin(async move {
            let rows: Vec<Row> = tx.sql(WAITING).bind(now).bind(limit).all().await?;
            Ok(rows.into_iter().map(|Row { event, failures }| Waiting { event, failures }).collect())
        })
    }

    fn dispatched<'a>(
        &'a self,
        tx: &'a Tx,
        now: DateTime<Utc>,
        positions: &'a [i64],
        delete: bool,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let positions = serde_json::to_string(positions)?;
            let statement = if delete { tx.sql(DELETE) } else { tx.sql(DISPATCHED).bind(now) };
            statement.bind(positions).execute().await?;
            Ok(())
        })
    }

    fn by_ids<'a>(&'a self, ids: &'a [Uuid]) -> BoxFuture<'a, Result<Vec<Emitted>>> {
        Box::pin(async move {
            let mut events = Vec::with_capacity(ids.len());
            for id in ids {
                events.extend(self.db.sql(BY_ID).bind(*id).optional().await?);
            }
            Ok(events)
        })
    }

    fn prune(&self, retention: Duration, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let retention = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
            let Some(before) = self.clock.now().checked_sub_signed(retention) else { return Ok(0) };
            self.db.sql(PRUNE).bind(before).bind(limit).execute().await
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        Box::pin(async move {
            let counted: Counted = self.db.sql(STATS).one().await?;
            let lag = counted.oldest.and_then(|oldest| (self.clock.now() - oldest).to_std().ok());
            Ok(Stats {
                depth: counted.depth.unsigned_abs(),
                lag: lag.unwrap_or_default(),
                held: counted.held.unsigned_abs(),
                parked: counted.parked.unsigned_abs(),
            })
        })
    }
}
