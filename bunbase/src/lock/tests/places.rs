//! Every backend there is, each with a way to let time pass.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    db::{Db, DbBackend, migrate::Plan, notify::Notifier, testing::TestDatabase},
    lock::{LockStore, Locks, Postgres, Sqlite},
};

/// How long who asks waits, in tests.
pub(super) const WAIT: Duration = Duration::from_secs(10);

/// One backend.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) locks: Locks,
    pub(super) clock: Clock,
    pub(super) db: Db,
    /// Dropped last.
    _database: TestDatabase,
}

impl Place {
    /// Returns the locks as another instance sees them, with connections and a clock of its own.
    pub(super) async fn another(&self) -> Locks {
        let db = Db::open(self.db.settings()).await.unwrap();
        let clock = Clock::skewed(self.clock.offset_us());
        let store = match self.name.as_str() {
            "sqlite" | "postgres" => sql(&db, &clock),
            _ => self.locks.store.clone(),
        };
        Locks::new(store, clock, Notifier::local(), WAIT)
    }
}

pub(super) fn sql(db: &Db, clock: &Clock) -> Arc<dyn LockStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone())),
        _ => Arc::new(Sqlite::new(db.clone(), clock.clone())),
    }
}

/// Opens one of each backend; Redis with tokens from each database.
pub(super) async fn each() -> Vec<Place> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let clock = Clock::system();
        let name = if db.backend() == DbBackend::Postgres { "postgres" } else { "sqlite" };
        #[cfg(feature = "redis")]
        if let Some(redis) = crate::redis::testing::shared().await.unwrap() {
            let other = TestDatabase::each().await.unwrap().into_iter().find(|one| one.backend() == db.backend());
            let other = other.unwrap();
            let db = other.db().await.unwrap();
            Plan::new().up(&db).await.unwrap();
            let clock = Clock::system();
            let fences = crate::lock::Fences::new(db.clone(), clock.clone());
            let store = Arc::new(crate::lock::Redis::new(redis, fences));
            let locks = Locks::new(store, clock.clone(), Notifier::local(), WAIT);
            all.push(Place { name: format!("redis with {name}"), locks, clock, db, _database: other });
        }
        let locks = Locks::new(sql(&db, &clock), clock.clone(), Notifier::local(), WAIT);
        all.push(Place { name: name.to_owned(), locks, clock, db, _database: database });
    }
    all
}
