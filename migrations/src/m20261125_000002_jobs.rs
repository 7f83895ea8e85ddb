//! `job_queue`: invocations stored for later. `job_failures`: those that are out of attempts, the dead letters.
//!
//! Raw SQL, because partial indexes are the design: each index holds only the rows that its query looks for, so that finished jobs
//! cost claims nothing.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000002_jobs"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { uuid, time, boolean, no, storage, .. } = of;
    let mut statements = vec![
        // The rules of a job's life and no others: Postgres reads every CHECK anew for every statement that writes, and nine of
        // them made storing a job take half as long again.
        format!(
            "CREATE TABLE job_queue (
                id {uuid} NOT NULL PRIMARY KEY,
                queue TEXT NOT NULL,
                action TEXT NOT NULL,
                input TEXT NOT NULL,
                status TEXT NOT NULL,
                priority SMALLINT NOT NULL CHECK (priority BETWEEN 0 AND 3),
                run_at {time} NOT NULL,
                attempt INTEGER NOT NULL DEFAULT 0,
                max_attempts INTEGER NOT NULL,
                claims INTEGER NOT NULL DEFAULT 0,
                worker TEXT,
                leased_until {time},
                cancel_requested {boolean} NOT NULL DEFAULT {no},
                unique_key TEXT,
                unique_scope TEXT,
                unique_until {time},
                group_key TEXT,
                group_limit INTEGER,
                position BIGINT,
                door TEXT NOT NULL,
                origin TEXT,
                identity TEXT NOT NULL,
                traceparent TEXT NOT NULL,
                progress TEXT,
                errors TEXT,
                created_at {time} NOT NULL,
                waiting_since {time} NOT NULL,
                started_at {time},
                finished_at {time},
                CHECK (CASE
                    WHEN status = 'running' THEN leased_until IS NOT NULL AND finished_at IS NULL
                    WHEN status IN ('pending', 'retrying') THEN leased_until IS NULL AND finished_at IS NULL
                    WHEN status IN ('completed', 'cancelled') THEN leased_until IS NULL AND finished_at IS NOT NULL
                    ELSE FALSE END)
            ){storage}"
        ),
        // The claim walks one priority of one queue at a time, in this order.
        "CREATE INDEX job_queue_due ON job_queue (queue, priority, run_at, id)
            WHERE status IN ('pending', 'retrying') AND group_key IS NULL"
            .to_owned(),
        "CREATE INDEX job_queue_grouped ON job_queue (queue, priority, run_at, id)
            WHERE status IN ('pending', 'retrying') AND group_key IS NOT NULL"
            .to_owned(),
        // Where the walk over the grouped ones meets groups that are full: the next group, and its most urgent jobs.
        "CREATE INDEX job_queue_groups ON job_queue (queue, group_key, priority DESC, run_at, id)
            WHERE status IN ('pending', 'retrying') AND group_key IS NOT NULL"
            .to_owned(),
        // Whose turn it is in an ordered group, whether it is due or not.
        "CREATE INDEX job_queue_turn ON job_queue (group_key, position, id)
            WHERE status IN ('pending', 'retrying') AND position IS NOT NULL"
            .to_owned(),
        // How many of a group run.
        "CREATE INDEX job_queue_group_running ON job_queue (group_key)
            WHERE status = 'running' AND group_key IS NOT NULL"
            .to_owned(),
        "CREATE INDEX job_queue_leases ON job_queue (leased_until) WHERE status = 'running'".to_owned(),
        "CREATE UNIQUE INDEX job_queue_unique ON job_queue (unique_key) WHERE unique_key IS NOT NULL".to_owned(),
        "CREATE INDEX job_queue_finished ON job_queue (finished_at) WHERE finished_at IS NOT NULL".to_owned(),
        format!(
            "CREATE TABLE job_failures (
                id {uuid} NOT NULL PRIMARY KEY,
                queue TEXT NOT NULL,
                action TEXT NOT NULL,
                input TEXT NOT NULL,
                priority SMALLINT NOT NULL,
                attempts INTEGER NOT NULL,
                max_attempts INTEGER NOT NULL,
                claims INTEGER NOT NULL,
                group_key TEXT,
                group_limit INTEGER,
                position BIGINT,
                door TEXT NOT NULL,
                origin TEXT,
                identity TEXT NOT NULL,
                traceparent TEXT NOT NULL,
                error_code TEXT NOT NULL,
                error TEXT NOT NULL,
                errors TEXT NOT NULL,
                created_at {time} NOT NULL,
                failed_at {time} NOT NULL
            )"
        ),
        "CREATE INDEX job_failures_action ON job_failures (action, failed_at)".to_owned(),
        "CREATE INDEX job_failures_failed_at ON job_failures (failed_at, id)".to_owned(),
    ];
    if of.keeps_plans {
        statements.extend(PAGES.map(str::to_owned));
    }
    statements
}

/// Gives the table 256 pages that stay when they are empty.
///
/// Postgres keeps the plan of a statement that it has seen a few times. A table that is small at that moment is read as a whole,
/// and a worker that idled through the night would go on reading it so with a million jobs in it. A table that is never small
/// gets plans that hold for both.
const PAGES: [&str; 2] = [
    "INSERT INTO job_queue (id, queue, action, input, status, priority, run_at, max_attempts, door, identity, traceparent,
            created_at, waiting_since)
        SELECT gen_random_uuid(), '', '', repeat(' ', 1800), 'pending', 0, now(), 1, '', '', '', now(), now()
        FROM generate_series(1, 1024)",
    "DELETE FROM job_queue",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE job_failures".to_owned(), "DROP TABLE job_queue".to_owned()]).await
    }
}
