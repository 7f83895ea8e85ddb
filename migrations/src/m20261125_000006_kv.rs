//! `kv_store`: values by their keys. `locks`: who holds which lock, and until when.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000006_kv"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { uuid, time, storage, .. } = of;
    // Keys are listed by a prefix, in the order of their bytes, which is SQLite's order anyway.
    let bytewise = if of.keeps_plans { " COLLATE \"C\"" } else { "" };
    vec![
        format!(
            "CREATE TABLE kv_store (
                key TEXT{bytewise} PRIMARY KEY NOT NULL,
                value TEXT NOT NULL,
                expires_at {time}
            ){storage}"
        ),
        "CREATE INDEX kv_store_expires_at ON kv_store (expires_at) WHERE expires_at IS NOT NULL".to_owned(),
        format!(
            "CREATE TABLE locks (
                name TEXT PRIMARY KEY NOT NULL,
                owner {uuid} NOT NULL,
                fence BIGINT NOT NULL,
                expires_at {time} NOT NULL
            ){storage}"
        ),
        "CREATE INDEX locks_expires_at ON locks (expires_at)".to_owned(),
    ]
}

/// What fencing tokens are drawn from: one number after the other, for all locks together, so that no row has to outlive its lock.
/// The sequence goes with the table.
const FENCES_POSTGRES: &str = "CREATE SEQUENCE lock_fences AS BIGINT OWNED BY locks.fence";
const FENCES_SQLITE: [&str; 2] =
    ["CREATE TABLE lock_fences (last BIGINT NOT NULL)", "INSERT INTO lock_fences (last) VALUES (0)"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => run(manager, |_| vec![FENCES_POSTGRES.to_owned()]).await,
            _ => run(manager, |_| FENCES_SQLITE.map(str::to_owned).to_vec()).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fences = match manager.get_database_backend() {
            DbBackend::Postgres => "DROP SEQUENCE lock_fences",
            _ => "DROP TABLE lock_fences",
        };
        manager.get_connection().execute_unprepared(fences).await?;
        run(manager, |_| vec!["DROP TABLE locks".to_owned(), "DROP TABLE kv_store".to_owned()]).await
    }
}
