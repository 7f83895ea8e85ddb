//! Where `tracing` events go: to standard error, and to the records of the runs that they happen in.

use std::io::IsTerminal;
#[cfg(feature = "otlp")]
use std::{sync::OnceLock, time::Duration};

use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::log_line::JsonLine;
#[cfg(feature = "otlp")]
use super::telemetry;
#[cfg(feature = "otlp")]
use crate::observe::otlp::LogExport;
use crate::{
    Result,
    config::{Config, LogFormat},
    runs::RunLog,
};

/// Sends the log to standard error, in the configured form, and to the records of runs. A subscriber that the application has set
/// stays.
///
/// # Errors
/// 500 when it is to be sent to a collector, and cannot be.
pub(super) fn start(config: &Config) -> Result<()> {
    #[cfg(feature = "otlp")]
    let sent = exporting(config)?.map(|sent| sent.with_filter(filter(&config.log.level)));
    #[cfg(not(feature = "otlp"))]
    let sent = None::<tracing_subscriber::layer::Identity>;
    let base = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.log.format {
        LogFormat::Pretty => base.with_target(false).compact().boxed(),
        LogFormat::Json => base.event_format(JsonLine).boxed(),
    };
    let lines = lines.with_filter(filter(&config.log.level));
    let runs = keeps_runs(config).then(|| RunLog::new().with_filter(filter(&config.persistence.log_level)));
    // It fails only when there is a subscriber already.
    let _ = tracing_subscriber::registry().with(lines).with(runs).with(sent).try_init();
    Ok(())
}

/// What sends the log to a collector, and for how long at the end: one for the process, as the log is.
#[cfg(feature = "otlp")]
static SENT: OnceLock<(LogExport, Duration)> = OnceLock::new();

#[cfg(feature = "otlp")]
fn exporting(config: &Config) -> Result<Option<LogExport>> {
    if let Some(sent) = telemetry::logs(config)? {
        // A second one has no subscriber.
        let _ = SENT.set((sent, config.otlp.flush_timeout));
    }
    Ok(SENT.get().map(|(sent, _)| sent.clone()))
}

/// Returns what sends the log to a collector, if something does.
#[cfg(feature = "otlp")]
pub(super) fn exported() -> Option<&'static LogExport> {
    SENT.get().map(|(sent, _)| sent)
}

/// Sends the lines that are left. Those that come afterwards are not sent.
#[cfg(feature = "otlp")]
pub(super) async fn stop() {
    if let Some((sent, patience)) = SENT.get() {
        telemetry::blocking(|| sent.stop(*patience)).await;
    }
}

/// Sends nothing.
#[cfg(not(feature = "otlp"))]
pub(super) fn stop() -> std::future::Ready<()> {
    std::future::ready(())
}

/// Returns whether lines say which run they belong to.
pub(super) fn names_runs(config: &Config) -> bool {
    config.log.format == LogFormat::Json || config.log.otlp
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
