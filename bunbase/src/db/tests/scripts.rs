//! What `migrate plan` shows.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DbBackend, EntityTrait};
use sea_orm_migration::prelude::*;

use super::{
    super::migrate::{Plan, Step},
    *,
};

mod colour {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "colour")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i32,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Asks before it makes, inserts by an entity, and uses a transaction of its own.
struct Colours;

impl MigrationName for Colours {
    fn name(&self) -> &'static str {
        "m1_colours"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Colours {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !manager.has_table("colour").await? {
            let id = ColumnDef::new("id").integer().not_null().auto_increment().primary_key().to_owned();
            let name = ColumnDef::new("name").text().not_null().to_owned();
            manager.create_table(Table::create().table("colour").col(id).col(name).to_owned()).await?;
        }
        let connection = manager.get_connection();
        connection.execute_unprepared("CREATE INDEX colour_name ON colour (name); -- and\nSELECT 1").await?;
        let red = colour::ActiveModel { name: Set("it's red".to_owned()), ..Default::default() };
        red.insert(connection).await?;
        let inner = manager.begin().await?;
        inner.get_connection().execute_unprepared("INSERT INTO colour (name) VALUES ('blue')").await?;
        inner.commit().await
    }
}

/// Goes by what it reads.
struct Shades;

impl MigrationName for Shades {
    fn name(&self) -> &'static str {
        "m2_shades"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Shades {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("CREATE TABLE shade (colour INTEGER NOT NULL)").await?;
        for colour in colour::Entity::find().all(connection).await? {
            connection.execute_unprepared(&format!("INSERT INTO shade VALUES ({})", colour.id)).await?;
        }
        Ok(())
    }
}

struct Shown;

#[async_trait::async_trait]
impl MigratorTrait for Shown {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Colours)]
    }
}

struct Reading;

#[async_trait::async_trait]
impl MigratorTrait for Reading {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Colours), Box::new(Shades)]
    }
}

fn sql() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "-- sqlite\nCREATE TABLE note (id INTEGER PRIMARY KEY)\n-- postgres\nCREATE TABLE note (id BIGINT PRIMARY KEY)";
    std::fs::write(folder.path().join("0001_note.sql"), text).unwrap();
    folder
}

async fn tables(db: &Db) -> i64 {
    let sql = match db.backend() {
        DbBackend::Postgres => "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'",
        _ => "SELECT count(*) FROM sqlite_schema",
    };
    db.sql(sql).scalar().await.unwrap()
}

#[tokio::test]
async fn the_script_changes_nothing_and_run_by_hand_does_all_that_up_does() {
    for (database, db) in each().await {
        let folder = sql();
        let plan = Plan::new().rust::<Shown>().sql_dir(folder.path());
        let script = plan.script(&db).await.unwrap();
        assert_eq!(tables(&db).await, 0);
        assert!(plan.status(&db).await.unwrap().iter().all(|one| !one.applied));
        let names: Vec<_> = script.steps.iter().map(|step| step.name.clone()).collect();
        assert!(script.steps.iter().all(|step| step.remark.is_none()), "{script}");
        // Over a connection of its own: on SQLite the script begins a transaction.
        let text = script.to_string();
        let other = database.db().await.unwrap();
        if db.backend() == DbBackend::Postgres {
            other.execute_unprepared(&text).await.unwrap();
        } else {
            let by_hand = sea_orm::Database::connect(database.url()).await.unwrap();
            by_hand.execute_unprepared(&text).await.unwrap_or_else(|error| panic!("{error}: {text}"));
            by_hand.close().await.unwrap();
        }
        assert_eq!(plan.up(&db).await.unwrap(), [""; 0], "{text}");
        let status = plan.status(&db).await.unwrap();
        assert_eq!(status.iter().map(|one| one.name.clone()).collect::<Vec<_>>(), names);
        let red: Vec<String> = db
            .sql("SELECT name FROM colour ORDER BY id")
            .columns::<(String,)>()
            .await
            .unwrap()
            .into_iter()
            .map(|(name,)| name)
            .collect();
        assert_eq!(red, ["it's red", "blue"]);
        assert!(plan.script(&db).await.unwrap().steps.is_empty());
    }
}

#[tokio::test]
async fn a_migration_that_goes_by_what_it_reads_is_shown_as_it_would_run_now() {
    for (_database, db) in each().await {
        let script = Plan::new().rust::<Reading>().script(&db).await.unwrap();
        let Step { name, statements, remark, .. } = script.steps.last().unwrap();
        assert_eq!(name, "m2_shades");
        assert_eq!(
            statements[..3],
            [
                "CREATE TABLE shade (colour INTEGER NOT NULL)",
                "INSERT INTO shade VALUES (1)",
                "INSERT INTO shade VALUES (2)"
            ]
        );
        assert_eq!(*remark, None);
        assert_eq!(tables(&db).await, 0);
    }
}

/// Refuses to be in a transaction, on Postgres.
struct Concurrent;

impl MigrationName for Concurrent {
    fn name(&self) -> &'static str {
        "m2_concurrent"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Concurrent {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let word = if manager.get_database_backend() == DbBackend::Postgres { "CONCURRENTLY " } else { "" };
        let index = format!("CREATE INDEX {word}colour_id ON colour (id)");
        manager.get_connection().execute_unprepared(&index).await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}

struct Indexing;

#[async_trait::async_trait]
impl MigratorTrait for Indexing {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Colours), Box::new(Concurrent)]
    }
}

#[tokio::test]
async fn what_cannot_be_in_a_transaction_is_shown_outside_of_one_and_said_to_be_untried() {
    for (_database, db) in each().await {
        let plan = Plan::new().rust::<Indexing>();
        let script = plan.script(&db).await.unwrap();
        let last = script.steps.last().unwrap();
        assert_eq!(last.remark.is_some(), db.backend() == DbBackend::Postgres);
        assert!(last.statements[0].ends_with("colour_id ON colour (id)") && !last.is_transaction, "{last:?}");
        plan.up(&db).await.unwrap();
    }
}

/// Fails.
struct Wrong;

impl MigrationName for Wrong {
    fn name(&self) -> &'static str {
        "m1_wrong"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Wrong {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("INSERT INTO nowhere VALUES (1)").await.map(drop)
    }
}

struct Failing;

#[async_trait::async_trait]
impl MigratorTrait for Failing {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Wrong)]
    }
}

#[tokio::test]
async fn a_migration_that_would_fail_is_named() {
    for (_database, db) in each().await {
        let error = Plan::new().rust::<Failing>().script(&db).await.unwrap_err();
        assert_eq!(error.code(), "migration_failed");
        assert!(error.detail().contains("`m1_wrong`"), "{error}");
        assert_eq!(tables(&db).await, 0);
    }
}
