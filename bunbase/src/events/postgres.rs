//! The outbox on Postgres.

use std::time::Duration;

use chrono::{DateTime, Utc};
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

/// The channel on which instances hear the ids of events that are broadcast.
pub(super) const CHANNEL: &str = "bunbase_events";

/// The relay's advisory lock, the ASCII of `bunrelay`; advisory locks are per database.
const RELAY: i64 = i64::from_be_bytes(*b"bunrelay");

/// One event without a key that is not broadcast: as cheap as an insert is.
const EMIT_ONE: &str = "INSERT INTO event_outbox (id, name, payload, identity, traceparent, emitted_at)
    VALUES ($1, $2, $3, $4, $5, statement_timestamp() + $6 * INTERVAL '1 microsecond')
    RETURNING id, position, emitted_at";

/// Any number of events, stored in their order. The locks come first, in one order for all, so that positions under one key are
/// in the order of commits; they are released by the commit, once it is visible. Then all instances are told of those that are broadcast.
const EMIT: &str = "WITH given AS (
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
            WITH ORDINALITY AS given (id, name, payload, ordering_key, identity, traceparent, told, number)),
    locked AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(key) FROM (
            SELECT DISTINCT hashtextextended(name || ' ' || ordering_key, 0) AS key FROM given WHERE ordering_key <> ''
            ORDER BY key) AS keys),
    inserted AS (
        INSERT INTO event_outbox (id, name, payload, ordering_key, identity, traceparent, emitted_at)
        SELECT id, name, payload, nullif(ordering_key, ''), identity, traceparent,
            statement_timestamp() + $8 * INTERVAL '1 microsecond'
        FROM given WHERE (SELECT count(*) FROM locked) >= 0 ORDER BY number
        RETURNING id, position, emitted_at),
    told AS MATERIALIZED (
        SELECT inserted.id, pg_notify('bunbase_events', inserted.id::text)
        FROM inserted JOIN given ON given.id = inserted.id WHERE given.told ORDER BY inserted.position)
    SELECT id, position, emitted_at FROM inserted WHERE (SELECT count(*) FROM told) >= 0 ORDER BY position";

const TURN: &str = "SELECT pg_try_advisory_xact_lock($1) AS is_mine,
    statement_timestamp() + $2 * INTERVAL '1 microsecond' AS now";
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
const DISPATCHED: &str = "UPDATE event_outbox SET dispatched_at = $1, retry_at = NULL WHERE position = ANY($2)";
const DELETE: &str = "DELETE FROM event_outbox WHERE position = ANY($1)";
const BY_IDS: &str = concat!("SELECT ", columns!(), " FROM event_outbox WHERE id = ANY($1) ORDER BY position");
const PRUNE: &str = "DELETE FROM event_outbox WHERE position IN
    (SELECT position FROM event_outbox
        WHERE dispatched_at < statement_timestamp() + ($1 - $2) * INTERVAL '1 microsecond'
        ORDER BY dispatched_at LIMIT $3 FOR UPDATE SKIP LOCKED)";
const STATS: &str = "SELECT statement_timestamp() + $1 * INTERVAL '1 microsecond' AS now,
    (SELECT count(*) FROM event_outbox WHERE dispatched_at IS NULL AND parked_at IS NULL) AS depth,
    (SELECT emitted_at FROM event_outbox WHERE dispatched_at IS NULL AND parked_at IS NULL ORDER BY position LIMIT 1) AS oldest,
    (SELECT count(*) FROM event_outbox WHERE retry_at IS NOT NULL) AS held,
    (SELECT count(*) FROM event_outbox WHERE parked_at IS NOT NULL) AS parked";

#[derive(FromQueryResult)]
struct Asked {
    is_mine: bool,
    now: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Counted {
    now: DateTime<Utc>,
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

/// The outbox in a Postgres database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    db: Db,
    clock: Clock,
}

impl Postgres {
    pub(super) fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    async fn store(&self, connection: &impl ConnectionTrait, events: &[NewEvent], told: &[bool]) -> Result<Vec<Place>> {
        let offset_us = self.clock.offset_us();
        if let ([event], [false]) = (events, told)
            && event.key().is_none()
        {
            let emit = Sql::new(connection, EMIT_ONE).bind(event.id).bind(event.name.as_str());
            let emit = emit.bind(event.payload.as_str()).bind(event.identity.as_str());
            return emit.bind(event.traceparent.as_str()).bind(offset_us).all().await;
        }
        let texts = |of: fn(&NewEvent) -> &str| events.iter().map(|event| of(event).to_owned()).collect::<Vec<_>>();
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let emit = Sql::new(connection, EMIT).bind(ids).bind(texts(|event| &event.name));
        let emit = emit.bind(texts(|event| &event.payload)).bind(texts(|event| event.key().unwrap_or_default()));
        let emit = emit.bind(texts(|event| &event.identity)).bind(texts(|event| &event.traceparent));
        emit.bind(told.to_vec()).bind(offset_us).all().await
    }
}

impl Outbox for Postgres {
    fn broadcasts(&self) -> bool {
        true
    }

    fn emit<'a>(&'a self, events: &'a [NewEvent], told: &'a [bool]) -> BoxFuture<'a, Result<Vec<Place>>> {
        Box::pin(self.store(&self.db, events, told))
    }

    fn emit_in<'a>(
        &'a self,
        tx: &'a Tx,
        events: &'a [NewEvent],
        told: &'a [bool],
    ) -> BoxFuture<'a, Result<Vec<Place>>> {
        Box::pin(self.store(tx.db(), events, told))
    }

    fn turn<'a>(&'a self, tx: &'a Tx) -> BoxFuture<'a, Result<Turn>> {
        Box::pin(async move {
            let Asked { is_mine, now } = tx.sql(TURN).bind(RELAY).bind(self.clock.offset_us()).one().await?;
            Ok(Turn { is_mine, now })
        })
    }

    fn waiting<'a>(&'a self, tx: &'a Tx, now: DateTime<Utc>, limit: u32) -> BoxFuture<'a, Result<Vec<Waiting>>> {
        Box::pin(async move {
            let rows: Vec<Row> = tx.sql(WAITING).bind(now).bind(i64::from(limit)).all().await?;
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
            let statement = if delete { tx.sql(DELETE) } else { tx.sql(DISPATCHED).bind(now) };
            statement.bind(positions.to_vec()).execute().await?;
            Ok(())
        })
    }

    fn by_ids<'a>(&'a self, ids: &'a [Uuid]) -> BoxFuture<'a, Result<Vec<Emitted>>> {
        Box::pin(self.db.sql(BY_IDS).bind(ids.to_vec()).all())
    }

    fn prune(&self, retention: Duration, limit: u32) -> BoxFuture<'_, Result<u64>> {
        let retention_us = i64::try_from(retention.as_micros()).unwrap_or(i64::MAX);
        let prune = self.db.sql(PRUNE).bind(self.clock.offset_us()).bind(retention_us).bind(i64::from(limit));
        Box::pin(prune.execute())
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        Box::pin(async move {
            let counted: Counted = self.db.sql(STATS).bind(self.clock.offset_us()).one().await?;
            let lag = counted.oldest.and_then(|oldest| (counted.now - oldest).to_std().ok());
            Ok(Stats {
                depth: counted.depth.unsigned_abs(),
                lag: lag.unwrap_or_default(),
                held: counted.held.unsigned_abs(),
                parked: counted.parked.unsigned_abs(),
            })
        })
    }
}
