//! A connection that writes down what a migration in Rust says to it, and passes it on into a transaction that is rolled back.
//!
//! SeaORM's migrations take its own connections only, and of those the one that is meant for tests lets somebody else answer. That one is
//! asked without `async`, so migrations run on a thread where they may wait, and [`serve`] answers them from the transaction.

use std::sync::{Arc, Mutex, PoisonError, mpsc as replies};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseConnectionType, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    MockDatabaseConnection, MockDatabaseTrait, QueryResult, RuntimeErr, SqlxError, Statement, Transaction, Value,
};
use tokio::sync::mpsc;

use crate::db::scan;

/// PostgreSQL's code for a statement that refuses to be in a transaction: `CREATE INDEX CONCURRENTLY`.
const NEEDS_NO_TRANSACTION: &str = "25001";

/// What was said since [`Recorder::take`].
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The statements that are not plain reads, in order, with their values in them.
    pub(super) statements: Vec<String>,
    /// Whether one of them was left out of the trial because it refuses to be in a transaction.
    pub(super) untried: bool,
    savepoints: usize,
}

/// Where a connection writes down what it is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<Mutex<Seen>>);

impl Recorder {
    /// Returns what was recorded and begins anew.
    pub(super) fn take(&self) -> Seen {
        self.seen(std::mem::take)
    }

    fn seen<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, text: String) {
        self.seen(|seen| seen.statements.push(text));
    }
}

/// A question to [`serve`], and where its answer goes.
#[derive(Debug)]
pub(super) enum Ask {
    Query(Statement, replies::Sender<Result<Vec<QueryResult>, DbErr>>),
    Execute(Statement, replies::Sender<Result<ExecResult, DbErr>>),
    /// About a savepoint, so not in one of its own.
    Mark(String, replies::Sender<Result<ExecResult, DbErr>>),
}

/// Returns a connection that records and asks; it blocks its thread.
pub(super) fn connection(
    backend: DbBackend,
    asks: mpsc::UnboundedSender<Ask>,
    recorder: Recorder,
) -> DatabaseConnection {
    let recording = MockDatabaseConnection::new(Recording { backend, asks, recorder });
    DatabaseConnectionType::MockDatabaseConnection(Arc::new(recording)).into()
}

/// Answers from a transaction until nobody asks any more.
pub(super) async fn serve(
    transaction: &DatabaseTransaction,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    recorder: &Recorder,
) {
    while let Some(ask) = asks.recv().await {
        // Whoever does not wait for the answer does not need it.
        match ask {
            Ask::Query(statement, reply) => drop(reply.send(transaction.query_all_raw(statement).await)),
            Ask::Execute(statement, reply) => drop(reply.send(execute(transaction, statement, recorder).await)),
            Ask::Mark(text, reply) => drop(reply.send(transaction.execute_unprepared(&text).await)),
        }
    }
}

async fn execute(
    transaction: &DatabaseTransaction,
    statement: Statement,
    recorder: &Recorder,
) -> Result<ExecResult, DbErr> {
    let is_postgres = transaction.get_database_backend() == DbBackend::Postgres;
    if is_postgres {
        transaction.execute_unprepared("SAVEPOINT bunbase_statement").await?;
    }
    // Without values it may be several statements, which only the simple protocol takes.
    let result = match statement.values {
        None => transaction.execute_unprepared(&statement.sql).await,
        Some(_) => transaction.execute_raw(statement).await,
    };
    let is_untried = result.as_ref().is_err_and(needs_no_transaction);
    if is_postgres {
        // Another failure leaves the transaction as it would be: a migration may not go on after it.
        let end =
            if is_untried { "ROLLBACK TO SAVEPOINT bunbase_statement" } else { "RELEASE SAVEPOINT bunbase_statement" };
        if is_untried || result.is_ok() {
            transaction.execute_unprepared(end).await?;
        }
    }
    if is_untried {
        recorder.seen(|seen| seen.untried = true);
        return transaction.execute_unprepared("SELECT 1").await;
    }
    result
}

fn needs_no_transaction(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    matches!(&**error, SqlxError::Database(error) if error.code().as_deref() == Some(NEEDS_NO_TRANSACTION))
}

/// Writes a statement with its values in it. Whoever writes `$1` for SQLite too is not understood by SeaORM's own way, which knows `?` there.
pub(super) fn with_values(statement: &Statement) -> String {
    let Some(values) = &statement.values else { return statement.sql.clone() };
    if statement.db_backend != DbBackend::Sqlite {
        return statement.to_string();
    }
    let (sql, numbers) = scan::positional(&statement.sql);
    if numbers.is_empty() {
        return statement.to_string();
    }
    let value = |number: &u32| values.0.get((*number as usize).wrapping_sub(1)).cloned();
    let values: Option<Vec<Value>> = numbers.iter().map(value).collect();
    values.map_or_else(
        || statement.sql.clone(),
        |values| Statement::from_sql_and_values(DbBackend::Sqlite, sql, values).to_string(),
    )
}

#[derive(Debug)]
struct Recording {
    backend: DbBackend,
    asks: mpsc::UnboundedSender<Ask>,
    recorder: Recorder,
}

impl Recording {
    fn ask<T>(&self, ask: impl FnOnce(replies::Sender<Result<T, DbErr>>) -> Ask) -> Result<T, DbErr> {
        let (reply, answer) = replies::channel();
        let gone = || DbErr::Conn(RuntimeErr::Internal("the trial of the migrations is over".to_owned()));
        self.asks.send(ask(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Runs a statement about a savepoint. A failure shows in the next statement: the driver's interface has no room for it here.
    fn mark(&self, text: String) {
        self.recorder.note(text.clone());
        if let Err(error) = self.ask(|reply| Ask::Mark(text, reply)) {
            tracing::debug!(%error, "a savepoint failed");
        }
    }

    fn innermost(&self) -> usize {
        self.recorder.seen(|seen| {
            seen.savepoints = seen.savepoints.saturating_sub(1);
            seen.savepoints
        })
    }
}

impl MockDatabaseTrait for Recording {
    fn execute(&mut self, _: usize, statement: Statement) -> Result<ExecResult, DbErr> {
        self.recorder.note(with_values(&statement));
        self.ask(|reply| Ask::Execute(statement, reply))
    }

    fn query(&mut self, _: usize, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if !scan::reads_on_replica(&statement.sql, &[]) {
            self.recorder.note(with_values(&statement));
        }
        self.ask(|reply| Ask::Query(statement, reply))
    }

    fn begin(&mut self) {
        let number = self.recorder.seen(|seen| {
            seen.savepoints += 1;
            seen.savepoints - 1
        });
        self.mark(format!("SAVEPOINT bunbase_{number}"));
    }

    fn commit(&mut self) {
        self.mark(format!("RELEASE SAVEPOINT bunbase_{}", self.innermost()));
    }

    fn rollback(&mut self) {
        let number = self.innermost();
        self.mark(format!("ROLLBACK TO SAVEPOINT bunbase_{number}"));
        self.mark(format!("RELEASE SAVEPOINT bunbase_{number}"));
    }

    fn drain_transaction_log(&mut self) -> Vec<Transaction> {
        Vec::new()
    }

    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    fn ping(&self) -> Result<(), DbErr> {
        Ok(())
    }
}
