//! The level of the log, which may be changed while the process runs: by a signal, and at the endpoint for debugging.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::{EnvFilter, filter::LevelFilter, reload};

use crate::{Error, Result, config};

/// Libraries that tell at `info` what the framework's own lines tell, or at `debug` what no log may have.
const QUIET: [&str; 4] = ["actix_server", "rmcp", "sea_orm_migration", "sqlx"];

/// What the signal turns on.
#[cfg(unix)]
const LOUD: &str = "debug";

/// The filters of the process: one for it, as the log is.
static LEVELS: OnceLock<Levels> = OnceLock::new();

/// The filters of what is written and sent, by one level.
pub(super) struct Levels {
    configured: String,
    now: Mutex<String>,
    filters: Vec<Change>,
}

/// Gives one filter another level, which was checked; false where there is no such filter any more.
type Change = Box<dyn Fn(&str) -> bool + Send + Sync>;

impl Levels {
    /// Begins with a level that the configuration has checked.
    pub(super) fn new(level: &str) -> Self {
        Self { configured: level.to_owned(), now: Mutex::new(level.to_owned()), filters: Vec::new() }
    }

    /// Makes a filter that follows.
    pub(super) fn filter<S: 'static>(&mut self) -> reload::Layer<EnvFilter, S> {
        let (filter, handle) = reload::Layer::new(filter(&self.configured));
        self.filters.push(Box::new(move |level| handle.reload(self::filter(level)).is_ok()));
        filter
    }

    /// Makes these the filters of the process, unless there are some.
    pub(super) fn install(self) {
        let _ = LEVELS.set(self);
    }
}

/// Makes the filter of a level that was checked.
pub(super) fn filter(level: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    if !is_loud(level) {
        return filter;
    }
    QUIET.iter().filter(|target| !level.contains(*target)).fold(filter, |filter, target| {
        match format!("{target}=warn").parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    })
}

/// Returns whether libraries that no part of it names tell more than warnings; where they tell less, quieting them to warnings would be
/// the opposite.
fn is_loud(level: &str) -> bool {
    let of_all = level.split(',').filter_map(|part| part.trim().parse::<LevelFilter>().ok()).next_back();
    of_all.is_some_and(|level| level > LevelFilter::WARN)
}

/// Returns the level now, and the configured one; none where the application has a subscriber of its own.
pub(super) fn now() -> Option<(String, String)> {
    let levels = LEVELS.get()?;
    let now = levels.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Some((now, levels.configured.clone()))
}

/// Changes the level; an empty one is the configured one again. Returns the level.
///
/// # Errors
/// 422 when it is none; 409 when the application has a subscriber of its own.
pub(super) fn set(level: &str) -> Result<String> {
    let unknown = |problem: String| Error::new(422, "log_level", format!("the level {problem}"));
    let own = || Error::new(409, "log_level_fixed", "the application has a log of its own, whose level it decides");
    let levels = LEVELS.get().ok_or_else(own)?;
    let level = match level.trim() {
        "" => levels.configured.as_str(),
        level => level,
    };
    config::check_log_filter(level).map_err(unknown)?;
    EnvFilter::try_new(level).map_err(|error| unknown(format!("is no filter: {error}")))?;
    if !levels.filters.iter().all(|set| set(level)) {
        return Err(own());
    }
    level.clone_into(&mut levels.now.lock().unwrap_or_else(PoisonError::into_inner));
    tracing::warn!(target: "bunbase::log", level, "the level of the log was changed");
    Ok(level.to_owned())
}

/// Turns `debug` on at each SIGUSR1, and the configured level on again at the next.
#[cfg(unix)]
pub(super) async fn follow_signals() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut signals) = signal(SignalKind::user_defined1()) else { return };
    while signals.recv().await.is_some() {
        let Some((now, configured)) = now() else { return };
        let _ = set(if now == configured { LOUD } else { "" });
    }
}

#[cfg(not(unix))]
pub(super) async fn follow_signals() {}

#[cfg(test)]
mod tests {
    use tracing::{Level, enabled, subscriber::with_default};
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    /// What of a library that is quieted passes, and of one that is not.
    fn passes(level: &str) -> [bool; 4] {
        with_default(registry().with(filter(level)), || {
            [
                enabled!(target: "sqlx_core::pool", Level::WARN),
                enabled!(target: "sqlx_core::pool", Level::INFO),
                enabled!(target: "hyper", Level::WARN),
                enabled!(target: "hyper", Level::INFO),
            ]
        })
    }

    #[test]
    fn loud_libraries_tell_warnings_at_most_and_never_more_than_the_level_lets_through() {
        assert_eq!(passes("info"), [true, false, true, true]);
        assert_eq!(passes("warn"), [true, false, true, false]);
        for quiet in ["error", "off", "my_app=debug", "off,my_app=debug"] {
            assert_eq!(passes(quiet), [false; 4], "{quiet}");
        }
        assert_eq!(passes("my_app=trace,debug"), [true, false, true, true]);
        assert_eq!(passes("info,sqlx=info"), [true; 4], "who asks for them gets them");
    }
}
