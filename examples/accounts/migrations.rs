//! The example's own table.

use bunbase::{
    migration::{
        MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
        schema::{pk_auto, string, string_uniq, timestamp_with_time_zone},
        sea_query::Table,
    },
    prelude::*,
};

/// The migrations, in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Accounts)]
    }
}

struct Accounts;

impl MigrationName for Accounts {
    fn name(&self) -> &'static str {
        "m0001_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Accounts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("accounts")
            .col(pk_auto("id").big_integer())
            // In small letters, so that nobody signs up twice.
            .col(string_uniq("email"))
            .col(string("name"))
            .col(string("password_hash"))
            .col(string("role").default("member"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("accounts").to_owned()).await
    }
}
