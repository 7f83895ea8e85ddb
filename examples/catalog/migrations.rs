//! The example's own table, and something to show.

use bunbase::{
    migration::{
        MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
        schema::{big_integer, string, timestamp_with_time_zone},
        sea_query::{Query, Table},
    },
    prelude::*,
};

/// The migrations, in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Products)]
    }
}

struct Products;

impl MigrationName for Products {
    fn name(&self) -> &'static str {
        "m0001_products"
    }
}

const SHOWN: [(&str, &str, i64); 4] = [
    ("tea-green", "Green tea, 100 g", 650),
    ("tea-black", "Black tea, 100 g", 590),
    ("coffee-house", "House coffee, 250 g", 890),
    ("mug-blue", "Blue mug", 1290),
];

#[async_trait::async_trait]
impl MigrationTrait for Products {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("products")
            .col(string("sku").primary_key())
            .col(string("name"))
            .col(big_integer("price_cents"))
            .col(timestamp_with_time_zone("changed_at"))
            .to_owned();
        manager.create_table(table).await?;
        let mut rows = Query::insert();
        rows.into_table("products").columns(["sku", "name", "price_cents", "changed_at"]);
        for (sku, name, price_cents) in SHOWN {
            rows.values_panic([sku.into(), name.into(), price_cents.into(), now().into()]);
        }
        manager.execute(rows).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("products").to_owned()).await
    }
}
