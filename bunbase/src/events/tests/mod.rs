//! The room as a whole, on real databases of both kinds.

mod broadcasting;
mod emitting;
mod failing;
mod order;
mod relaying;
#[cfg(feature = "redis")]
mod stream;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use sea_orm::{DbBackend, FromQueryResult};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Broadcast, Deliver, Emitted, Events, Listener, NewEvent, Relay, Settings,
    deliver::{Limits, Step},
};
use crate::{
    Error, Result,
    clock::Clock,
    db::{self, Db, Tx, migrate::Plan, testing::TestDatabase},
};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

const LIMITS: Limits = Limits { batch: 500, max_failures: 10, keep: true };

/// One process: its connections, and what its relay delivered to.
struct Instance {
    clock: Clock,
    db: Db,
    events: Events,
    subscriber: Arc<Subscriber>,
}

/// Writes each event into the table `delivered`, in the transaction that marks it.
#[derive(Default)]
struct Subscriber {
    committed: watch::Sender<usize>,
    /// Payloads that fail, and how often they still do.
    broken: Mutex<HashMap<String, u32>>,
    /// How it was called, also when that was rolled back.
    calls: Mutex<Vec<Vec<String>>>,
}

impl Subscriber {
    fn fail(&self, payload: &str, times: u32) {
        self.broken.lock().unwrap().insert(payload.to_owned(), times);
    }

    fn fails(&self, payload: &str) -> bool {
        let mut broken = self.broken.lock().unwrap();
        let Some(left) = broken.get_mut(payload).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }
}

impl Deliver for Subscriber {
    fn deliver<'a>(&'a self, tx: &'a Tx, events: &'a [Emitted]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let payloads = events.iter().map(|event| event.payload.clone()).collect();
            self.calls.lock().unwrap().push(payloads);
            for event in events {
                let insert = tx.sql("INSERT INTO delivered (payload, ordering_key, position) VALUES ($1, $2, $3)");
                let insert = insert.bind(event.payload.as_str()).bind(event.ordering_key.as_deref());
                insert.bind(event.position).execute().await?;
                match event.payload.as_str() {
                    "panic" => panic!("on purpose"),
                    payload if self.fails(payload) => return Err(Error::new(500, "unknown_action", "no such action")),
                    _ => {}
                }
            }
            Ok(())
        })
    }

    fn committed(&self) {
        self.committed.send_modify(|count| *count += 1);
    }
}

#[derive(Debug, FromQueryResult)]
struct Delivered {
    payload: String,
    ordering_key: Option<String>,
    position: i64,
}

/// Makes a database of each kind with the tables.
async fn each() -> Vec<TestDatabase> {
    let all = TestDatabase::each().await.unwrap();
    for database in &all {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let counter = match db.backend() {
            DbBackend::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            _ => "INTEGER PRIMARY KEY AUTOINCREMENT",
        };
        let table = format!(
            "CREATE TABLE delivered (seq {counter}, payload TEXT NOT NULL, ordering_key TEXT, position BIGINT NOT NULL)"
        );
        db.sql(&table).execute().await.unwrap();
        db.close().await;
    }
    all
}

impl Instance {
    async fn of(database: &TestDatabase) -> Self {
        Self::with(database, Broadcast::of([])).await
    }

    async fn with(database: &TestDatabase, broadcast: Broadcast) -> Self {
        let settings = db::Settings { max_connections: 8, busy_timeout: PATIENCE, ..database.settings() };
        let (db, clock) = (Db::open(&settings).await.unwrap(), Clock::system());
        let events = Events::new(db.clone(), clock.clone(), broadcast, Arc::default());
        Self { clock, db, events, subscriber: Arc::default() }
    }

    fn relay(&self, settings: Settings) -> Relay {
        Relay::start(self.events.clone(), self.subscriber.clone(), settings)
    }

    async fn emit(&self, payloads: &[&str]) {
        let events: Vec<_> = payloads.iter().map(|payload| event(payload, None)).collect();
        self.events.emit(&events).await.unwrap();
    }

    async fn emit_under(&self, key: &str, payloads: &[&str]) {
        let events: Vec<_> = payloads.iter().map(|payload| event(payload, Some(key))).collect();
        self.events.emit(&events).await.unwrap();
    }

    async fn step(&self) -> Step {
        self.events.step(&*self.subscriber, LIMITS).await.unwrap()
    }

    /// Returns what was delivered, in the order in which it was.
    async fn delivered(&self) -> Vec<Delivered> {
        self.db.sql("SELECT payload, ordering_key, position FROM delivered ORDER BY seq").all().await.unwrap()
    }

    async fn payloads(&self) -> Vec<String> {
        self.delivered().await.into_iter().map(|delivered| delivered.payload).collect()
    }

    async fn rows(&self) -> i64 {
        self.db.sql("SELECT count(*) FROM event_outbox").scalar().await.unwrap()
    }

    /// Waits until so many events in all were delivered.
    async fn delivered_reaches(&self, count: usize) {
        let mut committed = self.subscriber.committed.subscribe();
        let reached = async {
            loop {
                committed.mark_unchanged();
                if self.delivered().await.len() >= count {
                    return;
                }
                committed.changed().await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        assert!(in_time, "{count} events were waited for, and these came: {:?}", self.payloads().await);
    }
}

fn event(payload: &str, key: Option<&str>) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        name: "task.created".into(),
        payload: payload.into(),
        ordering_key: key.map(str::to_owned),
        identity: r#"{"kind":"system"}"#.into(),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
    }
}

const fn worked(delivered: usize, failed: usize) -> Step {
    Step::Worked { delivered, failed }
}
