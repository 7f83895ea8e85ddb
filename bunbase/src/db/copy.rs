//! `COPY … FROM STDIN`: how many rows get into Postgres at once.

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr, SqlxError,
    sqlx::{Connection, PgConnection},
};

use super::Db;
use crate::Result;

/// Rows for one table in the text format of `COPY` (Postgres documentation, "COPY", section "Text Format").
#[derive(Debug)]
pub(crate) struct Rows {
    /// `COPY table (columns) FROM STDIN`.
    statement: &'static str,
    text: String,
    is_first: bool,
}

impl Rows {
    /// No rows yet, for a statement without parameters.
    pub(crate) fn new(statement: &'static str) -> Self {
        Self { statement, text: String::new(), is_first: true }
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Writes the next value. A NUL, which Postgres has no text with, becomes U+FFFD.
    pub(crate) fn text(&mut self, value: &str) {
        self.separate();
        let mut from = 0;
        for (at, byte) in value.bytes().enumerate() {
            let escaped = match byte {
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0 => "\u{fffd}",
                _ => continue,
            };
            // All of them are characters of their own in UTF-8.
            self.text.push_str(&value[from..at]);
            self.text.push_str(escaped);
            from = at + 1;
        }
        self.text.push_str(&value[from..]);
    }

    /// Writes the next value, whose text needs no escaping: a number, a time, an id.
    pub(crate) fn plain(&mut self, value: impl std::fmt::Display) {
        use std::fmt::Write as _;
        self.separate();
        // Writing to a `String` cannot fail.
        let _ = write!(self.text, "{value}");
    }

    /// Writes the next value, which may be NULL.
    pub(crate) fn maybe(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.plain("\\N"),
        }
    }

    /// Ends a row.
    pub(crate) fn end(&mut self) {
        self.text.push('\n');
        self.is_first = true;
    }

    fn separate(&mut self) {
        if !self.is_first {
            self.text.push('\t');
        }
        self.is_first = false;
    }
}

impl Db {
    /// Stores rows of one or more tables of Postgres, all of them or none.
    ///
    /// # Errors
    /// As those of any statement.
    pub(crate) async fn copy(&self, tables: &[Rows]) -> Result<()> {
        let wrong = |source: SqlxError| DbErr::Exec(RuntimeErr::SqlxError(source.into()));
        let result = match self.kept() {
            Some(kept) => match kept.take().await {
                Ok(mut lease) => {
                    let result = copy(lease.connection()?, tables).await;
                    lease.end(result).map_err(wrong)
                }
                Err(source) => Err(source),
            },
            None => match self.primary().get_postgres_connection_pool().acquire().await {
                Ok(mut connection) => copy(&mut connection, tables).await.map_err(wrong),
                Err(SqlxError::PoolTimedOut) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
                Err(source) => Err(wrong(source)),
            },
        };
        result.map_err(|source| self.explain(source).into())
    }
}

async fn copy(connection: &mut PgConnection, tables: &[Rows]) -> std::result::Result<(), SqlxError> {
    match tables {
        // One statement is a transaction by itself.
        [one] => send(connection, one).await,
        all => {
            let mut transaction = connection.begin().await?;
            for rows in all {
                send(&mut transaction, rows).await?;
            }
            transaction.commit().await
        }
    }
}

async fn send(connection: &mut PgConnection, rows: &Rows) -> std::result::Result<(), SqlxError> {
    let mut copy = connection.copy_in_raw(rows.statement).await?;
    match copy.send(rows.text.as_bytes()).await {
        Ok(_) => copy.finish().await.map(|_| ()),
        Err(error) => {
            // The connection is of no use to others in the middle of this.
            let _ = copy.abort("it could not be sent").await;
            Err(error)
        }
    }
}
