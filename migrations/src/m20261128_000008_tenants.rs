//! `tenants`: which there are, and on which shard the data of each is.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000008_tenants"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { time, .. } = of;
    vec![format!(
        "CREATE TABLE tenants (
            id TEXT PRIMARY KEY NOT NULL,
            shard TEXT NOT NULL,
            created_at {time} NOT NULL
        )"
    )]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE tenants".to_owned()]).await
    }
}
