//! The tables of this service.

use bunbase::migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
    schema::{
        big_integer, boolean, json_binary, pk_auto, string, text, timestamp_with_time_zone,
        timestamp_with_time_zone_null,
    },
    sea_query::{Alias, ForeignKey, ForeignKeyAction, Index, Table},
};
use bunbase::sea_orm::DbErr;

/// All migrations, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateTables)]
    }
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &'static str {
        "m0001_create_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let name = Alias::new;
        manager
            .create_table(
                Table::create()
                    .table(name("projects"))
                    .col(pk_auto(name("id")).big_integer())
                    .col(string(name("name")).unique_key())
                    .col(boolean(name("archived")).default(false))
                    .col(timestamp_with_time_zone(name("created_at")))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(name("tasks"))
                    .col(pk_auto(name("id")).big_integer())
                    .col(big_integer(name("project_id")))
                    .col(text(name("title")))
                    .col(json_binary(name("labels")))
                    .col(timestamp_with_time_zone_null(name("due")))
                    .col(timestamp_with_time_zone_null(name("done_at")))
                    .col(timestamp_with_time_zone(name("created_at")))
                    .foreign_key(
                        ForeignKey::create()
                            .from(name("tasks"), name("project_id"))
                            .to(name("projects"), name("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(name("comments"))
                    .col(pk_auto(name("id")).big_integer())
                    .col(big_integer(name("task_id")))
                    .col(text(name("author")))
                    .col(text(name("text")))
                    .col(timestamp_with_time_zone(name("created_at")))
                    .foreign_key(
                        ForeignKey::create()
                            .from(name("comments"), name("task_id"))
                            .to(name("tasks"), name("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for (index, table, columns) in [
            ("tasks_by_project", "tasks", ["project_id", "id"]),
            ("tasks_by_title", "tasks", ["project_id", "title"]),
            ("comments_by_task", "comments", ["task_id", "id"]),
        ] {
            let mut create = Index::create();
            create.name(index).table(name(table));
            for column in columns {
                create.col(name(column));
            }
            manager.create_index(create).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["comments", "tasks", "projects"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
