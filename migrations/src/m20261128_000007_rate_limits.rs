//! `rate_limits`: how many calls were let through, by who made them.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000007_rate_limits"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { time, storage, .. } = of;
    // What a crash may take needs no log: it begins anew. A row is written for every call.
    let (unlogged, counts) = if of.has_partitions { ("UNLOGGED ", "BIGINT[]") } else { ("", "TEXT") };
    vec![
        format!(
            "CREATE {unlogged}TABLE rate_limits (
                key TEXT PRIMARY KEY NOT NULL,
                at BIGINT NOT NULL,
                counts {counts} NOT NULL,
                expires_at {time} NOT NULL
            ){storage}"
        ),
        "CREATE INDEX rate_limits_expires_at ON rate_limits (expires_at)".to_owned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE rate_limits".to_owned()]).await
    }
}
