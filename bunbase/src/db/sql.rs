//! Raw SQL with bound values, into typed rows.

use std::fmt;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Statement, TryGetable, TryGetableMany, Value};

use super::scan;
use crate::{Error, Result};

/// One raw SQL statement with bound values, on a [`Db`](super::Db) or in a transaction.
///
/// Placeholders are `$1`, `$2`, … on both databases, each bound in order with [`bind`](Self::bind); one may be used twice.
/// Rows become any type that derives `FromQueryResult`, whose field names are the column names. The derive writes paths that
/// begin with `sea_orm`: have that crate, or `use bunbase::db::sea_orm`.
///
/// ```
/// # use bunbase::db::{Db, FromQueryResult, Settings};
/// #[derive(FromQueryResult)]
/// struct Row {
///     title: String,
///     done: bool,
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bunbase::Result<()> {
/// # let db = Db::open(&Settings::new("sqlite::memory:")).await?;
/// # db.sql("CREATE TABLE task (title TEXT NOT NULL, done BOOLEAN NOT NULL)").execute().await?;
/// db.sql("INSERT INTO task (title, done) VALUES ($1, $2)").bind("write").bind(false).execute().await?;
/// let rows = db.sql("SELECT title, done FROM task WHERE done = $1 ORDER BY title").bind(false).all::<Row>().await?;
/// assert_eq!(rows[0].title, "write");
/// assert!(!rows[0].done);
/// # Ok(())
/// # }
/// ```
///
/// # Types on SQLite
/// Postgres has a type for each of these, SQLite stores:
/// - **Booleans** as the integers 0 and 1. Declare the column `BOOLEAN`; bind and read `bool`.
/// - **Timestamps** (`DateTime<Utc>`) as RFC 3339 text in UTC. Declare the column `TIMESTAMP` or `TEXT`; bind and
///   read `DateTime<Utc>`. Comparing and sorting is right among values that were bound, but not with
///   `CURRENT_TIMESTAMP`, which writes another form: bind the time instead. Postgres keeps microseconds.
/// - **UUIDs** as 16 bytes. Declare the column `BLOB`; bind and read `Uuid`. A UUID written as text does not equal one.
/// - **Decimals** as text or floating-point numbers: sums are not exact. Keep money in integers.
///
/// Postgres does not guess: `$1` must have the column's type, so bind an `i64` to a `BIGINT`.
#[must_use = "a statement runs when it is asked for rows or executed"]
pub struct Sql<'a, C> {
    connection: &'a C,
    text: &'a str,
    values: Vec<Value>,
    is_fixed: bool,
}

impl<'a, C: ConnectionTrait> Sql<'a, C> {
    /// Starts a statement on a [`Db`](super::Db), on [`Tx::db`](super::Tx::db) or on any SeaORM connection.
    ///
    /// Never build `sql` from what a caller sent: bind it.
    pub fn new(connection: &'a C, sql: &'a str) -> Self {
        Self { connection, text: sql, values: Vec::new(), is_fixed: false }
    }

    /// As [`new`](Self::new), for a text of the framework's own that runs often: its placeholders are checked in tests only.
    pub(crate) fn fixed(connection: &'a C, sql: &'static str) -> Self {
        Self { is_fixed: !cfg!(debug_assertions), ..Self::new(connection, sql) }
    }

    /// Binds the next placeholder: the first call binds `$1`. `None` is NULL.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Returns all rows.
    ///
    /// # Errors
    /// Those of the database; 500 when placeholders and bound values differ, or when a row does not fit `T`.
    pub async fn all<T: FromQueryResult>(self) -> Result<Vec<T>> {
        let (connection, statement) = self.statement()?;
        let rows = connection.query_all_raw(statement).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// Returns the first row, or `None` when there is none.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub async fn optional<T: FromQueryResult>(self) -> Result<Option<T>> {
        let row = self.first().await?;
        Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
    }

    /// Returns the first row.
    ///
    /// # Errors
    /// 404 `not_found` when there is none, otherwise as [`all`](Self::all).
    pub async fn one<T: FromQueryResult>(self) -> Result<T> {
        self.optional().await?.ok_or_else(no_row)
    }

    /// Returns the first column of the first row: `SELECT count(*) …`. Read a column that may be NULL as `Option<V>`.
    ///
    /// # Errors
    /// 404 `not_found` when there is no row, otherwise as [`all`](Self::all).
    pub async fn scalar<V: TryGetable>(self) -> Result<V> {
        let row = self.first().await?.ok_or_else(no_row)?;
        Ok(row.try_get_by_index(0)?)
    }

    /// Returns the columns of all rows, by position, as a tuple.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub async fn columns<T: TryGetableMany>(self) -> Result<Vec<T>> {
        let (connection, statement) = self.statement()?;
        let rows = connection.query_all_raw(statement).await?;
        Ok(rows.iter().map(|row| T::try_get_many_by_index(row)).collect::<Result<_, _>>().map_err(DbErr::from)?)
    }

    /// Runs the statement and returns how many rows it changed.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub async fn execute(self) -> Result<u64> {
        let (connection, statement) = self.statement()?;
        Ok(connection.execute_raw(statement).await?.rows_affected())
    }

    async fn first(self) -> Result<Option<QueryResult>> {
        let (connection, statement) = self.statement()?;
        Ok(connection.query_one_raw(statement).await?)
    }

    fn statement(self) -> Result<(&'a C, Statement)> {
        let named = if self.is_fixed { scan::Numbers::new() } else { scan::placeholders(self.text) };
        let bound = self.values.len();
        // SQLite would take a missing value for NULL and ignore one too many.
        if !self.is_fixed && !named.iter().copied().eq((1..).take(bound)) {
            let named = named.iter().map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
            return Err(Error::internal(Mismatch { named, bound, sql: self.text.to_owned() }));
        }
        let backend = self.connection.get_database_backend();
        Ok((self.connection, Statement::from_sql_and_values(backend, self.text, self.values)))
    }
}

fn no_row() -> Error {
    Error::not_found("there is no such row")
}

/// The placeholders of a statement are not those that values were bound to.
#[derive(Debug, thiserror::Error)]
#[error(
    "the statement names the placeholders [{named}], and {bound} values are bound; it must name $1 to ${bound}: {sql}"
)]
struct Mismatch {
    named: String,
    bound: usize,
    sql: String,
}

impl<C> fmt::Debug for Sql<'_, C> {
    /// Leaves the bound values out: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("sql", &self.text).field("bound", &self.values.len()).finish_non_exhaustive()
    }
}
