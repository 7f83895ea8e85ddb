//! The command line of the application's own binary.

use std::{ffi::OsString, io::Write, path::PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use serde_json::Value;

use super::{
    App, Wired,
    background::{self, Background, Roles},
    banner,
    check::{self, CheckArguments},
    database::{self, DbStep},
    logging,
    migrate::{self, MigrateStep},
    operate::{self, JobsStep},
    routes,
    runs::{self, RunsStep},
    seed::{self, SeedArguments},
    shutdown::Signals,
    tenants::{self, TenantsStep},
    wiring,
};
use crate::{
    Error, Result,
    action::Door,
    config::{Config, Loader},
    context::{Identity, Services},
    db::Db,
    http::{self, Served},
    invoke::{Calls, Invocation},
};

#[cfg(feature = "entity")]
use super::entity::{self, EntityStep};
#[cfg(feature = "profiling")]
use crate::observe::profile::CpuProfileFile;

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
    /// What this process does, of `http`, `worker` and `scheduler`, with commas between them (`app.roles`); all of it unless said.
    #[arg(long, global = true)]
    roles: Option<String>,
    /// Writes a profile of the processor to this file when the server stops: a flame graph for `.svg`, otherwise for pprof.
    #[cfg(feature = "profiling")]
    #[arg(long, global = true, value_name = "FILE")]
    cpu_profile: Option<PathBuf>,
    /// Prints the application's name and version.
    #[arg(long, short = 'V')]
    version: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the application; the default.
    Serve,
    /// Runs jobs and hands events to their subscribers; `serve --roles worker`.
    Worker,
    /// Serves with the defaults of development.
    Dev,
    /// Brings the database's tables up to date, or back.
    Migrate {
        #[command(subcommand)]
        step: Option<MigrateStep>,
    },
    /// Runs the seeds that are due: those that have not run, and those that run each time.
    Seed(SeedArguments),
    /// Looks at the database, and copies it.
    Db {
        #[command(subcommand)]
        step: DbStep,
    },
    /// Writes SeaORM's entities from the tables of the database.
    #[cfg(feature = "entity")]
    Entity {
        #[command(subcommand)]
        step: EntityStep,
    },
    /// Says whether configuration and actions are in order, and with `--production` whether the application is ready for it.
    Check(CheckArguments),
    /// Lists and adds tenants.
    Tenants {
        #[command(subcommand)]
        step: Option<TenantsStep>,
    },
    /// Lists all routes with their actions and guards.
    Routes {
        /// Lists the guards of every action instead, in the order in which they run.
        #[arg(long)]
        guards: bool,
    },
    /// Prints the OpenAPI document.
    Openapi,
    /// Runs one action in this process and prints its answer.
    Call {
        /// The full name, as `routes` lists it.
        action: String,
        /// One JSON object of all fields; `-` reads it from standard input.
        #[arg(default_value = "{}")]
        json: String,
        /// Who calls: `service:NAME`, `user:ID` or `system`. Guards then find that already established.
        #[arg(long = "as", value_name = "WHO")]
        identity: Option<Identity>,
    },
    /// Lists and looks after jobs and dead letters.
    Jobs {
        #[command(subcommand)]
        step: Option<JobsStep>,
    },
    /// Lists the schedules and when they come next.
    Schedules,
    /// Lists the latest runs, or shows one with what it logged.
    #[command(args_conflicts_with_subcommands = true)]
    Runs {
        #[command(subcommand)]
        step: Option<RunsStep>,
        /// Of this action.
        #[arg(long)]
        action: Option<String>,
        /// Only those that did not succeed.
        #[arg(long)]
        failed: bool,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Serves the tools on standard input and output, for the client that starts this process.
    #[cfg(feature = "mcp")]
    Mcp {
        /// Who calls: `service:NAME` or `user:ID`. Guards then find that already established.
        #[arg(long = "as", value_name = "WHO")]
        identity: Option<Identity>,
    },
}

/// Does what the command line says. What was logged meanwhile has been sent when it is done.
pub(super) async fn run(app: App, arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let done = Box::pin(execute(app, arguments)).await;
    logging::stop().await;
    done
}

async fn execute(app: App, arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        // Help and version are errors to the parser, and answers to the person who asked.
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return print(&error.render().to_string());
        }
        Err(error) => return Err(usage(&error.render().to_string())),
    };
    let loader = configured(&app, &arguments);
    let config = load(match &arguments.command {
        Some(Command::Dev) => loader.clone().development(),
        Some(Command::Check(check)) if check.production => loader.clone().production(),
        _ => loader.clone(),
    })?;
    if arguments.version {
        return print(&format!("{} {}\n", config.app.name, config.app.version));
    }
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve | Command::Worker | Command::Dev => {
            #[cfg(feature = "profiling")]
            let profile = arguments.cpu_profile.map(CpuProfileFile::begin).transpose()?;
            let served = serve(app, config).await;
            #[cfg(feature = "profiling")]
            if let Some(profile) = profile {
                profile.end()?;
            }
            served
        }
        Command::Migrate { step } => print(&migrate::run(&app, &config, step.unwrap_or(MigrateStep::Up)).await?),
        Command::Seed(arguments) => {
            logging::start(&config)?;
            print(&seed::run(app, &config, arguments).await?)
        }
        Command::Db { step } => print(&database::run(&config, step).await?),
        #[cfg(feature = "entity")]
        Command::Entity { step } => print(&entity::run(&config, step).await?),
        Command::Check(arguments) => {
            let (text, failing) = check::run(&app, &config, check::Run::of(&loader), arguments).await?;
            print(&text)?;
            check::ended(&failing)
        }
        Command::Tenants { step } => {
            let tenants = tenants::open(&app, &config).await?;
            print(&tenants::run(&tenants, step.unwrap_or(TenantsStep::List)).await?)
        }
        Command::Routes { guards: false } => print(&routes::table(&wiring::registry(&app, &config)?)),
        Command::Routes { guards: true } => print(&routes::guards(&wiring::registry(&app, &config)?)),
        Command::Openapi => {
            let document = wiring::document(&wiring::registry(&app, &config)?, &config, app.description);
            print(&(document.pretty() + "\n"))
        }
        Command::Call { action, json, identity } => {
            call(app, config, &action, &json, identity.unwrap_or_default()).await
        }
        Command::Jobs { step } => {
            let step = step.unwrap_or(JobsStep::List { queue: None, action: None, limit: 50 });
            look(app, config, async |services| operate::jobs(services, step).await).await
        }
        Command::Schedules => look(app, config, async |services| operate::schedules(services).await).await,
        Command::Runs { step: Some(RunsStep::Show { id }), .. } => {
            look(app, config, async |services| runs::show(services, id).await).await
        }
        Command::Runs { step: None, action, failed, limit } => {
            look(app, config, async |services| runs::list(services, action.as_deref(), failed, limit).await).await
        }
        #[cfg(feature = "mcp")]
        Command::Mcp { identity } => mcp(app, config, identity.unwrap_or_default()).await,
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    Arguments::from_arg_matches(&Arguments::command().try_get_matches_from(arguments)?)
}

