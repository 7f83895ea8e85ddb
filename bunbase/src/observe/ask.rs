//! What others have to be asked for before metrics are read.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use super::Metrics;

/// For how long an answer is not asked for again, however often metrics are read; and at least so many times as long as it took.
const FRESH_FOR: Duration = Duration::from_secs(5);
const TIMES_AS_LONG: u32 = 20;

/// What somebody else knows, as they said it last: nothing before the first answer, and while there is none.
#[derive(Debug)]
pub(crate) struct Asked<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// Not before then is it asked for again.
    next: Option<Instant>,
    last: Option<T>,
}

impl<T: Send + 'static> Asked<T> {
    /// Asks whenever metrics are read, as seldom as is fit. `ask` answers `None` where nobody could be asked.
    pub(crate) fn before_reading<F>(metrics: &Metrics, ask: impl Fn() -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let asked = Arc::new(Self(Mutex::new(State { next: None, last: None })));
        let this = asked.clone();
        metrics.ask_first(move || {
            let asking = this.is_due().then(|| (this.clone(), ask()));
            async move {
                let Some((this, answer)) = asking else { return };
                // A task of its own: nobody waits for as long as it may take, and then the next one has the answer.
                let _ = tokio::spawn(async move {
                    let began = Instant::now();
                    let last = answer.await;
                    let wait = FRESH_FOR.max(began.elapsed() * TIMES_AS_LONG);
                    *this.lock() = State { next: Some(Instant::now() + wait), last };
                })
                .await;
            }
            .boxed()
        });
        asked
    }

    /// Reads the last answer.
    pub(crate) fn read<R: Default>(&self, read: impl FnOnce(&T) -> R) -> R {
        self.lock().last.as_ref().map(read).unwrap_or_default()
    }

    /// Returns whether it is time to ask, and takes it that this is done.
    fn is_due(&self) -> bool {
        let mut state = self.lock();
        let is_due = state.next.is_none_or(|next| next <= Instant::now());
        if is_due {
            // Until the answer says more; a task that panics is not tried again at once either.
            state.next = Some(Instant::now() + FRESH_FOR);
        }
        is_due
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
