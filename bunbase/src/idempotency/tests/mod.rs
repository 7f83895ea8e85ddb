//! The room as a whole, on real databases of both kinds.

mod store;
mod waiting;

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    clock::Clock,
    db::{Db, DbBackend, migrate::Plan, testing::TestDatabase},
};

const LOCK: Duration = Duration::from_secs(30);
const RETENTION: Duration = Duration::from_hours(24);

/// One database of a kind, with a clock and a store that go by it.
struct Place {
    db: Db,
    clock: Clock,
    store: Arc<dyn KeyStore>,
    /// Dropped last.
    _database: TestDatabase,
}

impl Place {
    /// Returns a store as another instance has it, with connections of its own and a clock that is so far ahead.
    async fn another(&self, ahead: Duration) -> Arc<dyn KeyStore> {
        let db = Db::open(self.db.settings()).await.unwrap();
        store(&db, &Clock::skewed(i64::try_from(ahead.as_micros()).unwrap()))
    }

    async fn rows(&self) -> i64 {
        self.db.sql("SELECT count(*) FROM idempotency_keys").scalar().await.unwrap()
    }
}

fn store(db: &Db, clock: &Clock) -> Arc<dyn KeyStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone(), RETENTION)),
        _ => Arc::new(Sqlite::new(db.clone(), clock.clone(), RETENTION)),
    }
}

/// Opens one database of each kind with the framework's tables.
async fn each() -> Vec<Place> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let clock = Clock::system();
        all.push(Place { store: store(&db, &clock), db, clock, _database: database });
    }
    all
}

/// Returns a call with a key, whose body is the text.
fn call(key: &str, body: &str) -> Call {
    Call::new("orders.create user:1", Key::of(key), Fingerprint::of(&[body.as_bytes()]), LOCK)
}

fn answer(body: &[u8]) -> Stored {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Stored {
        status: 201,
        headers: vec![header("location", "/orders/1"), header("set-cookie", "a=\"1\""), header("set-cookie", "b=2")],
        body: body.to_vec().into(),
    }
}

fn owner(begun: Begun) -> Owner {
    match begun {
        Begun::Mine(owner) => owner,
        other => panic!("it is not taken: {other:?}"),
    }
}

fn held(begun: Begun<Held>) -> Held {
    match begun {
        Begun::Mine(held) => held,
        other => panic!("it is not taken: {other:?}"),
    }
}
