//! The room on real databases of both kinds: what a backend must do, and the worker and the reaper on top of it.

mod conformance;
mod probe;
mod reaper;
mod worker;

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::*;
use crate::db::{migrate::Plan, testing::TestDatabase};

const LEASE: Duration = Duration::from_secs(30);

/// A queue in a database of its own.
struct Bed {
    store: Arc<dyn JobStore>,
    db: Db,
    clock: Clock,
    database: TestDatabase,
}

/// Opens a queue in one database of each kind.
async fn each() -> Vec<Bed> {
    each_with(Settings { retention: Some(Duration::from_hours(1)), failure_retention: None }).await
}

async fn each_with(settings: Settings) -> Vec<Bed> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let clock = Clock::system();
        let store = open(db.clone(), clock.clone(), settings);
        all.push(Bed { store, db, clock, database });
    }
    all
}

impl Bed {
    async fn add(&self, jobs: &[NewJob]) -> Vec<Enqueued> {
        self.store.insert(jobs).await.unwrap()
    }

    async fn claim(&self, limit: u32) -> Vec<Claimed> {
        self.store.claim(&asking(limit)).await.unwrap().jobs
    }

    async fn claim_grouped(&self, limit: u32) -> Vec<Claimed> {
        self.store.claim(&Claim { grouped: true, ..asking(limit) }).await.unwrap().jobs
    }

    async fn job(&self, id: Uuid) -> Job {
        self.store.get(id).await.unwrap().unwrap()
    }

    async fn count(&self, status: Status) -> usize {
        let filter = JobFilter { status: Some(status), ..JobFilter::default() };
        self.store.list(&filter, 1000, None).await.unwrap().items.len()
    }

    /// Stores a job and takes it.
    async fn running(&self, job: NewJob) -> Claimed {
        self.add(std::slice::from_ref(&job)).await;
        let claimed = if job.group.is_some() { self.claim_grouped(1).await } else { self.claim(1).await };
        claimed.into_iter().next().unwrap()
    }

    async fn fail(&self, job: &Claimed, retry_after: Option<Duration>) -> Vec<Ended> {
        self.store.fail(&[Failed { lease: job.lease(), failure: failure(retry_after) }]).await.unwrap()
    }

    /// Moves the time past every lease.
    fn expire(&self) {
        self.clock.advance(LEASE + Duration::from_secs(1));
    }
}

pub(super) fn asking(limit: u32) -> Claim {
    Claim { queue: "default".to_owned(), limit, lease: LEASE, worker: "test".to_owned(), grouped: false }
}

fn failure(retry_after: Option<Duration>) -> Failure {
    Failure { code: "boom".to_owned(), message: "it did not work".to_owned(), retry_after }
}

pub(super) fn job(action: &str) -> NewJob {
    NewJob {
        id: Uuid::now_v7(),
        queue: "default".to_owned(),
        action: action.to_owned(),
        input: r#"{"to":"ann"}"#.to_owned(),
        priority: Priority::Normal,
        due: Due::Now,
        max_attempts: 3,
        unique: None,
        group: None,
        door: "job",
        origin: None,
        identity: r#"{"kind":"anonymous"}"#.to_owned(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
    }
}

fn unique(key: &str, scope: UniqueScope) -> NewJob {
    NewJob { unique: Some(Unique { key: key.to_owned(), scope }), ..job("mail.send") }
}

fn grouped(key: &str, limit: u32) -> NewJob {
    NewJob { group: Some(Group { key: key.to_owned(), limit, position: None }), ..job("mail.send") }
}

fn ordered(key: &str, position: i64) -> NewJob {
    let group = Group { key: key.to_owned(), limit: 1, position: Some(position) };
    NewJob { group: Some(group), origin: Some(position.to_string()), ..job("event.handle") }
}

fn actions(jobs: &[Claimed]) -> Vec<&str> {
    jobs.iter().map(|job| job.action.as_str()).collect()
}

fn ids(jobs: &[NewJob]) -> Vec<Uuid> {
    jobs.iter().map(|job| job.id).collect()
}
