//! One instance migrates at a time, over a connection of its own; the lock goes away with the connection.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::time::Instant;

use crate::{
    Error, Result,
    db::{
        Db,
        connection::FORGET,
        pool::{Access, open_postgres_session, open_sqlite},
        settings::Target,
    },
    error::Retry,
};

/// The advisory lock's number, the ASCII of `bunbase!`; advisory locks are per database.
const LOCK: i64 = i64::from_be_bytes(*b"bunbase!");

/// How often to ask whether another instance is done. Waiting inside Postgres would hold a snapshot, for which a
/// `CREATE INDEX CONCURRENTLY` of the instance at work would wait in turn.
const POLL: Duration = Duration::from_millis(100);

/// How long a connection may take to close.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// Whoever only wants to see what would happen does not queue for a table's lock, with everybody else behind it.
const TRIAL: &str = "SET LOCAL lock_timeout = '2s'; SET LOCAL client_min_messages = warning";

/// Runs `f`, which returns the names of the migrations it applied or undid, on a connection of its own while no other instance migrates the same database.
///
/// On SQLite all of `f` is one transaction, begun IMMEDIATE, which is the lock. On Postgres the lock is held by a
/// transaction on a second connection, not by a session. Behind PgBouncer `f` runs over the direct way; without one all of it is one
/// transaction there too, so that `CREATE INDEX CONCURRENTLY` is refused.
pub(in crate::db) async fn exclusively(
    db: &Db,
    longest: Duration,
    f: impl AsyncFnOnce(DatabaseExecutor<'_>) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    match db.target() {
        Target::Postgres => {
            let settings = db.settings().of_session();
            let holder = open_postgres_session(settings.as_ref().unwrap_or(db.settings())).await?;
            let lock = acquire(db, &holder, longest).await?;
            let Some(settings) = settings else {
                // A proxy gives a session to nobody for longer than a transaction, so this is one.
                let result = f(DatabaseExecutor::Transaction(&lock)).await;
                match &result {
                    Ok(_) => lock.commit().await?,
                    Err(_) => lock.rollback().await?,
                }
                close(holder).await;
                return result;
            };
            let worker = open_postgres_session(&settings).await?;
            // `IF NOT EXISTS` would report every table that is there already.
            worker.execute_unprepared("SET client_min_messages = warning").await.map_err(|error| db.explain(error))?;
            let result = f(DatabaseExecutor::Connection(&worker)).await;
            close(worker).await;
            lock.rollback().await?;
            close(holder).await;
            result
        }
        Target::SqliteFile(_) => {
            let connection = open_sqlite(db.settings(), Access::Migrate(longest)).await?;
            let result = in_one_transaction(&connection, f).await;
            close(connection).await;
            result
        }
        // Another connection would be another database.
        Target::SqliteMemory => {
            db.primary().execute_unprepared("PRAGMA foreign_keys = OFF").await?;
            let result = in_one_transaction(db.primary(), f).await;
            let enforced = db.primary().execute_unprepared("PRAGMA foreign_keys = ON").await;
            let done = result?;
            enforced?;
            Ok(done)
        }
    }
}

/// Runs `f` in a transaction of its own, which `f` rolls back, while no other instance migrates the same database.
pub(super) async fn on_trial<T>(
    db: &Db,
    longest: Duration,
    f: impl AsyncFnOnce(DatabaseTransaction) -> Result<T>,
) -> Result<T> {
    match db.target() {
        Target::Postgres => {
            let settings = db.settings().of_session();
            let holder = open_postgres_session(settings.as_ref().unwrap_or(db.settings())).await?;
            // The lock's own transaction, so that both end together.
            let transaction = acquire(db, &holder, longest).await?;
            transaction.execute_unprepared(TRIAL).await?;
            let result = f(transaction).await;
            close(holder).await;
            result
        }
        Target::SqliteFile(_) => {
            let connection = open_sqlite(db.settings(), Access::Migrate(longest)).await?;
            let result = f(connection.begin_with_options(immediate()).await?).await;
            close(connection).await;
            result
        }
        Target::SqliteMemory => f(db.primary().begin_with_options(immediate()).await?).await,
    }
}

/// Runs `f`, which only looks, without the lock: on Postgres in one transaction, which has a session also behind PgBouncer.
pub(in crate::db) async fn looking<T>(db: &Db, f: impl AsyncFnOnce(DatabaseExecutor<'_>) -> Result<T>) -> Result<T> {
    if db.backend() != DbBackend::Postgres {
        return f(DatabaseExecutor::Connection(db.primary())).await;
    }
    let transaction = TransactionTrait::begin(db).await?;
    let result = f(DatabaseExecutor::Transaction(&transaction)).await;
    transaction.rollback().await?;
    result
}

/// Closes a connection; one that is still in use by something that should have ended goes away with that.
async fn close(connection: DatabaseConnection) {
    match tokio::time::timeout(CLOSES_WITHIN, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "closing the connection of migrations failed"),
        Err(_) => tracing::warn!("the connection of migrations is still in use"),
    }
}

async fn acquire(db: &Db, holder: &DatabaseConnection, longest: Duration) -> Result<DatabaseTransaction> {
    let give_up = Instant::now() + longest;
    loop {
        let transaction = holder.begin().await.map_err(|error| db.explain(error))?;
        // The transaction idles while the other connection works.
        transaction.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        // On the direct way it is the connection's own session, whose statements it keeps.
        if db.settings().of_session().is_none() {
            transaction.execute_unprepared(FORGET).await?;
        }
        let ask = "SELECT pg_try_advisory_xact_lock($1) AS mine";
        let ask = Statement::from_sql_and_values(DbBackend::Postgres, ask, [LOCK.into()]);
        let row = transaction.query_one_raw(ask).await?;
        if row.map(|row| row.try_get::<bool>("", "mine")).transpose()? == Some(true) {
            return Ok(transaction);
        }
        transaction.rollback().await?;
        if Instant::now() >= give_up {
            return Err(Error::new(
                503,
                "migration_locked",
                format!("another instance has been migrating for {longest:?}"),
            )
            .retry(Retry::After(Duration::from_secs(5))));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

async fn in_one_transaction(
    connection: &DatabaseConnection,
    f: impl AsyncFnOnce(DatabaseExecutor<'_>) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    let transaction = connection.begin_with_options(immediate()).await?;
    match f(DatabaseExecutor::Transaction(&transaction)).await {
        Ok(names) => {
            // It reads every row that refers to another, so not for nothing.
            if !names.is_empty() {
                check_foreign_keys(&transaction).await?;
            }
            transaction.commit().await?;
            Ok(names)
        }
        Err(error) => {
            // What failed says more than that of a rollback.
            if let Err(source) = transaction.rollback().await {
                tracing::debug!(error = %source, "the rollback failed");
            }
            Err(error)
        }
    }
}

async fn check_foreign_keys(transaction: &DatabaseTransaction) -> Result<()> {
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check");
    match transaction.query_one_raw(check).await? {
        None => Ok(()),
        Some(row) => {
            let (table, parent): (String, String) = (row.try_get("", "table")?, row.try_get("", "parent")?);
            Err(Error::new(
                500,
                "migration_failed",
                format!("after the migrations, rows of `{table}` refer to rows of `{parent}` that do not exist"),
            ))
        }
    }
}
