//! How Postgres runs the statements: plans that are kept must hold for a table of any size.

use super::{change, claim, finish, groups, insert, upkeep};
use crate::db::{Tx, migrate::Plan, testing::TestDatabase};

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
        if database.backend() != crate::db::DbBackend::Postgres {
            continue;
        }
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        // What the cleaner does when it comes by.
        sea_orm::ConnectionTrait::execute_unprepared(&db, "VACUUM ANALYZE job_queue").await.unwrap();
        let tx = db.begin_tx().await.unwrap();
        for (sql, parameters) in [
            (insert::INSERT_UNIQUE, 19),
            (claim::CLAIM, 5),
            (groups::TAKE_URGENT, 6),
            (groups::TAKE_WALKING, 7),
            (finish::COMPLETE, 3),
            (finish::COMPLETE_AND_DELETE, 3),
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
        }
        tx.rollback().await.unwrap();
    }
}
