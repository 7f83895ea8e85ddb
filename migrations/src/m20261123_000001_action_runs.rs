//! `action_runs`: one row for every run of an action.

use sea_orm_migration::prelude::*;

const TABLE: &str = "action_runs";
const BY_ACTION: &str = "action_runs_action_started_at";
const BY_TIME: &str = "action_runs_started_at";

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000001_action_runs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(ColumnDef::new("action").text().not_null())
                    .col(ColumnDef::new("door").text().not_null())
                    .col(ColumnDef::new("trace_id").text().not_null())
                    .col(ColumnDef::new("attempt").integer().not_null().default(1).check(Expr::col("attempt").gte(1)))
                    .col(ColumnDef::new("status").text().not_null().check(Expr::col("status").is_in([
                        "succeeded",
                        "failed",
                        "timed_out",
                        "cancelled",
                        "panicked",
                    ])))
                    .col(ColumnDef::new("started_at").timestamp_with_time_zone().not_null())
                    .col(ColumnDef::new("duration_us").big_integer().not_null())
                    .col(ColumnDef::new("http_status").integer().null())
                    .col(ColumnDef::new("error_code").text().null())
                    .col(ColumnDef::new("error").text().null())
                    .col(ColumnDef::new("input").text().null())
                    .col(ColumnDef::new("output").text().null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name(BY_ACTION).table(TABLE).col("action").col("started_at").to_owned())
            .await?;
        manager.create_index(Index::create().name(BY_TIME).table(TABLE).col("started_at").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
