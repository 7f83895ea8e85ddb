//! `idempotency_keys`: answers kept so that a repeated call gets the first one's. `webhook_deliveries`: what was received, as
//! it was signed.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000005_idempotency"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { uuid, time, bytes, .. } = of;
    vec![
        format!(
            "CREATE TABLE idempotency_keys (
                scope TEXT NOT NULL,
                idempotency_key TEXT NOT NULL,
                fingerprint {bytes} NOT NULL,
                owner {uuid} NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('running', 'done')),
                locked_until {time} NOT NULL,
                status INTEGER,
                headers TEXT,
                body {bytes},
                created_at {time} NOT NULL,
                expires_at {time} NOT NULL,
                PRIMARY KEY (scope, idempotency_key),
                CHECK ((state = 'done') = (status IS NOT NULL))
            )"
        ),
        "CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at)".to_owned(),
        format!(
            "CREATE TABLE webhook_deliveries (
                action TEXT NOT NULL,
                delivery_id TEXT NOT NULL,
                job_id {uuid} NOT NULL,
                headers TEXT NOT NULL,
                body {bytes} NOT NULL,
                received_at {time} NOT NULL,
                PRIMARY KEY (action, delivery_id)
            )"
        ),
        "CREATE INDEX webhook_deliveries_received_at ON webhook_deliveries (received_at)".to_owned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE webhook_deliveries".to_owned(), "DROP TABLE idempotency_keys".to_owned()])
            .await
    }
}
