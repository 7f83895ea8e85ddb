//! The command line of the application's own binary.

use std::{ffi::OsString, io::Write, path::PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use serde_json::Value;

use super::{App, Wired, banner, logging, routes, shutdown, wiring};
use crate::{
    Error, Result,
    config::{Config, Loader},
    context::Identity,
    db::Db,
    http,
    invoke::{Calls, Invocation},
};

#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = false)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The address to listen on (`http.host`).
    #[arg(long, global = true)]
    host: Option<String>,
    /// The port to listen on (`http.port`); 0 takes a free one.
    #[arg(long, global = true)]
    port: Option<String>,
    /// The configuration file, instead of `bunbase.toml`.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the application's name and version.
    #[arg(long, short = 'V')]
    version: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the application; the default.
    Serve,
    /// Serves with the defaults of development.
    Dev,
    /// Brings the database's tables up to date, or back.
    Migrate {
        #[command(subcommand)]
        step: Option<Migrate>,
    },
    /// Lists all routes with their actions and guards.
    Routes,
    /// Prints the OpenAPI document.
    Openapi,
    /// Runs one action in this process and prints its answer.
    Call {
        /// The full name, as `routes` lists it.
        action: String,
        /// One JSON object of all fields; `-` reads it from standard input.
        #[arg(default_value = "{}")]
        json: String,
        /// Who calls: `service:NAME`, `user:ID` or `system`; nobody that is known unless said. It is believed.
        #[arg(long = "as", value_name = "WHO", value_parser = identity)]
        identity: Option<Identity>,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Migrate {
    /// Applies what is pending; the default.
    Up,
    /// Takes back the newest migrations.
    Down {
        /// How many.
        #[arg(default_value_t = 1)]
        steps: u32,
    },
    /// Lists all migrations and whether they are applied.
    Status,
    /// Drops all tables and applies everything anew. All data is lost.
    Fresh {
        /// Says that losing all data is meant; asked for in production.
        #[arg(long)]
        force: bool,
    },
}

/// Does what the command line says.
pub(super) async fn run(app: App, arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        // Help and version are errors to the parser, and answers to the person who asked.
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return print(&error.render().to_string());
        }
        Err(error) => return Err(usage(&error.render().to_string())),
    };
    let is_dev = matches!(arguments.command, Some(Command::Dev));
    let (app, config) = configure(app, &arguments, is_dev)?;
    if arguments.version {
        return print(&format!("{} {}\n", config.app.name, config.app.version));
    }
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve | Command::Dev => serve(app, config).await,
        Command::Migrate { step } => migrate(app, config, step.unwrap_or(Migrate::Up)).await,
        Command::Routes => print(&routes::table(&wiring::registry(&app, &config)?)),
        Command::Openapi => {
            let document = wiring::document(&wiring::registry(&app, &config)?, &config, app.description);
            print(&(document.pretty() + "\n"))
        }
        Command::Call { action, json, identity } => {
            call(app, config, &action, &json, identity.unwrap_or_default()).await
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    Arguments::from_arg_matches(&Arguments::command().try_get_matches_from(arguments)?)
}

fn usage(text: &str) -> Error {
    Error::new(400, "usage", text.trim_end().trim_start_matches("error: ").to_owned())
}

fn configure(app: App, arguments: &Arguments, is_dev: bool) -> Result<(App, Config)> {
    let mut loader =
        app.settings.iter().fold(Loader::new().from_process(), |loader, (key, value)| loader.set(key, value.clone()));
    if let Some(file) = &arguments.config {
        loader = loader.path(file);
    }
    if is_dev {
        loader = loader.development();
    }
    for (flag, key, value) in [("--host", "http.host", &arguments.host), ("--port", "http.port", &arguments.port)] {
        if let Some(value) = value {
            loader = loader.argument(flag, key, value.clone());
        }
    }
    let config = loader.load().map_err(|errors| Error::new(500, "configuration", errors.to_string()))?;
    Ok((app, config))
}

async fn serve(app: App, config: Config) -> Result<()> {
    logging::start(&config);
    let migrate = config.database.migrate_on_start;
    let wired = Wired::new(app, config).await?;
    if migrate {
        wired.migrations.up(&wired.services.db).await?;
    }
    let db = wired.services.db.clone();
    let server = http::serve(wired.table, wired.mounts, wired.health)?;
    print(&banner::text(&wired.config, &wired.registry, server.addresses()))?;
    shutdown::requested().await;
    let stopped = server.stop().await;
    db.close().await;
    tracing::info!("stopped");
    stopped
}

async fn migrate(app: App, config: Config, step: Migrate) -> Result<()> {
    let db = Db::open(&wiring::database(&config)).await?;
    let plan = &app.migrations;
    let listed = |what: &str, names: Vec<String>| match names.as_slice() {
        [] => format!("nothing {what}\n"),
        names => lines(names.iter().map(|name| format!("{what}  {name}"))),
    };
    let text = match step {
        Migrate::Up => listed("applied", plan.up(&db).await?),
        Migrate::Down { steps } => listed("taken back", plan.down(&db, steps).await?),
        Migrate::Status => lines(plan.status(&db).await?.iter().map(ToString::to_string)),
        Migrate::Fresh { force } => {
            if !force && !config.environment.is_development() {
                return Err(usage("`migrate fresh` loses all data; in production say `--force` as well"));
            }
            listed("applied", plan.fresh(&db).await?)
        }
    };
    db.close().await;
    print(&text)
}

/// Reads who calls.
fn identity(text: &str) -> Result<Identity, String> {
    match text.split_once(':') {
        None if text == "system" => Ok(Identity::System),
        Some(("service", name)) if !name.is_empty() => Ok(Identity::service(name)),
        Some(("user", id)) if !id.is_empty() => Ok(Identity::user(id)),
        _ => Err("write `service:NAME`, `user:ID` or `system`".to_owned()),
    }
}

async fn call(app: App, config: Config, action: &str, json: &str, identity: Identity) -> Result<()> {
    logging::start(&config);
    let text = if json == "-" { std::io::read_to_string(std::io::stdin())? } else { json.to_owned() };
    let input: Value = serde_json::from_str(&text).map_err(|error| {
        usage(&format!("the input is not JSON: {error}; write one object of all fields, such as '{{\"id\": 1}}'"))
    })?;
    let wired = Wired::new(app, config).await?;
    if wired.config.database.migrate_on_start {
        wired.migrations.up(&wired.services.db).await?;
    }
    let calls = Calls::of(&wired.services)?;
    let answer =
        calls.call_by_name(&wired.services, action, Invocation { identity, ..Invocation::fresh() }, input).await;
    wired.services.db.close().await;
    match answer {
        Ok(value) => print(&(serde_json::to_string_pretty(&value)? + "\n")),
        Err(error) if error.fields().is_empty() => Err(error),
        Err(error) => Err(Error::new(error.status(), error.code().to_owned(), with_fields(&error))),
    }
}

/// Puts each text on a line of its own.
fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.fold(String::new(), |all, text| all + &text + "\n")
}

/// Names every wrong field below the error's own text.
fn with_fields(error: &Error) -> String {
    let fields = error.fields().iter().map(|field| format!("  {}: {}", field.pointer, field.message));
    format!("{}:\n{}", error.detail().trim_end_matches("; see `errors`"), lines(fields).trim_end())
}

/// Writes to standard output; a reader that has gone (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
