//! Where `tracing` events go: to standard error, and to the records of the runs that they happen in.

use std::{io::IsTerminal, sync::OnceLock};

use tracing_subscriber::{Layer, Registry, filter::FilterExt, fmt, layer::SubscriberExt, util::SubscriberInitExt};

#[cfg(feature = "tokio-console")]
use super::console;
#[cfg(feature = "otlp")]
use super::telemetry;
use super::{
    levels::{self, Levels},
    log_line::JsonLine,
    repeats::Repeats,
};
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
/// 500 when it is to be sent to a collector, and cannot be, or tokio's console has no place.
#[cfg_attr(
    not(any(feature = "otlp", feature = "tokio-console")),
    expect(clippy::unnecessary_wraps, reason = "as with these features")
)]
pub(super) fn start(config: &Config) -> Result<()> {
    let (mut levels, repeats) = (Levels::new(&config.log.level), Repeats::new(config.log.repeat_limit));
    #[cfg(feature = "otlp")]
    let sent = exporting(config)?.map(|sent| sent.with_filter(levels.filter().and(repeats.clone())));
    #[cfg(not(feature = "otlp"))]
    let sent = None::<tracing_subscriber::layer::Identity>;
    let base = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.log.format {
        LogFormat::Pretty => base.with_target(false).compact().boxed(),
        LogFormat::Json => base.event_format(JsonLine).boxed(),
    };
    let lines = lines.with_filter(levels.filter().and(repeats.clone()));
    #[cfg(feature = "tokio-console")]
    let tasks = console::layer(config)?;
    #[cfg(not(feature = "tokio-console"))]
    let tasks = None::<tracing_subscriber::layer::Identity>;
    let runs = keeps_runs(config).then(|| RunLog::new().with_filter(levels::filter(&config.persistence.log_level)));
    // It fails only when there is a subscriber already, whose level is not ours.
    if tracing_subscriber::registry().with(lines).with(runs).with(sent).with(tasks).try_init().is_ok() {
        levels.install();
        let _ = REPEATS.set(repeats);
    }
    Ok(())
}

/// What sends the log to a collector, and for how long at the end: one for the process, as the log is.
#[cfg(feature = "otlp")]
static SENT: OnceLock<(LogExport, std::time::Duration)> = OnceLock::new();

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

/// What leaves out lines that repeat.
static REPEATS: OnceLock<Repeats> = OnceLock::new();

/// Follows signals that change the level, and tells of what was left out, as long as it is polled.
pub(super) async fn look_after() {
    let tell = async {
        match REPEATS.get() {
            Some(repeats) => repeats.clone().tell().await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(levels::follow_signals(), tell);
}

/// Sends the lines that are left. Those that come afterwards are not sent.
#[cfg_attr(not(feature = "otlp"), expect(clippy::unused_async, reason = "there are none"))]
pub(super) async fn stop() {
    if let Some(repeats) = REPEATS.get() {
        repeats.tell_now();
    }
    #[cfg(feature = "otlp")]
    if let Some((sent, patience)) = SENT.get() {
        telemetry::blocking(|| sent.stop(*patience)).await;
    }
}

/// Returns whether lines say which run they belong to.
pub(super) fn names_runs(config: &Config) -> bool {
    config.log.format == LogFormat::Json || config.log.otlp
}

/// Returns whether what runs log is recorded.
pub(super) fn keeps_runs(config: &Config) -> bool {
    config.persistence.enabled && !config.persistence.log_level.trim().eq_ignore_ascii_case("off")
}
