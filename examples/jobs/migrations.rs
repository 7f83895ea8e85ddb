//! The example's own tables.

use bunbase::{
    migration::{
        MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
        schema::{
            big_integer, integer, pk_auto, string, text, timestamp_with_time_zone, timestamp_with_time_zone_null,
            uuid_null,
        },
        sea_query::{Index, Table},
    },
    prelude::*,
};

/// The migrations, in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Orders)]
    }
}

struct Orders;

impl MigrationName for Orders {
    fn name(&self) -> &'static str {
        "m0001_orders"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Orders {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let orders = Table::create()
            .table("orders")
            .col(string("key").primary_key())
            .col(text("items"))
            .col(integer("attempts").default(0))
            .col(uuid_null("job_id"))
            .col(timestamp_with_time_zone("placed_at"))
            .col(timestamp_with_time_zone_null("fulfilled_at"))
            .to_owned();
        // No key forbids a second row for one order: that there is none is what the pipeline promises, and `summary` counts.
        let ledger = Table::create()
            .table("ledger")
            .col(pk_auto("id"))
            .col(string("order_key"))
            .col(big_integer("quantity"))
            .col(timestamp_with_time_zone("written_at"))
            .to_owned();
        let receipts = Table::create()
            .table("receipts")
            .col(string("order_key").primary_key())
            .col(timestamp_with_time_zone("sent_at"))
            .to_owned();
        for table in [orders, ledger, receipts] {
            manager.create_table(table).await?;
        }
        let by_order = Index::create().name("ledger_order_key").table("ledger").col("order_key").to_owned();
        manager.create_index(by_order).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["receipts", "ledger", "orders"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
