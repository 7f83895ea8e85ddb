//! `event_outbox`: events that were emitted, in the transaction that they tell of. A relay makes one job of each for every
//! subscription.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000003_events"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { uuid, time, counter, storage, .. } = of;
    vec![
        format!(
            "CREATE TABLE event_outbox (
                position {counter},
                id {uuid} NOT NULL UNIQUE,
                name TEXT NOT NULL,
                payload TEXT NOT NULL,
                ordering_key TEXT,
                identity TEXT NOT NULL,
                traceparent TEXT NOT NULL,
                emitted_at {time} NOT NULL,
                failures INTEGER NOT NULL DEFAULT 0,
                retry_at {time},
                error TEXT,
                dispatched_at {time},
                parked_at {time},
                CHECK (dispatched_at IS NULL OR parked_at IS NULL),
                CHECK (retry_at IS NULL OR (dispatched_at IS NULL AND parked_at IS NULL)),
                CHECK (parked_at IS NULL OR error IS NOT NULL)
            ){storage}"
        ),
        "CREATE INDEX event_outbox_waiting ON event_outbox (position) WHERE dispatched_at IS NULL AND parked_at IS NULL"
            .to_owned(),
        // Those that wait to be tried again; what comes after them under their key waits too.
        "CREATE INDEX event_outbox_held ON event_outbox (name, ordering_key, position) WHERE retry_at IS NOT NULL"
            .to_owned(),
        "CREATE INDEX event_outbox_parked ON event_outbox (position) WHERE parked_at IS NOT NULL".to_owned(),
        "CREATE INDEX event_outbox_dispatched ON event_outbox (dispatched_at) WHERE dispatched_at IS NOT NULL"
            .to_owned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE event_outbox".to_owned()]).await
    }
}
