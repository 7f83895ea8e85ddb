//! Runs that shutdown waits for: their answers over time, and those whose client has left.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use actix_web::HttpResponse;
use futures_util::{Stream, future::LocalBoxFuture};
use tokio::sync::Notify;

use super::head::Head;

/// Counts the runs of a server, so that shutdown can wait for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    stopping: AtomicBool,
    closed: AtomicBool,
    running: AtomicUsize,
    ended: Notify,
}

impl InFlight {
    /// Counts a run until the guard is dropped.
    pub(crate) fn enter(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        Running(self.0.clone())
    }

    /// Returns how many runs there are.
    pub(crate) fn count(&self) -> usize {
        self.0.running.load(Ordering::Acquire)
    }

    /// Says that the server is about to stop: from now on each connection ends with its next answer.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// Says that the workers are about to end: from now on nothing can be handed to their runtimes.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// Waits until there is no run.
    pub(crate) async fn drained(&self) {
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            // Registered before looking: an end in between must wake us.
            ended.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// One counted run.
#[derive(Debug)]
pub(crate) struct Running(Arc<Counter>);

impl Running {
    /// Counts another part of the same run.
    pub(crate) fn another(&self) -> Self {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

/// An answer over time, which is part of its run: the run is counted until it ends, or its client has left.
pub(crate) struct Counted<S> {
    stream: S,
    _running: Running,
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, running: Running) -> Self {
        Self { stream, _running: running }
    }
}

impl<S: Stream + Unpin> Stream for Counted<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

/// The future of a request. Once its run says that it [goes on](Head::go_on), it is handed to the worker's runtime when it is dropped before
/// its end: the client has left.
pub(crate) struct Detached<'t> {
    work: Option<LocalBoxFuture<'static, HttpResponse>>,
    head: &'t Head,
    in_flight: &'t InFlight,
}

impl<'t> Detached<'t> {
    pub(crate) fn new(work: LocalBoxFuture<'static, HttpResponse>, head: &'t Head, in_flight: &'t InFlight) -> Self {
        Self { work: Some(work), head, in_flight }
    }
}

impl Future for Detached<'_> {
    type Output = HttpResponse;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<HttpResponse> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let poll = work.as_mut().poll(context);
        if self.head.is_polled_again.swap(false, Ordering::Relaxed) && poll.is_pending() {
            // What was promised to it. The body that is fed to it wakes the same task, so this costs nothing more; and a request that came
            // while another was being answered is called late, and polled once.
            context.waker().wake_by_ref();
        }
        if poll.is_ready() {
            self.work = None;
        }
        poll
    }
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if self.head.goes_on() && !self.in_flight.is_closed() {
            tracing::debug!(target: "bunbase::http", "the client left; its request runs to the end");
            actix_web::rt::spawn(work);
        }
    }
}
