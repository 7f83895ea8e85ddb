//! `COPY … FROM STDIN`: how many rows get into Postgres at once.

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr, SqlxError,
    sqlx::{Connection, PgConnection},
};
use uuid::Uuid;

use super::Db;
use crate::{Result, observe::trace::write_hex};

/// What a table begins with: the signature, no flags, nothing more in the head.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What a table ends with.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// How much is handed to a connection at once: its buffer has room for that from then on, as long as it is open.
const PART: usize = 128 << 10;

/// The length of a value that is NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Midnight before 2000-01-01, from which Postgres counts, in microseconds of Unix time.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows for one table in the binary format of `COPY` (Postgres documentation, "COPY", section "Binary Format"). The server reads a value as the
/// type of its column, so each has to be written as exactly that.
#[derive(Debug)]
pub(crate) struct Rows {
    /// `COPY table (columns) FROM STDIN (FORMAT binary)`.
    statement: &'static str,
    columns: [u8; 2],
    bytes: Vec<u8>,
}

/// One row that is being written: a value for each column, in the statement's order.
pub(crate) struct Row<'a>(&'a mut Vec<u8>);

/// Values in the columns' order whose sizes are known, `N` bytes of them with their lengths: a row takes them at once.
pub(crate) struct Cells<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl Rows {
    /// No rows yet, for a statement without parameters that names so many columns.
    pub(crate) fn new(statement: &'static str, columns: i16) -> Self {
        Self { statement, columns: columns.to_be_bytes(), bytes: Vec::new() }
    }

    /// Makes room for so many bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Begins a row.
    pub(crate) fn row(&mut self) -> Row<'_> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(HEAD);
        }
        self.bytes.extend_from_slice(&self.columns);
        Row(&mut self.bytes)
    }

    /// Returns all rows as they are sent.
    fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&END);
        self.bytes
    }
}

impl Row<'_> {
    /// Writes a value of type `text`. A NUL, which Postgres has no text with, becomes U+FFFD.
    pub(crate) fn text(self, value: &str) -> Self {
        if value.contains('\0') {
            self.value(value.replace('\0', "\u{fffd}").as_bytes())
        } else {
            self.value(value.as_bytes())
        }
    }

    /// Writes a word of the program as a value of type `text`: it has no NUL.
    pub(crate) fn word(self, value: &'static str) -> Self {
        self.value(value.as_bytes())
    }

    /// As [`text`](Self::text), where the value may be NULL.
    pub(crate) fn maybe_text(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(value),
            None => self.nulls::<1>(),
        }
    }

    /// Writes values of sizes that are known.
    pub(crate) fn cells<const N: usize>(self, cells: &Cells<N>) -> Self {
        debug_assert_eq!(cells.filled, N, "they are not all there");
        self.0.extend_from_slice(&cells.bytes);
        self
    }

    /// Writes a value of type `integer` that may be NULL.
    pub(crate) fn maybe_int(self, value: Option<i32>) -> Self {
        match value {
            Some(value) => self.cells(Cells::<8>::new().int(value)),
            None => self.nulls::<1>(),
        }
    }

    /// Writes so many values that are NULL, of any types.
    pub(crate) fn nulls<const N: usize>(self) -> Self {
        self.0.extend_from_slice([NULL; N].as_flattened());
        self
    }

    fn value(self, bytes: &[u8]) -> Self {
        // No value can be as long as would not fit: the longest that Postgres takes is 1 GB, and it refuses what is cut off here.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }
}

impl<const N: usize> Cells<N> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], filled: 0 }
    }

    /// Adds 16 bytes as a value of type `text`: 32 lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, value: [u8; 16]) -> &mut Self {
        write_hex(&value, self.room(32));
        self
    }

    /// Adds a value of type `uuid`.
    pub(crate) fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.room(16).copy_from_slice(value.as_bytes());
        self
    }

    /// Adds a value of type `integer`.
    pub(crate) fn int(&mut self, value: i32) -> &mut Self {
        self.room(4).copy_from_slice(&value.to_be_bytes());
        self
    }

    /// Adds a value of type `bigint`.
    pub(crate) fn bigint(&mut self, value: i64) -> &mut Self {
        self.room(8).copy_from_slice(&value.to_be_bytes());
        self
    }

    /// Adds a value of type `timestamptz`, cut to microseconds.
    pub(crate) fn time(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.micros(value.timestamp_micros())
    }

    /// Adds a value of type `timestamptz`, given in microseconds of Unix time.
    pub(crate) fn micros(&mut self, value: i64) -> &mut Self {
        self.bigint(value.saturating_sub(EPOCH_MICROS))
    }

    /// Returns where the next value goes, behind its length. What is inlined knows the place when it is compiled; `hex` is not, so it is best the last.
    fn room(&mut self, length: u8) -> &mut [u8] {
        let (before, room) = self.bytes[self.filled..].split_at_mut(4);
        before.copy_from_slice(&u32::from(length).to_be_bytes());
        self.filled += 4 + usize::from(length);
        &mut room[..usize::from(length)]
    }
}

impl Db {
    /// Stores rows of one or more tables of Postgres, all of them or none.
    ///
    /// # Errors
    /// As those of any statement.
    pub(crate) async fn copy(&self, tables: Vec<Rows>) -> Result<()> {
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

async fn copy(connection: &mut PgConnection, tables: Vec<Rows>) -> std::result::Result<(), SqlxError> {
    // One statement is a transaction by itself.
    if tables.len() == 1 {
        for rows in tables {
            send(connection, rows).await?;
        }
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    for rows in tables {
        send(&mut transaction, rows).await?;
    }
    transaction.commit().await
}

async fn send(connection: &mut PgConnection, rows: Rows) -> std::result::Result<(), SqlxError> {
    let mut copy = connection.copy_in_raw(rows.statement).await?;
    let bytes = rows.finish();
    let sending = async {
        for part in bytes.chunks(PART) {
            copy.send(part).await?;
        }
        Ok(())
    };
    match sending.await {
        Ok(()) => copy.finish().await.map(|_| ()),
        Err(error) => {
            // The connection is of no use to others in the middle of this.
            let _ = copy.abort("it could not be sent").await;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_its_columns_and_each_value_has_its_length() {
        let mut rows = Rows::new("COPY t (a, b, c, d, e, f, g, h, i) FROM STDIN (FORMAT binary)", 9);
        assert!(rows.is_empty());
        rows.row()
            .cells(
                Cells::<32>::new().int(-2).time(DateTime::from_timestamp_micros(EPOCH_MICROS + 1).unwrap()).bigint(3),
            )
            .maybe_text(None)
            .text("a\0b")
            .cells(Cells::<36>::new().hex([0xa9; 16]))
            .maybe_int(Some(5))
            .nulls::<2>();
        assert!(!rows.is_empty());
        let expected: [&[u8]; 13] = [
            HEAD,
            &[0, 9],
            &[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfe],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3],
            &[0xff; 4],
            &[0, 0, 0, 5],
            "a\u{fffd}b".as_bytes(),
            &[0, 0, 0, 32],
            b"a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9",
            &[0, 0, 0, 4, 0, 0, 0, 5],
            &[0xff; 8],
            &[0xff, 0xff],
        ];
        assert_eq!(rows.finish(), expected.concat());
    }
}
