//! `action_runs`: one row for every run of an action. `action_logs`: what was logged inside of them.
//!
//! On Postgres both are in parts, a part for each month and one for what belongs to none, so that old months are dropped and
//! not deleted row by row. Those of this month and the next are made here; the application makes the others ahead of time.
//!
//! A row for each run is most of what a database writes for an application that does little else, so each index has to earn its place. Ids begin
//! with the time, and so do the ids of traces that begin here: they are added at an index's end, and not all over it.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000001_action_runs"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { uuid, time, ids, keyed, has_partitions, .. } = of;
    // A part's key has to hold what it is a part by.
    let (by_start, by_time) = if has_partitions { (", started_at", ", logged_at") } else { ("", "") };
    let parted = |column| if has_partitions { format!(" PARTITION BY RANGE ({column})") } else { String::new() };
    let (by_month, logs_by_month) = (parted("started_at"), parted("logged_at"));
    let mut statements = vec![
        format!(
            "CREATE TABLE action_runs (
                id {uuid} NOT NULL,
                action {ids} NOT NULL,
                door TEXT NOT NULL,
                trace_id {ids} NOT NULL,
                attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 1),
                status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'panicked')),
                started_at {time} NOT NULL,
                duration_us BIGINT NOT NULL,
                http_status INTEGER,
                error_code TEXT,
                error TEXT,
                input TEXT,
                output TEXT,
                PRIMARY KEY (id{by_start})
            ){keyed}{by_month}"
        ),
        "CREATE INDEX action_runs_action ON action_runs (action, id)".to_owned(),
        // What a person has in hand is the trace id of an answer.
        "CREATE INDEX action_runs_trace_id ON action_runs (trace_id)".to_owned(),
        "CREATE INDEX action_runs_unsuccessful ON action_runs (id) WHERE status <> 'succeeded'".to_owned(),
        format!(
            "CREATE TABLE action_logs (
                run_id {uuid} NOT NULL,
                line INTEGER NOT NULL,
                logged_at {time} NOT NULL,
                level TEXT NOT NULL CHECK (level IN ('error', 'warn', 'info', 'debug', 'trace')),
                target TEXT NOT NULL,
                message TEXT NOT NULL,
                fields TEXT,
                trace_id TEXT NOT NULL,
                PRIMARY KEY (run_id, line{by_time})
            ){keyed}{logs_by_month}"
        ),
    ];
    if has_partitions {
        statements.extend(TIMES.map(str::to_owned));
        statements.extend(PARTS.map(str::to_owned));
    }
    statements
}

/// How an hour is found: rows come in the order of their time, so a summary of each megabyte is enough, and costs next to nothing.
const TIMES: [&str; 2] = [
    "CREATE INDEX action_runs_started_at ON action_runs USING brin (started_at)",
    "CREATE INDEX action_logs_logged_at ON action_logs USING brin (logged_at)",
];

/// The parts for what belongs to no month yet, and those of this month and the next, in UTC.
const PARTS: [&str; 3] = [
    "CREATE TABLE action_runs_default PARTITION OF action_runs DEFAULT",
    "CREATE TABLE action_logs_default PARTITION OF action_logs DEFAULT",
    "DO $$
    DECLARE
        of_table TEXT;
        first TIMESTAMP;
    BEGIN
        FOREACH of_table IN ARRAY ARRAY['action_runs', 'action_logs'] LOOP
            FOR ahead IN 0..1 LOOP
                first := date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * INTERVAL '1 month';
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    of_table || to_char(first, '_YYYY_MM'), of_table, first || '+00', first + INTERVAL '1 month' || '+00');
            END LOOP;
        END LOOP;
    END $$",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE action_logs".to_owned(), "DROP TABLE action_runs".to_owned()]).await
    }
}
