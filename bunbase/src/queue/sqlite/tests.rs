//! How SQLite runs the statements: each finds its rows by an index.

use super::{change, claim, finish, groups, insert, upkeep};
use crate::db::{migrate::Plan, testing::TestDatabase};

#[tokio::test]
async fn every_statement_finds_its_jobs_by_an_index() {
    let db = TestDatabase::sqlite().unwrap();
    let db = db.db().await.unwrap();
    Plan::new().up(&db).await.unwrap();
    for sql in [
        insert::EXPIRE,
        claim::FIRST,
        claim::CLAIM,
        groups::URGENT,
        groups::WALKING,
        groups::TAKE,
        finish::COMPLETE,
        finish::DELETE,
        finish::CANCELLED,
        finish::RELEASE,
        finish::HEARTBEAT,
        finish::FAILED,
        finish::BURY,
        finish::REMOVE,
        finish::WAIT,
        upkeep::HAS_EXPIRED,
        upkeep::EXPIRED,
        upkeep::WAITING,
        upkeep::WAITING_GROUPED,
        upkeep::RAISE,
        upkeep::PRUNE,
        change::CANCEL,
        change::RESCHEDULE,
    ] {
        let explain = sea_orm::Statement::from_string(db.backend(), format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sea_orm::ConnectionTrait::query_all_raw(&db, explain).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
        let of_jobs = |line: &&String| {
            let mut words = line.split(' ');
            words.next() == Some("SCAN")
                && words.next().is_some_and(|name| ["job", "job_queue", "first", "due"].contains(&name))
        };
        assert_eq!(plan.iter().find(of_jobs), None, "{sql}\n\n{plan:#?}");
    }
}
