//! `schedules`: what recurs, and when next. `schedule_ticks`: the ticks that were taken, each once in the whole cluster.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, run};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000004_schedules"
    }
}

fn tables(of: Dialect) -> Vec<String> {
    let Dialect { uuid, time, boolean, no, .. } = of;
    vec![
        format!(
            "CREATE TABLE schedules (
                name TEXT NOT NULL PRIMARY KEY,
                source TEXT NOT NULL CHECK (source IN ('code', 'runtime')),
                action TEXT NOT NULL,
                input TEXT NOT NULL,
                rule TEXT NOT NULL,
                zone TEXT NOT NULL,
                missed TEXT NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
                overlap TEXT NOT NULL CHECK (overlap IN ('skip', 'queue', 'allow')),
                identity TEXT NOT NULL,
                paused {boolean} NOT NULL DEFAULT {no},
                next_run_at {time},
                last_tick_at {time},
                last_job_id {uuid},
                failures INTEGER NOT NULL DEFAULT 0,
                retry_at {time},
                error TEXT,
                declared_at {time},
                replaced TEXT,
                created_at {time} NOT NULL,
                updated_at {time} NOT NULL,
                CHECK ((source = 'code') = (declared_at IS NOT NULL)),
                CHECK ((failures = 0) = (retry_at IS NULL))
            )"
        ),
        format!(
            "CREATE INDEX schedules_due ON schedules (next_run_at) WHERE next_run_at IS NOT NULL AND paused = {no}"
        ),
        // Those whose tick could not be made a job of.
        "CREATE INDEX schedules_held ON schedules (retry_at) WHERE retry_at IS NOT NULL".to_owned(),
        format!(
            "CREATE TABLE schedule_ticks (
                schedule TEXT NOT NULL,
                tick_at {time} NOT NULL,
                job_id {uuid},
                taken_at {time} NOT NULL,
                PRIMARY KEY (schedule, tick_at)
            )"
        ),
        "CREATE INDEX schedule_ticks_taken_at ON schedule_ticks (taken_at)".to_owned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, tables).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, |_| vec!["DROP TABLE schedule_ticks".to_owned(), "DROP TABLE schedules".to_owned()]).await
    }
}
