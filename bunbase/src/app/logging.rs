//! Where `tracing` events go.

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

use crate::config::{Config, LogFormat};

/// Sends the log to standard error, in the configured form. A subscriber that the application has set stays.
pub(super) fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let base = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails only when there is a subscriber already.
    let _ = match config.log.format {
        LogFormat::Pretty => base.with_target(false).compact().finish().try_init(),
        LogFormat::Json => base.json().flatten_event(true).with_current_span(false).finish().try_init(),
    };
}
