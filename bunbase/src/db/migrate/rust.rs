//! Migrations in Rust: SeaORM's, one by one, so that an error names the one that failed.

use std::{collections::BTreeSet, fmt};

use sea_orm::{ConnectionTrait, DatabaseExecutor, DynIden, sea_query::Query};
use sea_orm_migration::{MigrationTrait, MigratorTrait, MigratorTraitSelf, SchemaManager, async_trait::async_trait};

use super::{Migration, Source, State};
use crate::{Error, Result};

/// A [`MigratorTrait`] as a value: the trait itself has no objects.
#[derive(Clone, Copy)]
pub(super) struct RustMigrations {
    migrations: fn() -> Vec<Box<dyn MigrationTrait>>,
    table: fn() -> DynIden,
}

impl RustMigrations {
    pub(super) fn of<M: MigratorTrait>() -> Self {
        Self { migrations: M::migrations, table: M::migration_table_name }
    }
}

impl fmt::Debug for RustMigrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustMigrations").field("table", &(self.table)().to_string()).finish_non_exhaustive()
    }
}

#[async_trait]
impl MigratorTraitSelf for RustMigrations {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        (self.migrations)()
    }

    fn migration_table_name(&self) -> DynIden {
        (self.table)()
    }
}

pub(super) async fn up(migrator: &impl MigratorTraitSelf, connection: &DatabaseExecutor<'_>) -> Result<Vec<String>> {
    let (all, unknown) = compare(migrator, connection, Source::Rust).await?;
    let pending: Vec<String> = all.into_iter().filter(|one| !one.applied).map(|one| one.name).collect();
    if !pending.is_empty() && !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().collect();
        return Err(Error::new(
            500,
            "migration_missing",
            format!(
                "the database has migrations that this program does not know, so none was applied: {}; does it belong to another \
                 application, or to a newer version? `database.url` says which database it is",
                unknown.join(", ")
            ),
        ));
    }
    for name in &pending {
        migrator.up(again(connection), Some(1)).await.map_err(|source| failed(name, source))?;
    }
    Ok(pending)
}

pub(super) async fn down(
    migrator: &impl MigratorTraitSelf,
    connection: &DatabaseExecutor<'_>,
    steps: u32,
) -> Result<Vec<String>> {
    let all = status(migrator, connection, Source::Rust).await?;
    let applied = all.into_iter().rev().filter(|one| one.applied).map(|one| one.name);
    let mut undone = Vec::new();
    for name in applied.take(steps as usize) {
        migrator.down(again(connection), Some(1)).await.map_err(|source| failed(&name, source))?;
        undone.push(name);
    }
    Ok(undone)
}

/// Reads what is applied without making the table, so that a user who may only read can ask.
///
/// A database may have migrations that this binary does not know: an older instance that starts again while a newer version is
/// rolled out must be able to. That is worth a warning as long as nothing is pending; SeaORM refuses to apply any then.
pub(super) async fn status(
    migrator: &impl MigratorTraitSelf,
    connection: &DatabaseExecutor<'_>,
    source: Source,
) -> Result<Vec<Migration>> {
    let (all, unknown) = compare(migrator, connection, source).await?;
    if !unknown.is_empty() {
        tracing::warn!(?unknown, "the database has migrations that this program does not know");
    }
    Ok(all)
}

/// Returns all migrations, and the names of applied ones that are not among them.
async fn compare(
    migrator: &impl MigratorTraitSelf,
    connection: &DatabaseExecutor<'_>,
    source: Source,
) -> Result<(Vec<Migration>, BTreeSet<String>)> {
    let table = migrator.migration_table_name();
    let mut applied = BTreeSet::new();
    if SchemaManager::new(again(connection)).has_table(table.to_string()).await? {
        let select = Query::select().column("version").from(table).to_owned();
        for row in connection.query_all(&select).await? {
            applied.insert(row.try_get::<String>("", "version")?);
        }
    }
    let all: Vec<Migration> = migrator
        .migrations()
        .iter()
        .map(|one| {
            let state = if applied.remove(one.name()) { State::Applied } else { State::Pending };
            Migration::new(source, one.name().to_owned(), state)
        })
        .collect();
    Ok((all, applied))
}

/// Drops all tables, and on Postgres all types. SeaORM offers it as the first half of `fresh` only.
pub(super) async fn drop_everything(connection: &DatabaseExecutor<'_>) -> Result<()> {
    let nothing = RustMigrations {
        migrations: Vec::new,
        table: <bunbase_migrations::Migrator as MigratorTrait>::migration_table_name,
    };
    let result = async {
        nothing.fresh(again(connection)).await?;
        nothing.uninstall(again(connection)).await
    };
    result
        .await
        .map_err(|source| Error::new(500, "migration_failed", "the database could not be emptied").caused_by(source))
}

pub(super) fn failed(name: &str, source: sea_orm::DbErr) -> Error {
    let error = Error::from(source);
    if error.status() == 503 {
        return error;
    }
    Error::new(500, "migration_failed", format!("the migration `{name}` failed")).caused_by(error)
}

/// SeaORM's migrator takes the executor by value.
pub(in crate::db) fn again<'c>(connection: &'c DatabaseExecutor<'_>) -> DatabaseExecutor<'c> {
    match connection {
        DatabaseExecutor::Connection(connection) => DatabaseExecutor::Connection(connection),
        DatabaseExecutor::Transaction(transaction) => DatabaseExecutor::Transaction(transaction),
        DatabaseExecutor::OwnedTransaction(transaction) => DatabaseExecutor::Transaction(transaction),
    }
}
