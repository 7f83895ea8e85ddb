//! The command that looks at the database and copies it.

use std::path::PathBuf;

use clap::Subcommand;
use sea_orm::DbBackend;

use super::{operate::table, wiring};
use crate::{
    Result,
    config::Config,
    db::{Db, operate},
    runs::read,
};

/// How many actions `db slow` lists.
const SLOWEST: u32 = 10;

/// What `db` does.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum DbStep {
    /// Prints how the database would run a statement; the statement is not run.
    Explain {
        /// One statement; `$1` and the like may stand for values.
        sql: String,
        /// Postgres: runs it too, in a transaction that is rolled back, and prints what each part took.
        #[arg(long)]
        analyze: bool,
    },
    /// Lists what takes most time: statements on Postgres, actions on SQLite.
    Slow,
    /// SQLite: writes the database as it is now into a file, while it is in use.
    Backup {
        /// The file to be written.
        file: PathBuf,
        /// Replaces the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// SQLite: puts a backup in the place of the database, which no process may have open.
    Restore {
        /// What `db backup` has written.
        file: PathBuf,
        /// Replaces the database if it exists.
        #[arg(long)]
        force: bool,
    },
}

/// Does what `db` says, and returns what to print.
pub(super) async fn run(config: &Config, step: DbStep) -> Result<String> {
    let settings = wiring::database(config);
    // The database itself is not opened for this: that would be somebody who has it open.
    if let DbStep::Restore { file, force } = &step {
        let database = operate::restore(&settings, file, *force).await?;
        return Ok(format!("restored  {}\n", database.display()));
    }
    let db = Db::open(&settings).await?;
    let text = match step {
        DbStep::Explain { sql, analyze } => operate::explain(&db, &sql, analyze).await,
        DbStep::Slow => slow(&db).await,
        DbStep::Backup { file, force } | DbStep::Restore { file, force } => {
            let size_bytes = operate::backup(&db, &file, force).await;
            size_bytes.map(|size_bytes| format!("saved  {} ({size_bytes} bytes)\n", file.display()))
        }
    };
    db.close().await;
    text
}

async fn slow(db: &Db) -> Result<String> {
    if db.backend() == DbBackend::Postgres {
        let statements = operate::slow(db).await?;
        let ms = |ms: f64| format!("{ms:.3}");
        let row = |one: &operate::SlowStatement| {
            let query = one.query.split_whitespace().collect::<Vec<_>>().join(" ");
            [one.calls.to_string(), ms(one.total_ms), ms(one.mean_ms), ms(one.max_ms), query]
        };
        return Ok(table(["CALLS", "TOTAL MS", "MEAN MS", "MAX MS", "STATEMENT"], statements.iter().map(row)));
    }
    db.reach().await?;
    let ms = |us: i64| format!("{}.{:03}", us / 1000, us % 1000);
    let row = |one: &read::ActionTimes| [one.runs.to_string(), ms(one.mean_us), ms(one.max_us), one.action.clone()];
    let rows = read::slowest(db, SLOWEST).await?;
    let text = "SQLite does not count its statements. These are the actions whose recorded runs took longest; `runs --action NAME` lists \
                them, and `db explain SQL` shows how one of their statements is run.\n\n";
    Ok(text.to_owned() + &table(["RUNS", "MEAN MS", "MAX MS", "ACTION"], rows.iter().map(row)))
}
