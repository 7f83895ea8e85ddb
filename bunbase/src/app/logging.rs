//! Where `tracing` events go: to standard error, and to the records of the runs that they happen in.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::{Config, LogFormat},
    runs::RunLog,
};

/// Sends the log to standard error, in the configured form, and to the records of runs. A subscriber that the application has set
/// stays.
pub(super) fn start(config: &Config) {
    let base = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.log.format {
        LogFormat::Pretty => base.with_target(false).compact().boxed(),
        LogFormat::Json => base.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let lines = lines.with_filter(filter(&config.log.level));
    // It fails only when there is a subscriber already.
    let _ = if keeps_runs(config) {
        let runs = RunLog::new().with_filter(filter(&config.persistence.log_level));
        tracing_subscriber::registry().with(lines).with(runs).try_init()
    } else {
        tracing_subscriber::registry().with(lines).try_init()
    };
}

/// Returns whether what runs log is recorded.
pub(super) fn keeps_runs(config: &Config) -> bool {
    config.persistence.enabled && !config.persistence.log_level.trim().eq_ignore_ascii_case("off")
}

/// Libraries that tell at `info` what the framework's own lines tell, or at `debug` what no log may have.
const QUIET: [&str; 4] = ["actix_server", "rmcp", "sea_orm_migration", "sqlx"];

/// Makes the filter of `log.level`, which the configuration has checked.
fn filter(level: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    QUIET.iter().filter(|target| !level.contains(*target)).fold(filter, |filter, target| {
        match format!("{target}=warn").parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    })
}
