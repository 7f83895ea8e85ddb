//! How the database would run a statement.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use crate::{
    Error, Result,
    db::{Db, scan},
};

/// Returns the plan of one statement, as the database words it.
///
/// The statement is not run. With `analyze`, on Postgres alone, it is, in a transaction that is rolled back; what no rollback takes back
/// (numbers from sequences, what functions do elsewhere) stays. Placeholders (`$1`) are taken for any value: on SQLite, and on Postgres from
/// version 16.
///
/// # Errors
/// 400 `explain` for what is not one statement, for what the database cannot explain (its words are the source), and for `analyze` on SQLite.
pub async fn explain(db: &Db, sql: &str, analyze: bool) -> Result<String> {
    if !scan::is_one_statement(sql) {
        return Err(refused("write one statement: a plan is of one"));
    }
    db.reach().await?;
    let has_placeholders = !scan::placeholders(sql).is_empty();
    match db.backend() {
        DbBackend::Postgres => {
            let options = match (analyze, has_placeholders) {
                (true, true) => {
                    return Err(refused("to run the statement, write values in the place of `$1` and the like"));
                }
                (true, false) => " (ANALYZE, BUFFERS)",
                (false, true) => " (GENERIC_PLAN)",
                (false, false) => " (FORMAT TEXT)",
            };
            let rows = rolled_back(db, &format!("EXPLAIN{options} {sql}")).await;
            let rows = rows.map_err(|error| {
                if has_placeholders {
                    let text = "the database has no plan for this statement; before version 16 it needs values in the place of `$1`";
                    return refused(text).caused_by(error);
                }
                not_explained(error)
            })?;
            let lines = rows.iter().map(|row| row.try_get_by_index::<String>(0));
            Ok(lines.collect::<Result<Vec<_>, _>>()?.join("\n") + "\n")
        }
        _ if analyze => Err(refused("SQLite cannot say how long a statement took in parts; leave `--analyze` out")),
        _ => {
            let rows = rolled_back(db, &format!("EXPLAIN QUERY PLAN {sql}")).await.map_err(not_explained)?;
            tree(&rows)
        }
    }
}

async fn rolled_back(db: &Db, sql: &str) -> Result<Vec<QueryResult>> {
    let tx = db.begin_tx().await?;
    let rows = tx.db().query_all_raw(Statement::from_string(db.backend(), sql)).await;
    tx.rollback().await?;
    Ok(rows?)
}

/// Indents each step below the one it belongs to.
fn tree(rows: &[QueryResult]) -> Result<String> {
    let mut depths = HashMap::from([(0, 0)]);
    let mut text = String::new();
    for row in rows {
        let (id, parent): (i64, i64) = (row.try_get("", "id")?, row.try_get("", "parent")?);
        let depth = depths.get(&parent).copied().unwrap_or(0);
        depths.insert(id, depth + 1);
        text += &"  ".repeat(depth);
        text += &row.try_get::<String>("", "detail")?;
        text.push('\n');
    }
    Ok(if text.is_empty() { "nothing is looked up\n".to_owned() } else { text })
}

fn refused(detail: &str) -> Error {
    Error::new(400, "explain", detail.to_owned())
}

fn not_explained(error: Error) -> Error {
    if error.status() == 503 { error } else { refused("the database has no plan for this statement").caused_by(error) }
}
