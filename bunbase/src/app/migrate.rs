//! The command that brings the tables up to date.

use chrono::Utc;
use clap::Subcommand;

use super::{
    App,
    cli::{lines, usage},
    tenants, wiring,
};
use crate::{
    Result,
    config::{Config, TenantIsolation},
    db::Db,
};

/// What `migrate` does.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum MigrateStep {
    /// Applies what is pending; the default.
    Up,
    /// Takes back the newest migrations.
    Down {
        /// How many.
        #[arg(default_value_t = 1)]
        steps: u32,
    },
    /// Lists all migrations, whether they are applied, and SQL files that have changed since.
    Status,
    /// Prints the SQL that `up` would run, and changes nothing.
    Plan,
    /// Makes an empty SQL migration, to be written.
    New {
        /// What it does, in small letters, digits and underscores: `create_task`.
        name: String,
    },
    /// Drops all tables and applies everything anew. All data is lost.
    Fresh {
        /// Says that losing all data is meant; asked for in production.
        #[arg(long)]
        force: bool,
    },
}

/// Does what `migrate` says, and returns what to print.
pub(super) async fn run(app: &App, config: &Config, step: MigrateStep) -> Result<String> {
    let plan = &app.migrations;
    if let MigrateStep::New { name } = &step {
        return Ok(plan.create(name, Utc::now())?.to_string());
    }
    if matches!(step, MigrateStep::Up) && config.tenants.isolation != TenantIsolation::Off {
        let tenants = tenants::open(app, config).await?;
        return tenants::report(&tenants.migrate().await);
    }
    let db = Db::open(&wiring::database(config)).await?;
    let text = match step {
        MigrateStep::Up | MigrateStep::New { .. } => listed("applied", &plan.up(&db).await?),
        MigrateStep::Down { steps } => listed("taken back", &plan.down(&db, steps).await?),
        MigrateStep::Status => lines(plan.status(&db).await?.iter().map(ToString::to_string)),
        MigrateStep::Plan => plan.script(&db).await?.to_string(),
        MigrateStep::Fresh { force } => {
            if !force && !config.environment.is_development() {
                return Err(usage("`migrate fresh` loses all data; in production say `--force` as well"));
            }
            listed("applied", &plan.fresh(&db).await?)
        }
    };
    db.close().await;
    Ok(text)
}

/// Puts each name on a line, behind what became of it.
pub(super) fn listed(what: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("nothing {what}\n");
    }
    lines(names.iter().map(|name| format!("{what}  {name}")))
}
