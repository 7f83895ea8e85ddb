//! Every backend there is, each with a way to let time pass.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    db::{Db, DbBackend, migrate::Plan, testing::TestDatabase},
    kv::{Kv, KvStore, Memory, Postgres, Settings, Sqlite},
};

/// One backend, empty.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) kv: Kv,
    pub(crate) clock: Clock,
    pub(crate) db: Option<Db>,
    /// Dropped last.
    database: Option<TestDatabase>,
}

impl Place {
    fn new(name: &'static str, store: Arc<dyn KvStore>, clock: Clock) -> Self {
        Self { name, kv: Kv::new(store, Settings::default()), clock, db: None, database: None }
    }

    /// Lets so much time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Returns the values as another instance sees them.
    pub(crate) async fn another(&self) -> Kv {
        match &self.database {
            None => self.kv.clone(),
            Some(database) => Kv::new(store(&database.db().await.unwrap(), &self.clock), Settings::default()),
        }
    }
}

fn store(db: &Db, clock: &Clock) -> Arc<dyn KvStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone())),
        _ => Arc::new(Sqlite::new(db.clone(), clock.clone())),
    }
}

/// Opens one of each backend.
pub(crate) async fn each() -> Vec<Place> {
    let clock = Clock::system();
    let mut all = vec![Place::new("memory", Arc::new(Memory::new(clock.clone(), 1 << 24)), clock)];
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let clock = Clock::system();
        let name = if db.backend() == DbBackend::Postgres { "postgres" } else { "sqlite" };
        let place = Place::new(name, store(&db, &clock), clock);
        all.push(Place { db: Some(db), database: Some(database), ..place });
    }
    all
}
