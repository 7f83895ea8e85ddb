//! The application that `run` measures: one endpoint for each scenario, as a user would write it.
//!
//! `bunbase-benches server bench [KEY=VALUE…]`, which is configured as others are: `PORT`, `DATABASE_URL`, `REDIS_URL`, and `WORKERS` for its threads (1). The
//! address, the first thing that has `http://` in it, goes to standard output.

mod many;
mod passwords;
mod services;
mod tasks;
mod typed;

pub(crate) use self::{many::COUNT as MANY, passwords::PASSWORD};
use bunbase::{config::Value, prelude::*};

/// What sessions are signed with.
pub(crate) const SECRET: &str = "the secret of a benchmark, which is not secret";

/// What differs from the defaults of production.
const SETTINGS: [(&str, &str); 10] = [
    ("app.name", "bench"),
    ("app.version", "1.0.0"),
    ("http.host", "127.0.0.1"),
    // It is stopped when nobody asks it anything.
    ("http.shutdown_delay", "0s"),
    // What is measured can be seen without a token.
    ("openapi.access", "public"),
    ("metrics.access", "public"),
    ("health.access", "public"),
    // Cookies over HTTP.
    ("session.secure", "false"),
    ("log.format", "json"),
    ("app.secret", SECRET),
];

/// Serves until it is told to end.
pub(crate) fn serve(settings: &[&str]) -> crate::Result<()> {
    let workers = std::env::var("WORKERS").unwrap_or_else(|_| "1".to_owned());
    let text = |text: &str| Value::Text(text.to_owned());
    let mut app = App::new().description("What is measured.").config("http.workers", text(&workers));
    app = app.state(passwords::Known::default());
    if std::env::var_os("DATABASE_URL").is_none() {
        app = app.config("database.url", "sqlite::memory:");
    }
    if std::env::var_os("PORT").is_none() {
        app = app.config("http.port", 0);
    }
    let given = settings.iter().filter_map(|setting| setting.split_once('='));
    let app = SETTINGS.into_iter().chain(given).fold(app, |app, (key, value)| app.config(key, text(value)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    Ok(runtime.block_on(app.serve())?)
}
