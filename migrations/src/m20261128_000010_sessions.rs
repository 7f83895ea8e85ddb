//! `session_revocations`: sessions that were ended before their time, and the epochs of users.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000010_sessions"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { time, storage, .. } = of;
    vec![
        format!(
            "CREATE TABLE session_revocations (
                subject TEXT PRIMARY KEY NOT NULL,
                epoch BIGINT NOT NULL,
                revoked_at {time} NOT NULL,
                expires_at {time} NOT NULL
            ){storage}"
        ),
        "CREATE INDEX session_revocations_revoked_at ON session_revocations (revoked_at)".to_owned(),
        "CREATE INDEX session_revocations_expires_at ON session_revocations (expires_at)".to_owned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE session_revocations".to_owned()]).await
    }
}
