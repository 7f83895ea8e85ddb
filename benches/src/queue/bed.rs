//! Databases for the benchmark.

use std::{sync::Mutex, sync::PoisonError};

use bunbase::{
    clock::Clock,
    db::{Db, Settings, migrate::Plan, notify::Notifier},
    queue::{self, Due, JobStore, NewJob, Priority, Wake},
};
use url::Url;
use uuid::Uuid;

use super::Result;

/// Connections of one process, which is what the peer has too.
const CONNECTIONS: u32 = 12;

/// The queue that jobs go to.
pub(super) const QUEUE: &str = "default";

/// A Postgres server, and the databases that were made on it.
pub(crate) struct Server {
    url: Url,
    admin: Db,
    made: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) async fn new(url: &str) -> Result<Self> {
        let admin = Db::open(&Settings { max_connections: 1, ..Settings::new(url) }).await?;
        admin.reach().await?;
        Ok(Self { url: Url::parse(url)?, admin, made: Mutex::default() })
    }

    /// Makes a database and returns its URL.
    pub(crate) async fn database(&self, kind: &str) -> Result<String> {
        let name = format!("bunbase_bench_{kind}_{}", Uuid::now_v7().simple());
        self.admin.sql(&format!("CREATE DATABASE {name}")).execute().await?;
        let mut url = self.url.clone();
        url.set_path(&name);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        Ok(url.into())
    }

    pub(crate) async fn drop_all(&self) -> Result<()> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for name in made {
            self.admin.sql(&format!("DROP DATABASE {name} WITH (FORCE)")).execute().await?;
        }
        Ok(())
    }
}

/// One process on one database: a pool, the queue and the wake-ups.
#[derive(Clone)]
pub(super) struct Bed {
    pub(super) backend: &'static str,
    pub(super) db: Db,
    pub(super) store: std::sync::Arc<dyn JobStore>,
    pub(super) wake: Wake,
    pub(super) clock: Clock,
}

impl Bed {
    /// Opens a database and brings it up to date.
    pub(super) async fn open(backend: &'static str, url: &str) -> Result<Self> {
        let settings = Settings { max_connections: CONNECTIONS, ..Settings::new(url) };
        let db = Db::open(&settings).await?;
        Plan::new().up(&db).await?;
        let clock = Clock::system();
        let notifier = Notifier::start(db.clone(), clock.clone(), Some(settings));
        notifier.started().await;
        let store = queue::open(db.clone(), clock.clone(), queue::Settings::default());
        Ok(Self { backend, db, store, wake: Wake::new(notifier), clock })
    }

    /// Opens the same database once more, as another process would; SQLite, which belongs to one process, is the same.
    pub(super) async fn another(&self) -> Result<Self> {
        if self.is_postgres() { Self::open(self.backend, &self.db.settings().url).await } else { Ok(self.clone()) }
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.backend == "postgres"
    }

    /// Stores so many jobs, a batch at a time.
    pub(super) async fn fill(&self, jobs: usize, batch: usize) -> Result<()> {
        for done in (0..jobs).step_by(batch) {
            let batch: Vec<_> = (done..jobs.min(done + batch)).map(|_| job()).collect();
            self.store.insert(&batch).await?;
        }
        Ok(())
    }

    /// Does what the database would do by itself before long, so that it does not do it in the middle.
    pub(super) async fn settle(&self) -> Result<()> {
        if self.is_postgres() {
            self.db.sql("VACUUM ANALYZE").execute().await?;
            self.db.sql("CHECKPOINT").execute().await?;
        } else {
            self.db.sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar::<i32>().await?;
        }
        Ok(())
    }

    pub(super) async fn count(&self) -> Result<usize> {
        let count: i64 = self.db.sql("SELECT count(*) FROM job_queue").scalar().await?;
        Ok(usize::try_from(count)?)
    }

    /// Deletes all jobs.
    pub(super) async fn clear(&self) -> Result<()> {
        // Not TRUNCATE: that would take the pages that the table keeps for the sake of its plans.
        self.db.sql("DELETE FROM job_queue").execute().await?;
        self.settle().await
    }

    pub(super) async fn close(&self) {
        self.db.close().await;
    }
}

/// A job as `ctx.enqueue` would store it.
pub(super) fn job() -> NewJob {
    NewJob {
        id: Uuid::now_v7(),
        queue: QUEUE.to_owned(),
        action: "bench.noop".to_owned(),
        input: r#"{"n":1}"#.to_owned(),
        priority: Priority::Normal,
        due: Due::Now,
        max_attempts: 5,
        unique: None,
        group: None,
        door: "job",
        origin: None,
        identity: r#"{"kind":"anonymous"}"#.to_owned(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
    }
}
