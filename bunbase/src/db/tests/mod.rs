//! The room as a whole, on real databases of both kinds.

mod availability;
mod concurrency;
mod kept;
mod migrations;
mod operate;
mod pages;
#[cfg(unix)]
mod pgbouncer;
mod raw_sql;
mod scripts;
mod seeds;
#[cfg(unix)]
mod tls;
mod transactions;
mod watch;
mod wire;

use super::{Db, Sql, Tx, testing::TestDatabase};

/// A SeaORM entity with a column of each kind that differs between the engines.
mod task {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub title: String,
        pub done: bool,
        pub due: DateTimeUtc,
        pub key: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Opens one database of each kind.
async fn each() -> Vec<(TestDatabase, Db)> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        all.push((database, db));
    }
    all
}

/// Opens one database of each kind with the table of [`task`].
async fn each_with_tasks() -> Vec<(TestDatabase, Db)> {
    let all = each().await;
    for (_, db) in &all {
        let schema = sea_orm::Schema::new(db.backend());
        sea_orm::ConnectionTrait::execute(db, &schema.create_table_from_entity(task::Entity)).await.unwrap();
    }
    all
}

/// Makes the table `counter` with one row that is 0.
async fn with_counter(db: &Db) {
    db.sql("CREATE TABLE counter (n BIGINT NOT NULL)").execute().await.unwrap();
    db.sql("INSERT INTO counter (n) VALUES (0)").execute().await.unwrap();
}

async fn counter(db: &Db) -> i64 {
    db.sql("SELECT n FROM counter").scalar().await.unwrap()
}

async fn set_counter(tx: &Tx, n: i64) -> crate::Result<u64> {
    tx.sql("UPDATE counter SET n = $1").bind(n).execute().await
}

#[test]
fn handles_can_cross_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Db>();
    shared::<Tx>();
    shared::<Sql<'static, Db>>();
}
