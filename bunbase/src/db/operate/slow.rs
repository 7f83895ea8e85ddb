//! The statements that a database spends its time on.

use sea_orm::{DbBackend, FromQueryResult};

use crate::{Error, Result, db::Db};

/// How many.
const MOST: i64 = 10;

const EXTENSION: &str = "SELECT quote_ident(namespace.nspname) FROM pg_extension AS extension
    JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
    WHERE extension.extname = 'pg_stat_statements'";

/// What has to be done, where the extension is not there.
const HOW: &str = "Postgres does not count its statements here. As a superuser: add `pg_stat_statements` to `shared_preload_libraries` in \
                   postgresql.conf, restart the server, and run `CREATE EXTENSION pg_stat_statements` in this database";

/// A statement, and what it has cost since the server began to count.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
#[non_exhaustive]
pub struct SlowStatement {
    /// How often it ran.
    pub calls: i64,
    /// How long all of them took together, in milliseconds.
    pub total_ms: f64,
    /// How long one took on average, in milliseconds.
    pub mean_ms: f64,
    /// How long the longest took, in milliseconds.
    pub max_ms: f64,
    /// Its text, with placeholders for values.
    pub query: String,
}

/// Returns the ten statements of this database that took most time, all their runs together.
///
/// # Errors
/// 409 `statements_not_counted` where nobody counts: on Postgres without the extension `pg_stat_statements`, with what to do, and on
/// SQLite, which has no such count.
pub async fn slow(db: &Db) -> Result<Vec<SlowStatement>> {
    if db.backend() != DbBackend::Postgres {
        return Err(not_counted("SQLite does not count its statements"));
    }
    db.reach().await?;
    let schemas: Vec<(String,)> = db.sql(EXTENSION).columns().await?;
    let Some((schema,)) = schemas.into_iter().next() else { return Err(not_counted(HOW)) };
    let sql = format!(
        "SELECT calls, total_exec_time AS total_ms, mean_exec_time AS mean_ms, max_exec_time AS max_ms, query
         FROM {schema}.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
         ORDER BY total_exec_time DESC, queryid LIMIT $1"
    );
    db.sql(&sql).bind(MOST).all().await.map_err(|error| {
        // The extension is made, and the server was started without its library.
        if error.status() == 503 { error } else { not_counted(HOW).caused_by(error) }
    })
}

fn not_counted(detail: &str) -> Error {
    Error::new(409, "statements_not_counted", detail.to_owned())
}
