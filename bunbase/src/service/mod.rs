//! The life of what runs in the background: it starts, it says that it has started, and it stops.
//!
//! Here: [`Service`], the handle that the ticker, the relay and the listener have in common. Not here: what they do. May name:
//! nothing.

use std::{fmt, future::Future, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Returns what tells this process from others to people: host and process id.
pub(crate) fn process_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
    format!("{host}:{}", std::process::id())
}

/// Something that runs in the background, on the runtime that it was started on.
///
/// Dropping the handle stops it too, without waiting.
///
/// ```
/// # use bunbase::service::Service;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service = Service::start("example", |signals| async move {
///     signals.started();
///     signals.stopping().await;
/// });
/// service.started().await;
/// service.stop().await;
/// # }
/// ```
pub struct Service {
    name: &'static str,
    stop: CancellationToken,
    state: watch::Receiver<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Starting,
    Started,
    Ended,
}

/// What the service sees of its handle.
#[derive(Debug)]
pub struct Signals {
    stop: CancellationToken,
    state: watch::Sender<State>,
}

impl Service {
    /// Starts it. `run` says [`Signals::started`] once it is at work, and returns soon after [`Signals::stopping`].
    pub fn start<F>(name: &'static str, run: impl FnOnce(Signals) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (sender, state) = watch::channel(State::Starting);
        let running = run(Signals { stop: stop.clone(), state: sender.clone() });
        // Ended in any case, also by a panic: whoever waits for the end must not wait for ever.
        let ended = Ended(sender, name);
        let task = async move {
            let _ended = ended;
            running.await;
        };
        tokio::spawn(task.instrument(tracing::info_span!("service", name)));
        Self { name, stop, state }
    }

    /// Returns once it is at work, or has ended.
    pub async fn started(&self) {
        // Its task ends it before it lets go of the sender.
        let _ = self.state.clone().wait_for(|state| *state >= State::Started).await;
    }

    /// Returns whether it has ended.
    pub fn has_ended(&self) -> bool {
        *self.state.borrow() == State::Ended
    }

    /// Asks it to stop, and returns when it has. May be called again, also at the same time.
    pub async fn stop(&self) {
        self.stop.cancel();
        let _ = self.state.clone().wait_for(|state| *state == State::Ended).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = *self.state.borrow();
        f.debug_struct("Service").field("name", &self.name).field("state", &state).finish_non_exhaustive()
    }
}

impl Signals {
    /// Says that it is at work.
    pub fn started(&self) {
        self.state.send_if_modified(|state| {
            let was_starting = *state == State::Starting;
            if was_starting {
                *state = State::Started;
            }
            was_starting
        });
    }

    /// Waits until it is asked to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Returns whether it is asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// Tells of the end when it is dropped.
struct Ended(watch::Sender<State>, &'static str);

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(service = self.1, "a service panicked and runs no more");
        }
        self.0.send_replace(State::Ended);
    }
}

/// How long a service waits after each failure in a row, so that a database that is away is not asked all the time.
#[derive(Debug)]
pub struct Patience {
    next: Duration,
}

impl Patience {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);

    /// Returns a first wait of 100 ms.
    pub const fn new() -> Self {
        Self { next: Self::SHORTEST }
    }

    /// Returns how long to wait now; the next wait is twice as long, at most 10 s.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(Self::LONGEST);
        wait
    }

    /// Forgets the failures: something worked.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopping_twice_at_once_waits_for_the_end() {
        let service = Service::start("test", |signals| async move {
            signals.started();
            signals.stopping().await;
            tokio::task::yield_now().await;
        });
        service.started().await;
        assert!(!service.has_ended());
        tokio::join!(service.stop(), service.stop());
        assert!(service.has_ended());
        service.stop().await;
    }

    #[tokio::test]
    async fn a_panic_ends_it() {
        let service = Service::start("test", |signals| async move {
            let _signals = signals;
            tokio::task::yield_now().await;
            panic!("on purpose");
        });
        service.started().await;
        service.stop().await;
    }

    #[tokio::test]
    async fn dropping_the_handle_stops_it() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let service = Service::start("test", |signals| async move {
            signals.stopping().await;
            drop(alive);
        });
        drop(service);
        assert!(ended.await.is_err());
    }

    #[test]
    fn waits_double_up_to_ten_seconds() {
        let mut patience = Patience::new();
        let waits: Vec<_> = (0..9).map(|_| patience.wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        patience.reset();
        assert_eq!(patience.wait().as_millis(), 100);
    }
}
