//! The tables that bunbase keeps for itself: the schema, nothing else.
//!
//! One file per migration, named after its day and what it makes; each works on SQLite and on Postgres. A migration
//! that was released is never changed: expand in one, contract in a later one. Which of them a database has is kept in
//! the table `bunbase_migrations`, apart from the application's own `seaql_migrations`.

mod dialect;
mod m20261123_000001_action_runs;
mod m20261125_000002_jobs;
mod m20261125_000003_events;
mod m20261125_000004_schedules;
mod m20261125_000005_idempotency;
mod m20261125_000006_kv;
mod m20261128_000007_rate_limits;
mod m20261128_000008_tenants;
mod m20261128_000010_sessions;

use sea_orm_migration::{
    MigrationTrait, MigratorTrait, async_trait,
    sea_orm::{DynIden, sea_query::IntoIden},
};

/// The framework's migrations, in order.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_action_runs::Migration),
            Box::new(m20261125_000002_jobs::Migration),
            Box::new(m20261125_000003_events::Migration),
            Box::new(m20261125_000004_schedules::Migration),
            Box::new(m20261125_000005_idempotency::Migration),
            Box::new(m20261125_000006_kv::Migration),
            Box::new(m20261128_000007_rate_limits::Migration),
            Box::new(m20261128_000008_tenants::Migration),
            Box::new(m20261128_000010_sessions::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        "bunbase_migrations".into_iden()
    }
}
