//! What `migrate up` would run, as a text.

use std::fmt;

use chrono::Utc;
use sea_orm::{
    DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, Schema,
    sea_query::{Alias, Query},
};
use sea_orm_migration::{MigratorTraitSelf, SchemaManager, seaql_migrations};
use tokio::{runtime::Handle, sync::mpsc};

use super::{
    Plan, Source, files, lock,
    rust::{self, failed},
    trial::{self, Recorder, Seen},
};
use crate::{Error, Result, db::Db};

/// The SQL that [`Plan::up`] would run, in order. As text it is a script that does the same to the same database, records of what was
/// applied included.
///
/// What a migration in Rust does besides SQL is not in it, nor are its plain reads: where it decides by what it reads, it is what it would do
/// now. A statement that refuses to be in a transaction (`CREATE INDEX CONCURRENTLY`) is shown and not tried; a [`remark`](Step::remark) says
/// so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// For which engine.
    pub backend: DbBackend,
    /// One for each migration that is to be applied.
    pub steps: Vec<Step>,
}

/// What one migration would run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// Its statements, values included; one may be several.
    pub statements: Vec<String>,
    /// Whether they are one transaction, on Postgres.
    pub is_transaction: bool,
    /// What could not be tried.
    pub remark: Option<String>,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_sqlite = self.backend == DbBackend::Sqlite;
        if self.steps.is_empty() {
            return writeln!(f, "-- nothing is pending");
        }
        if is_sqlite {
            writeln!(f, "PRAGMA foreign_keys = OFF;\nBEGIN IMMEDIATE;")?;
        }
        for step in &self.steps {
            writeln!(f, "\n-- {} ({})", step.name, step.source)?;
            if let Some(remark) = &step.remark {
                writeln!(f, "-- NOTE: {remark}")?;
            }
            let in_transaction = step.is_transaction && !is_sqlite;
            if in_transaction {
                writeln!(f, "BEGIN;")?;
            }
            for statement in &step.statements {
                let text = statement.trim_end();
                // A comment at the end would swallow a semicolon in its line.
                let end = if text.ends_with(';') {
                    ""
                } else if text.lines().next_back().is_some_and(|line| line.contains("--")) {
                    "\n;"
                } else {
                    ";"
                };
                writeln!(f, "{text}{end}")?;
            }
            if in_transaction {
                writeln!(f, "COMMIT;")?;
            }
        }
        if is_sqlite {
            writeln!(f, "\nCOMMIT;\nPRAGMA foreign_keys = ON;")?;
        }
        Ok(())
    }
}

pub(super) async fn of(plan: &Plan, db: &Db) -> Result<Script> {
    let files = plan.files()?;
    db.reach().await?;
    let backend = db.backend();
    let look = async |connection: DatabaseExecutor<'_>| {
        let pending = files::compare(&connection, &files).await?.pending;
        let makes_table = !pending.is_empty() && !files::has_table(&connection).await?;
        let in_rust = plan.in_rust(&connection).await?.iter().any(|one| !one.applied);
        Ok((pending, makes_table, in_rust))
    };
    let (pending, makes_table, in_rust) = lock::looking(db, look).await?;
    let mut steps = if in_rust { tried(plan, db).await? } else { Vec::new() };
    for (number, file) in pending.into_iter().enumerate() {
        steps.push(Step {
            source: Source::Sql,
            name: file.name.clone(),
            statements: files::script(backend, file, makes_table && number == 0),
            is_transaction: true,
            remark: None,
        });
    }
    Ok(Script { backend, steps })
}

/// Runs the migrations in Rust in a transaction, and rolls it back.
async fn tried(plan: &Plan, db: &Db) -> Result<Vec<Step>> {
    let (plan, backend) = (plan.clone(), db.backend());
    lock::on_trial(db, plan.lock_timeout, async |transaction: DatabaseTransaction| {
        let recorder = Recorder::default();
        let (asks, asked) = mpsc::unbounded_channel();
        let (plan, seen) = (plan.clone(), recorder.clone());
        // What records blocks its thread.
        let work = tokio::task::spawn_blocking(move || {
            let connection = trial::connection(backend, asks, seen.clone());
            Handle::current().block_on(all(&plan, &connection, &seen))
        });
        trial::serve(&transaction, asked, &recorder).await;
        let steps = work.await.map_err(Error::internal)?;
        transaction.rollback().await?;
        steps
    })
    .await
}

async fn all(plan: &Plan, connection: &DatabaseConnection, recorder: &Recorder) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    if plan.framework {
        steps.extend(each(&bunbase_migrations::Migrator, Source::Framework, connection, recorder).await?);
    }
    if let Some(rust) = &plan.rust {
        steps.extend(each(rust, Source::Rust, connection, recorder).await?);
    }
    Ok(steps)
}

async fn each(
    migrator: &impl MigratorTraitSelf,
    source: Source,
    connection: &DatabaseConnection,
    recorder: &Recorder,
) -> Result<Vec<Step>> {
    let backend = connection.get_database_backend();
    let states = rust::status(migrator, &DatabaseExecutor::Connection(connection), source).await?;
    let table = migrator.migration_table_name();
    let mut makes_table = None;
    if !SchemaManager::new(connection).has_table(table.to_string()).await? {
        let mut create = Schema::new(backend).create_table_from_entity(seaql_migrations::Entity);
        create.table(table.clone()).if_not_exists();
        makes_table = Some(backend.build(&create).to_string());
    }
    let mut steps = Vec::new();
    for (migration, _) in migrator.migrations().iter().zip(&states).filter(|(_, state)| !state.applied) {
        let name = migration.name().to_owned();
        recorder.take();
        migration.up(&SchemaManager::new(connection)).await.map_err(|source| failed(&name, source))?;
        let Seen { statements, untried, .. } = recorder.take();
        let mut insert = Query::insert();
        insert.into_table(table.clone()).columns(["version", "applied_at"].map(Alias::new));
        insert.values([name.as_str().into(), Utc::now().timestamp().into()]).map_err(Error::internal)?;
        let record = backend.build(&insert).to_string();
        steps.push(Step {
            source,
            name,
            statements: makes_table.take().into_iter().chain(statements).chain([record]).collect(),
            is_transaction: migration.use_transaction().unwrap_or(true),
            remark: untried.then(|| "one of these refuses to be in a transaction, so it was not tried".to_owned()),
        });
    }
    Ok(steps)
}
