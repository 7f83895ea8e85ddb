//! What the next requests of a caller are to see: how far the database had come when this one had written.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{Ctx, Request};
use crate::{
    Result,
    db::Position,
    seal::Sealer,
    session::{SameSite, Settings},
};

/// The header by which an answer says it, and the next request says it again.
pub(crate) const HEADER: &str = "bunbase-read-after";

/// The cookie that does the same for browsers.
const COOKIE: &str = "bunbase_read_after";

/// What a mark is sealed for.
const OWNER: &str = "bunbase.read_after";

/// How much longer than a replica may be behind a mark counts: it is looked at now and then, and the clocks of instances differ.
const SPARE: Duration = Duration::from_secs(10);

/// How long the database may take to say how far it has come.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes the marks of those that have written, and reads them. They are kept by the caller and nowhere else, so every instance that has
/// the same secret understands them.
pub(crate) struct ReadAfter {
    sealer: Arc<Sealer>,
    window: Duration,
    cookie: Settings,
}

impl ReadAfter {
    /// Marks count while replicas may be up to `max_lag` behind. The cookie is one of this host, or of `domain` where one is said.
    pub(crate) fn new(sealer: Arc<Sealer>, max_lag: Duration, secure: bool, same_site: SameSite, domain: &str) -> Self {
        let (cookie, attributes) = Settings::cookie_of(COOKIE, secure, same_site, domain);
        let window = max_lag.saturating_add(SPARE);
        Self { sealer, window, cookie: Settings { cookie, attributes, ..Settings::default() } }
    }

    /// Returns what a request is to see at least. What is forged, of another secret or too old says nothing.
    pub(crate) fn of(&self, request: &Request, now: DateTime<Utc>) -> Option<Position> {
        let cookie = request.cookie(&self.cookie.cookie);
        let marks = [request.header(HEADER), cookie.as_deref()];
        marks.into_iter().flatten().filter_map(|mark| self.open(mark, now)).max()
    }

    fn open(&self, mark: &str, now: DateTime<Utc>) -> Option<Position> {
        let bytes = self.sealer.open_bytes(OWNER, "", mark).ok()?;
        let (position, written_ms) = bytes.split_first_chunk()?;
        let written_ms = i64::from_be_bytes(written_ms.try_into().ok()?);
        let age_ms = now.timestamp_millis().abs_diff(written_ms);
        let counts = u128::from(age_ms) <= self.window.as_millis();
        counts.then(|| Position::new(u64::from_be_bytes(*position)))
    }

    /// Writes a mark.
    ///
    /// # Errors
    /// 500 when the system has no randomness.
    fn mark(&self, position: Position, now: DateTime<Utc>) -> Result<String> {
        let bytes = [position.get().to_be_bytes(), now.timestamp_millis().to_be_bytes()].concat();
        self.sealer.seal_bytes(OWNER, "", &bytes)
    }

    /// Returns the value of `Set-Cookie` for a mark.
    pub(crate) fn cookie(&self, mark: &str) -> String {
        self.cookie.set(mark, self.window)
    }
}

impl Ctx {
    /// Returns whether answers carry marks.
    pub(crate) fn marks_what_it_writes(&self) -> bool {
        self.inner().services.read_after.is_some()
    }

    /// Makes the mark for the answer, where the run has written, or the one whose answer is given again.
    pub(crate) async fn mark_written(&self, is_replayed: bool) {
        let inner = self.inner();
        let Some(read_after) = &inner.services.read_after else { return };
        let db = inner.db();
        if !db.has_written() && !is_replayed {
            return;
        }
        let position = match tokio::time::timeout(ASK_TIMEOUT, db.position()).await {
            Ok(Ok(position)) => position,
            // The primary answers as long as the mark counts.
            unknown => {
                let error = unknown.ok().and_then(Result::err).map(|error| error.to_string());
                tracing::debug!(error, "how far the database has come is not known");
                Position::NEVER
            }
        };
        match read_after.mark(position, self.now()) {
            // Set once: a run ends once.
            Ok(mark) => drop(inner.written.set(mark)),
            Err(error) => tracing::warn!(%error, "the answer does not say what its caller has written"),
        }
    }
}

impl fmt::Debug for ReadAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAfter").field("window", &self.window).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(secret: &str) -> ReadAfter {
        let sealer = Arc::new(Sealer::new([secret]).unwrap());
        ReadAfter::new(sealer, Duration::from_secs(5), true, SameSite::Lax, "")
    }

    #[test]
    fn a_mark_is_understood_by_whoever_has_the_secret_and_for_a_while() {
        let (one, other) = (of("a secret of thirty-two bytes, or more"), of("a secret of thirty-two bytes, or more"));
        let now = crate::context::now();
        let mark = one.mark(Position::new(7), now).unwrap();
        let after = |seconds: i64| other.open(&mark, now + chrono::TimeDelta::seconds(seconds));
        assert_eq!([after(0), after(15), after(-15)], [Some(Position::new(7)); 3], "clocks differ");
        assert_eq!([after(16), after(-16)], [None; 2]);
        let stranger = of("another secret of thirty-two bytes, or more");
        for forged in ["", "v1", "7", &mark[1..], &stranger.mark(Position::NEVER, now).unwrap()] {
            assert_eq!(other.open(forged, now), None, "{forged}");
        }
    }

    #[test]
    fn the_cookie_is_the_hosts_own_and_lasts_as_long_as_the_mark_counts() {
        let cookie = of("a secret of thirty-two bytes, or more").cookie("mark");
        assert_eq!(cookie, "__Host-bunbase_read_after=mark; Max-Age=15; Path=/; HttpOnly; Secure; SameSite=Lax");
    }
}
