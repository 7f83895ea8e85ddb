//! The command that says whether the application is ready for production.
//!
//! Here: every line of the performance checklist (docs/performance.md), answered with `yes`, `no` or "cannot know from here", what was
//! looked at, and what changes it: by the configuration as it would be in production, by the actions of the binary, and by what
//! Postgres and Redis say of themselves where they answer. Not here: changing anything, and the questions to the servers
//! (`db::operate`, `redis`). A new line is a `Question` in the file of its part, in the order of the guide.

mod application;
mod database;
mod facts;
mod infrastructure;
mod monitoring;
mod node;
mod redis;
mod report;
#[cfg(test)]
mod tests;

use facts::Facts;
pub(super) use facts::Run;
use report::{Report, Section};

use super::{App, wiring};
use crate::{
    Error, Result,
    config::{ByteSize, Config},
};

/// What `check` looks at.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct CheckArguments {
    /// Answers the checklist for production, whatever environment this is: the configuration, the database and Redis. Changes nothing.
    #[arg(long)]
    pub(super) production: bool,
    /// Prints the answers as JSON.
    #[arg(long, requires = "production")]
    pub(super) json: bool,
    /// How many instances there will be; those that are connected to Postgres now unless said.
    #[arg(long, requires = "production", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) instances: Option<u32>,
    /// How much memory the machine of the database has, such as `16GiB`; this machine's, where the database is on it.
    #[arg(long, requires = "production", value_name = "SIZE")]
    pub(super) database_memory: Option<ByteSize>,
}

/// Does what `check` says: what to print, and the ids of what is required and not so.
///
/// # Errors
/// Everything that is wrong with the actions.
pub(super) async fn run(
    app: &App,
    config: &Config,
    run: Run,
    arguments: CheckArguments,
) -> Result<(String, Vec<&'static str>)> {
    if !arguments.production {
        let registry = wiring::registry(app, config)?;
        let routes: usize = registry.actions().iter().map(|action| action.routes.len()).sum();
        let text = format!(
            "the configuration and {} actions with {routes} routes are in order; for production: check --production\n",
            registry.actions().len()
        );
        return Ok((text, Vec::new()));
    }
    let is_json = arguments.json;
    // On the heap: it is large, and part of the future of every command.
    let facts = Box::pin(Facts::gather(app, config, run, arguments)).await?;
    let report = report(&facts);
    let text = if is_json { serde_json::to_string_pretty(&report)? + "\n" } else { report.text() };
    Ok((text, report.failing()))
}

/// Fails where something is required and not so.
pub(super) fn ended(failing: &[&str]) -> Result<()> {
    if failing.is_empty() {
        return Ok(());
    }
    Err(Error::new(409, "not_ready", format!("not ready for production: {}", failing.join(", "))))
}

fn report(facts: &Facts<'_>) -> Report {
    let section = |name, lines| Section { name, lines };
    let sections = vec![
        section("Database", database::lines(facts)),
        section("Redis", redis::lines(facts)),
        section("Application", application::lines(facts)),
        section("Infrastructure", infrastructure::lines(facts)),
        section("Monitoring", monitoring::lines(facts)),
    ];
    Report::new(&facts.config.app.name, &facts.config.app.version, sections)
}
