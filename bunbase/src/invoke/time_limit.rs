//! How long a run may take.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::{Duration, Instant as StdInstant},
};

use tokio::{
    task::coop::{Unconstrained, unconstrained},
    time::{Instant, Sleep, sleep_until},
};

/// The time that a run has, for all of its parts together. Most parts are over at once: the timer is made by the first that has to wait.
pub struct TimeLimit {
    began: Instant,
    until: Option<Instant>,
    timer: Option<Pin<Box<Unconstrained<Sleep>>>>,
    has_kept: bool,
}

impl TimeLimit {
    /// Gives a run this long from then on; `None` is without limit.
    pub fn new(limit: Option<Duration>, began: StdInstant) -> Self {
        let began = Instant::from_std(began);
        // What is further away than the clock reaches never comes.
        Self { began, until: limit.and_then(|limit| began.checked_add(limit)), timer: None, has_kept: false }
    }

    /// Returns when the run began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Awaits a part of the run; `None` when the time is over. What could not end in time does not begin. Give a large part pinned: it is
    /// moved.
    pub async fn keep<T>(&mut self, part: impl Future<Output = T>) -> Option<T> {
        self.keep_polled(part, || false).await
    }

    /// As [`keep`](Self::keep). While `is_polled_again` says that it is polled again in any case, no timer has to see to that.
    pub async fn keep_polled<T>(
        &mut self,
        part: impl Future<Output = T>,
        is_polled_again: impl Fn() -> bool,
    ) -> Option<T> {
        let Some(until) = self.until else { return Some(part.await) };
        if std::mem::replace(&mut self.has_kept, true) && until <= Instant::now() {
            return None;
        }
        let mut part = pin!(part);
        poll_fn(|context| {
            if let Poll::Ready(value) = part.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            if is_polled_again() {
                return Poll::Pending;
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(unconstrained(sleep_until(until))));
            timer.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

impl fmt::Debug for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeLimit").field("until", &self.until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn what_comes_at_once_needs_no_timer() {
        let mut limit = TimeLimit::new(Some(Duration::ZERO), StdInstant::now());
        assert_eq!(limit.keep(async { 7 }).await, Some(7));
        assert!(limit.timer.is_none());
    }

    #[tokio::test]
    async fn all_parts_together_have_the_time() {
        let mut limit = TimeLimit::new(Some(SHORT), StdInstant::now());
        assert_eq!(limit.keep(pending::<()>()).await, None);
        let part = async { unreachable!("it could not end in time") };
        assert_eq!(limit.keep::<()>(part).await, None);
    }

    #[tokio::test]
    async fn a_part_that_never_lets_go_of_its_turn_is_stopped_as_well() {
        let mut limit = TimeLimit::new(Some(SHORT), StdInstant::now());
        let part = async {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            loop {
                // It always has something to receive, and uses its budget up.
                let _ = sender.send(());
                receiver.recv().await;
            }
        };
        assert_eq!(limit.keep::<()>(part).await, None);
    }

    #[tokio::test]
    async fn without_a_limit_it_takes_as_long_as_it_takes() {
        for limit in [None, Some(Duration::MAX)] {
            let mut limit = TimeLimit::new(limit, StdInstant::now());
            let part = async {
                tokio::time::sleep(SHORT).await;
                7
            };
            assert_eq!(limit.keep(part).await, Some(7));
        }
    }
}
