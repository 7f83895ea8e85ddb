//! What an error of the database means to a caller.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError, SqlxPostgresError, SqlxSqliteError};

use super::{Error, ErrorClass, Retry, code};

/// What kept the database from answering.
enum Trouble {
    /// It is there and has no room, lock or turn for this call: another attempt may succeed.
    Busy,
    /// It is away, or the connection to it broke.
    Away,
    /// It gave the statement up after its own time limit.
    Timeout,
}

/// What an error of the database that was refused for good reason asks for: to come back.
const SOON: Retry = Retry::After(Duration::from_secs(1));

impl ErrorClass<'static> {
    /// Returns what [`Error::from`] would make of an error of the database.
    pub(crate) fn of_database(error: &DbErr) -> Self {
        match trouble(error) {
            Some(Trouble::Busy) => Self { status: 503, code: code::DATABASE_BUSY, retry: SOON },
            Some(Trouble::Away) => Self { status: 503, code: code::DATABASE_UNAVAILABLE, retry: SOON },
            Some(Trouble::Timeout) => Self { status: 504, code: code::DATABASE_TIMEOUT, retry: Retry::ByStatus },
            None => Self::INTERNAL,
        }
    }

    /// 500.
    pub(crate) const INTERNAL: Self = Self { status: 500, code: code::INTERNAL, retry: Retry::ByStatus };
}

impl From<DbErr> for Error {
    /// 503 `database_busy` when the database has no free connection or lock, 503 `database_unavailable` when it is away,
    /// 504 `database_timeout` when it cancelled the statement, 500 otherwise.
    fn from(source: DbErr) -> Self {
        let class = ErrorClass::of_database(&source);
        let text = match class.code {
            code::DATABASE_BUSY => "the database is busy; try again",
            code::DATABASE_UNAVAILABLE => "the database cannot be reached; try again",
            code::DATABASE_TIMEOUT => "the database took too long",
            _ => return Self::internal(source),
        };
        Self::new(class.status, class.code, text).retry(class.retry).caused_by(source)
    }
}

fn trouble(error: &DbErr) -> Option<Trouble> {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Some(Trouble::Busy),
        DbErr::Conn(RuntimeErr::SqlxError(source)) => Some(of_driver(source).unwrap_or(Trouble::Away)),
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) | DbErr::Conn(_) => Some(Trouble::Away),
        DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) => of_driver(source),
        _ => None,
    }
}

fn of_driver(error: &SqlxError) -> Option<Trouble> {
    match error {
        SqlxError::PoolTimedOut => Some(Trouble::Busy),
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::PoolClosed | SqlxError::WorkerCrashed => Some(Trouble::Away),
        SqlxError::Database(source) => {
            let code = source.code()?;
            if source.try_downcast_ref::<SqlxPostgresError>().is_some() {
                of_postgres(&code)
            } else if source.try_downcast_ref::<SqlxSqliteError>().is_some() {
                of_sqlite(&code)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Source: the Postgres documentation, appendix A, "Error Codes".
fn of_postgres(code: &str) -> Option<Trouble> {
    match code {
        // Connection exceptions; admin_shutdown, crash_shutdown, cannot_connect_now; the session was ended for idling.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Some(Trouble::Away),
        code if code.starts_with("08") => Some(Trouble::Away),
        // Serialization failure, deadlock, lock not available; insufficient resources (too many connections, disk full).
        "40001" | "40P01" | "55P03" => Some(Trouble::Busy),
        code if code.starts_with("53") => Some(Trouble::Busy),
        // query_canceled: `statement_timeout`.
        "57014" => Some(Trouble::Timeout),
        _ => None,
    }
}

/// Source: SQLite documentation, "Result and Error Codes"; the low byte of an extended code is the primary one.
fn of_sqlite(code: &str) -> Option<Trouble> {
    match code.parse::<u32>().ok()? & 0xff {
        // BUSY, LOCKED: another process kept its lock for longer than `busy_timeout`.
        5 | 6 => Some(Trouble::Busy),
        // IOERR, FULL, CANTOPEN.
        10 | 13 | 14 => Some(Trouble::Away),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_pool_and_a_lost_connection_are_503_with_a_time_to_come_back() {
        for (source, code) in [
            (DbErr::ConnectionAcquire(ConnAcquireErr::Timeout), "database_busy"),
            (DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed), "database_unavailable"),
            (DbErr::Conn(RuntimeErr::Internal("refused".into())), "database_unavailable"),
            (DbErr::Query(RuntimeErr::SqlxError(SqlxError::WorkerCrashed.into())), "database_unavailable"),
            (DbErr::Exec(RuntimeErr::SqlxError(SqlxError::PoolTimedOut.into())), "database_busy"),
        ] {
            let error = Error::from(source);
            assert_eq!((error.status(), error.code()), (503, code));
            assert_eq!(error.retry_class(), Retry::After(Duration::from_secs(1)));
        }
    }

    #[test]
    fn codes_of_both_engines_mean_busy_away_or_a_bug() {
        assert!(matches!(of_sqlite("517"), Some(Trouble::Busy)));
        assert!(matches!(of_sqlite("5"), Some(Trouble::Busy)));
        assert!(matches!(of_sqlite("266"), Some(Trouble::Away)));
        assert!(of_sqlite("2067").is_none(), "a UNIQUE constraint");
        assert!(matches!(of_postgres("57P01"), Some(Trouble::Away)));
        assert!(matches!(of_postgres("08006"), Some(Trouble::Away)));
        assert!(matches!(of_postgres("40P01"), Some(Trouble::Busy)));
        assert!(matches!(of_postgres("57014"), Some(Trouble::Timeout)));
        assert!(of_postgres("23505").is_none(), "a UNIQUE constraint");
    }
}
