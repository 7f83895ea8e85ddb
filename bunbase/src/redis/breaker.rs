//! Whether it makes sense to ask Redis now, so that requests do not all wait for a server that is away.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::service::Patience;

/// Lets calls through while Redis answers. After a failure it lets one through now and then, at waits that double up to 10 s: a
/// circuit breaker. Source: M. Nygard, "Release It!", 2007.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    patience: Patience,
    /// Since when it is away, and when the next call may try.
    away: Option<(Instant, Instant)>,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a call may go through. One that tries after a failure has `attempt` for it; others do not wait for it.
    pub(super) fn lets_through(&self, attempt: Duration) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        match &mut state.away {
            None => true,
            Some((_, next)) if *next <= now => {
                *next = now + attempt;
                true
            }
            Some(_) => false,
        }
    }

    /// Notes that Redis has answered. Returns for how long it was away, if it was.
    pub(super) fn answered(&self) -> Option<Duration> {
        let mut state = self.state();
        let away = state.away.take()?;
        state.patience.reset();
        Some(away.0.elapsed())
    }

    /// Notes that Redis has not answered. Returns whether that is news.
    pub(super) fn failed(&self) -> bool {
        let mut state = self.state();
        let (wait, now) = (state.patience.wait(), Instant::now());
        let since = state.away.map(|(since, _)| since);
        state.away = Some((since.unwrap_or(now), now + wait));
        since.is_none()
    }

    /// Returns whether Redis is away, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.state().away.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_call_tries_and_the_others_do_not_wait() {
        let breaker = Breaker::default();
        assert!(breaker.lets_through(Duration::ZERO) && breaker.answered().is_none());
        assert!(breaker.failed() && !breaker.failed());
        assert!(!breaker.lets_through(Duration::from_secs(5)));
        breaker.state().away = Some((Instant::now(), Instant::now()));
        assert!(breaker.lets_through(Duration::from_secs(5)));
        assert!(!breaker.lets_through(Duration::from_secs(5)));
        assert!(breaker.answered().is_some() && !breaker.is_open());
        assert!(breaker.lets_through(Duration::ZERO));
    }
}
