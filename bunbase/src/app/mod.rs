//! Putting it together: the builder, the wiring, the command line. The one room that knows all the others.

pub(crate) mod background;
mod banner;
mod check;
mod cli;
#[cfg(feature = "tokio-console")]
mod console;
mod data;
mod database;
mod debug;
#[cfg(feature = "entity")]
mod entity;
mod health;
mod levels;
mod log_line;
mod logging;
mod metrics;
mod migrate;
mod operate;
mod pages;
mod repeats;
mod routes;
mod runs;
mod seed;
mod serving;
mod shards;
mod shutdown;
mod signing_in;
pub(crate) mod telemetry;
mod tenants;
#[cfg(feature = "mcp")]
mod tools;
mod wiring;

use std::{fmt, future::Future, path::PathBuf, sync::Arc};

use actix_web::web::ServiceConfig;
use sea_orm_migration::MigratorTrait;

pub(crate) use self::wiring::Wired;
use crate::{
    Result,
    clock::Clock,
    config::Value,
    context::State,
    db::{Tx, migrate::Plan, seed::Seeds},
    http::{HealthCheck, Mounts},
};

/// An application: everything that its binary linked in, and what is said here.
///
/// ```no_run
/// use bunbase::prelude::*;
///
/// #[bunbase::main]
/// async fn main() -> Result<()> {
///     App::new().run().await
/// }
/// ```
pub struct App {
    /// Configuration keys set from code.
    pub(crate) settings: Vec<(String, Value)>,
    pub(crate) state: State,
    pub(crate) migrations: Plan,
    pub(crate) seeds: Seeds,
    pub(crate) modules: Vec<&'static str>,
    pub(crate) mounts: Mounts,
    pub(crate) checks: Vec<(&'static str, HealthCheck)>,
    pub(crate) description: Option<String>,
    pub(crate) clock: Clock,
}

impl App {
    /// Starts an application with the defaults.
    pub fn new() -> Self {
        Self {
            settings: Vec::new(),
            state: State::default(),
            migrations: Plan::new(),
            seeds: Seeds::new(),
            modules: Vec::new(),
            mounts: Mounts::default(),
            checks: Vec::new(),
            description: None,
            clock: Clock::system(),
        }
    }

    /// Sets a configuration key from code, over the file and the environment; `"http.port"`, `8080`.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    /// Gives all actions a value of the application's own; they reach it by its type, `ctx.state::<T>()`.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Runs SeaORM migrations at start-up and by `migrate`.
    #[must_use]
    pub fn migrations<M: MigratorTrait>(mut self) -> Self {
        self.migrations = self.migrations.rust::<M>();
        self
    }

    /// Runs the plain SQL files of a folder as migrations, in the order of their names.
    #[must_use]
    pub fn sql_migrations(mut self, folder: impl Into<PathBuf>) -> Self {
        self.migrations = self.migrations.sql_dir(folder);
        self
    }

    /// Adds a seed that runs once, by `seed` or with `database.seed_on_start`: the rows that the application begins with. What it writes
    /// goes through the transaction that it is given, and is recorded with it under this name. Seeds run in the order of their names.
    ///
    /// ```no_run
    /// # use bunbase::prelude::*;
    /// # async fn example() -> Result<()> {
    /// let app = App::new().seed("0001_countries", async |tx| {
    ///     tx.sql("INSERT INTO country (code) VALUES ($1)").bind("DE").execute().await?;
    ///     Ok(())
    /// });
    /// # app.run().await
    /// # }
    /// ```
    #[must_use]
    pub fn seed<F, Fut>(mut self, name: &str, seed: F) -> Self
    where
        F: Fn(Arc<Tx>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.seeds = self.seeds.once(name, seed);
        self
    }

    /// As [`seed`](Self::seed), for one that runs each time: it has to bear that (`ON CONFLICT`).
    #[must_use]
    pub fn seed_repeatable<F, Fut>(mut self, name: &str, seed: F) -> Self
    where
        F: Fn(Arc<Tx>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.seeds = self.seeds.repeatable(name, seed);
        self
    }

    /// Adds the SQL files of a folder as seeds: `NAME.sql` runs once, `NAME.repeat.sql` each time.
    #[must_use]
    pub fn sql_seeds(mut self, folder: impl Into<PathBuf>) -> Self {
        self.seeds = self.seeds.sql_dir(folder);
        self
    }

    /// Names modules whose actions must be there, `bunbase::modules![billing, crate::tasks]`; needed for crates that no other
    /// code mentions, because the linker leaves those out.
    #[must_use]
    pub fn modules(mut self, modules: &[&'static str]) -> Self {
        self.modules.extend_from_slice(modules);
        self
    }

    /// Mounts services of actix-web beside the actions; they come first.
    #[must_use]
    pub fn configure(mut self, configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        self.mounts.configure(configure);
        self
    }

    /// Serves the files of a folder under a path.
    #[must_use]
    pub fn files(mut self, path: &str, folder: impl Into<PathBuf>) -> Self {
        self.mounts.files(path, folder);
        self
    }

    /// Adds a check to `/_health` and `/_health/ready`: an error makes the application not ready.
    #[must_use]
    pub fn health_check<F, Fut, E>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::result::Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let check: HealthCheck = Arc::new(move || {
            let answer = check();
            Box::pin(async move { answer.await.map(|()| None).map_err(|error| error.to_string()) })
        });
        self.checks.push((name, check));
        self
    }

    /// Says what the API is for, at the top of its document. Markdown.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Has it live by this clock; for tests, which move it.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Serves until the process is asked to stop, without looking at the command line.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn serve(self) -> Result<()> {
        Box::pin(cli::run(self, ["app".into(), "serve".into()])).await
    }

    /// Does what the command line says; without a command it serves. See `--help`.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, the actions, the migrations or the address, each with what to do.
    pub async fn run(self) -> Result<()> {
        Box::pin(cli::run(self, std::env::args_os())).await
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("modules", &self.modules).finish_non_exhaustive()
    }
}
