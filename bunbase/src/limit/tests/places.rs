//! Every backend there is, each with a way to let time pass.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{Db, DbBackend, migrate::Plan, testing::TestDatabase},
    limit::{LimitStore, Memory, Postgres, Sqlite},
};

/// One backend.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) store: Arc<dyn LimitStore>,
    pub(super) clock: Clock,
    db: Option<Db>,
    /// Dropped last.
    _database: Option<TestDatabase>,
}

impl Place {
    /// Returns the store as another instance sees it, with connections of its own; in memory there is only one.
    pub(super) async fn another(&self) -> Arc<dyn LimitStore> {
        match &self.db {
            Some(db) => sql(&Db::open(db.settings()).await.unwrap(), &self.clock),
            None => self.store.clone(),
        }
    }
}

fn sql(db: &Db, clock: &Clock) -> Arc<dyn LimitStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone())),
        _ => Arc::new(Sqlite::new(db.clone(), clock.clone())),
    }
}

/// Opens one of each backend.
pub(super) async fn each() -> Vec<Place> {
    let clock = Clock::system();
    let store = Arc::new(Memory::new(clock.clone(), 1000));
    let mut all = vec![Place { name: "memory", store, clock, db: None, _database: None }];
    #[cfg(feature = "redis")]
    if let Some(redis) = crate::redis::testing::shared().await.unwrap() {
        let clock = Clock::system();
        let store = Arc::new(crate::limit::Redis::new(redis, clock.clone()));
        all.push(Place { name: "redis", store, clock, db: None, _database: None });
    }
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let clock = Clock::system();
        let name = if db.backend() == DbBackend::Postgres { "postgres" } else { "sqlite" };
        all.push(Place { name, store: sql(&db, &clock), clock, db: Some(db), _database: Some(database) });
    }
    all
}

/// Returns a key that nobody has.
pub(super) fn key() -> String {
    Uuid::new_v4().to_string()
}
