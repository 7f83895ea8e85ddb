//! The command that writes entities.

use std::path::PathBuf;

use clap::Subcommand;

use super::{migrate, wiring};
use crate::{
    Result,
    config::Config,
    db::{Db, operate},
};

/// What `entity` does.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum EntityStep {
    /// Writes an entity for each table of the application, by SeaORM's generator.
    Generate {
        /// The folder to write into.
        #[arg(long, value_name = "DIR", default_value = "src/entity")]
        out: PathBuf,
        /// Of these tables alone, with commas between them.
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        tables: Vec<String>,
        /// Replaces files that it did not write, or that were changed since.
        #[arg(long)]
        force: bool,
    },
}

/// Does what `entity` says, and returns what to print.
pub(super) async fn run(config: &Config, step: EntityStep) -> Result<String> {
    let EntityStep::Generate { out, tables, force } = step;
    let db = Db::open(&wiring::database(config)).await?;
    let entities = operate::entities(&db, &tables).await;
    db.close().await;
    let written = entities?.write(&out, force)?;
    let names: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    Ok(migrate::listed("written", &names))
}
