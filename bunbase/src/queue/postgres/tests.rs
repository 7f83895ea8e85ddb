//! How Postgres runs the statements: plans that are kept must hold for a table of any size.

use std::time::Duration;

use super::{change, claim, finish, groups, insert, upkeep};
use crate::{
    clock::Clock,
    db::{Db, DbBackend, FromQueryResult, Settings, Tx, migrate::Plan, testing::TestDatabase},
    queue::{
        Claim, Claimed,
        tests::{asking, job},
    },
};

/// Returns the plan that is kept for a statement with so many parameters.
async fn kept_plan(tx: &Tx, sql: &str, parameters: usize) -> String {
    tx.sql("SET LOCAL plan_cache_mode = force_generic_plan").execute().await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(tx.db(), &format!("PREPARE statement AS {sql}")).await.unwrap();
    let nulls = vec!["NULL"; parameters].join(", ");
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE statement ({nulls})");
    let rows = sea_orm::ConnectionTrait::query_all_raw(
        tx.db(),
        sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, explain),
    );
    let lines: Vec<String> = rows.await.unwrap().iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    sea_orm::ConnectionTrait::execute_unprepared(tx.db(), "DEALLOCATE statement").await.unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn a_plan_made_while_the_table_is_empty_reads_by_index_when_it_is_full() {
    for database in TestDatabase::each().await.unwrap() {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        // What the cleaner does when it comes by.
        sea_orm::ConnectionTrait::execute_unprepared(&db, "VACUUM ANALYZE job_queue").await.unwrap();
        let tx = db.begin_tx().await.unwrap();
        for (sql, parameters) in [
            (insert::INSERT_UNIQUE, 19),
            (claim::CLAIM, 7),
            (claim::CLAIM_BUSY, 7),
            (groups::TAKE_URGENT, 6),
            (groups::TAKE_WALKING, 7),
            (finish::COMPLETE, 3),
            (finish::COMPLETE_AND_DELETE, 3),
            (finish::COMPLETE_ONE, 3),
            (finish::COMPLETE_ONE_AND_DELETE, 3),
            (finish::CANCELLED, 3),
            (finish::RELEASE, 3),
            (finish::HEARTBEAT, 4),
            (finish::FAIL, 6),
            (upkeep::REAP, 4),
            (upkeep::RAISE, 3),
            (upkeep::RAISE_GROUPED, 3),
            (upkeep::PRUNE, 3),
            (change::CANCEL, 2),
            (change::RESCHEDULE, 3),
        ] {
            let plan = kept_plan(&tx, sql, parameters).await;
            assert!(plan.contains("Index") && !plan.contains("Seq Scan on job_queue"), "{sql}\n\n{plan}");
            let lines: Vec<_> = plan.lines().collect();
            // An index can be read as a whole, too. Only for its first entry that is no harm.
            let is_whole = |at: usize| {
                lines[at].contains(" on job_queue")
                    && !lines.get(at + 1).is_some_and(|next| next.contains("Index Cond"))
                    && !(at > 0 && lines[at - 1].contains("Limit"))
            };
            let scans = (0..lines.len()).filter(|at| lines[*at].contains("Index") && lines[*at].contains(" using "));
            assert!(!scans.into_iter().any(is_whole), "{sql}\n\n{plan}");
        }
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn hot_statements_keep_their_plans() {
    for database in TestDatabase::each().await.unwrap() {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        for retention in [None, Some(Duration::from_hours(1))] {
            // One connection, whose prepared statements can be looked at. One for each: when a table has grown and was counted anew, kept
            // plans look dear for a while, beside those that were made before.
            let db = Db::open(&Settings { max_connections: 1, ..database.settings() }).await.unwrap();
            sea_orm::ConnectionTrait::execute_unprepared(&db, "ALTER TABLE job_queue SET (autovacuum_enabled = false)")
                .await
                .unwrap();
            let settings = super::Settings { retention, failure_retention: None };
            let store = super::super::open(db.clone(), Clock::system(), settings);
            for _ in 0..60 {
                store.insert(&(0..120).map(|_| job("works")).collect::<Vec<_>>()).await.unwrap();
            }
            sea_orm::ConnectionTrait::execute_unprepared(&db, "ANALYZE job_queue").await.unwrap();
            for limit in [1, 100] {
                for _ in 0..50 {
                    store.insert(&[job("works")]).await.unwrap();
                    let claims = store.claim(&Claim { limit, ..asking(limit) }).await.unwrap();
                    let leases: Vec<_> = claims.jobs.iter().map(Claimed::lease).collect();
                    assert_eq!(store.complete(&leases).await.unwrap().len(), limit as usize);
                }
            }
            let plans = "SELECT statement, generic_plans AS kept, custom_plans AS made FROM pg_prepared_statements
                WHERE generic_plans + custom_plans >= 20 ORDER BY statement";
            let plans = db.sql(plans).all::<Plans>().await.unwrap();
            // Storing one and many, claiming by at least one of the two statements, ending one and many.
            assert!(plans.len() >= 5, "{plans:#?}");
            // Statements are planned anew five times, and then compared.
            assert!(plans.iter().all(|plans| plans.made <= 10 && plans.kept > plans.made), "{plans:#?}");
        }
    }
}

/// How a prepared statement was run.
#[derive(Debug, FromQueryResult)]
struct Plans {
    #[expect(dead_code, reason = "shown when the test fails")]
    statement: String,
    kept: i64,
    made: i64,
}