pub(super) fn usage(text: &str) -> Error {
    Error::new(400, "usage", text.trim_end().trim_start_matches("error: ").to_owned())
}

/// What configures the application, in the environment that nothing but its surroundings ask for.
fn configured(app: &App, arguments: &Arguments) -> Loader {
    let mut loader =
        app.settings.iter().fold(Loader::new().from_process(), |loader, (key, value)| loader.set(key, value.clone()));
    if let Some(file) = &arguments.config {
        loader = loader.path(file);
    }
    let worker = matches!(arguments.command, Some(Command::Worker)).then(|| "worker".to_owned());
    let roles = arguments.roles.clone().or(worker);
    for (flag, key, value) in [
        ("--host", "http.host", &arguments.host),
        ("--port", "http.port", &arguments.port),
        ("--roles", "app.roles", &roles),
    ] {
        if let Some(value) = value {
            loader = loader.argument(flag, key, value.clone());
        }
    }
    loader
}

fn load(loader: Loader) -> Result<Config> {
    loader.load().map_err(|errors| Error::new(500, "configuration", errors.to_string()))
}

async fn serve(app: App, config: Config) -> Result<()> {
    logging::start(&config)?;
    let wired = Wired::new(app, config).await?;
    wired.prepare().await?;
    if wired.config.database.seed_on_start {
        wired.seeds.run(&wired.services.db, &[]).await?;
    }
    // Not waited for: a database that is away keeps no process from starting.
    tokio::spawn(logging::look_after());
    tokio::spawn(warn_if_crowded(wired.services.db.clone(), format!("{} ", wired.config.app.name)));
    let roles = Roles::of(&wired.config);
    let databases: Vec<Db> =
        wired.shards.iter().map(|(shard, _)| shard.db.clone()).chain([wired.services.db.clone()]).collect();
    let background = Background::start(&wired, roles).await?;
    let signals = Signals::listen();
    let Wired { table, admin, mounts, health, config, registry, telemetry, .. } = wired;
    let server = http::serve(Served { main: roles.http.then_some((table, mounts)), admin, health })?;
    print(&banner::text(&config, &registry, server.addresses(), server.admin_addresses()))?;
    signals.requested().await;
    // Readiness flips first, and nothing more is taken from the queue while requests that run may end.
    let (stopped, mut writer) = tokio::join!(server.stop(), background.stop());
    writer.stop().await;
    for db in databases {
        db.close().await;
    }
    telemetry.stop().await;
    tracing::info!("stopped");
    stopped
}

