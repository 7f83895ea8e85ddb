//! Where `tracing` events go.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

use crate::config::{Config, LogFormat};

/// Sends the log to standard error, in the configured form. A subscriber that the application has set stays.
pub(super) fn start(config: &Config) {
    let base = fmt().with_env_filter(filter(&config.log.level)).with_writer(std::io::stderr);
    let base = base.with_ansi(std::io::stderr().is_terminal());
    // It fails only when there is a subscriber already.
    let _ = match config.log.format {
        LogFormat::Pretty => base.with_target(false).compact().finish().try_init(),
        LogFormat::Json => base.json().flatten_event(true).with_current_span(false).finish().try_init(),
    };
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