/// Says so when the database has no room for all connections that the instances may open. Not knowing is no reason not to start.
async fn warn_if_crowded(db: Db, name: String) {
    match db.crowded(&name).await {
        Ok(Some(crowded)) => tracing::warn!(
            instances = crowded.instances,
            room = crowded.room,
            "the instances may together open more connections than the database has: set `database.max_connections` to at most {}",
            crowded.fits
        ),
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, "the room for connections is not known"),
    }
}

async fn call(app: App, config: Config, action: &str, json: &str, identity: Identity) -> Result<()> {
    logging::start(&config)?;
    let text = if json == "-" { std::io::read_to_string(std::io::stdin())? } else { json.to_owned() };
    let input: Value = serde_json::from_str(&text).map_err(|error| {
        usage(&format!("the input is not JSON: {error}; write one object of all fields, such as '{{\"id\": 1}}'"))
    })?;
    let wired = Wired::new(app, config).await?;
    wired.prepare().await?;
    let mut writer = background::writer(&wired.services);
    let calls = Calls::of(&wired.services)?;
    let call = Invocation { identity, ..Invocation::fresh(&wired.services, Door::Call) };
    let answer = calls.call_by_name(&wired.services, action, call, input).await;
    writer.stop().await;
    wired.close().await;
    wired.telemetry.stop().await;
    match answer {
        Ok(value) => print(&(serde_json::to_string_pretty(&value)? + "\n")),
        Err(error) if error.fields().is_empty() => Err(error),
        Err(error) => Err(Error::new(error.status(), error.code().to_owned(), with_fields(&error))),
    }
}

/// Opens the application without serving it, and prints what a look at its tables answers.
async fn look(app: App, config: Config, f: impl AsyncFnOnce(&Services) -> Result<String>) -> Result<()> {
    logging::start(&config)?;
    let wired = Wired::new(app, config).await?;
    wired.prepare().await?;
    let text = f(&wired.services).await;
    wired.close().await;
    print(&text?)
}

#[cfg(feature = "mcp")]
async fn mcp(app: App, config: Config, identity: Identity) -> Result<()> {
    logging::start(&config)?;
    let wired = Wired::new(app, config).await?;
    wired.prepare().await?;
    let signals = Signals::listen();
    let mut writer = background::writer(&wired.services);
    let served = crate::mcp::serve_stdio(&wired.tools, identity, signals.requested()).await;
    writer.stop().await;
    wired.close().await;
    wired.telemetry.stop().await;
    served
}

/// Puts each text on a line of its own.
pub(super) fn lines(texts: impl Iterator<Item = String>) -> String {
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
