//! The signals that end a server.

/// What hears that the process is asked to stop: SIGTERM or SIGINT, Ctrl-C elsewhere.
pub(super) struct Signals(#[cfg(unix)] Option<[tokio::signal::unix::Signal; 2]>);

impl Signals {
    /// Listens from now on: before anybody can be told that the process is there, since a signal that nobody listens for ends it.
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let all = signal(SignalKind::terminate()).and_then(|one| Ok([one, signal(SignalKind::interrupt())?]));
        // Without handlers the system's default ends the process, which is what the signals ask for.
        Self(all.ok())
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self()
    }

    /// Waits until the process is asked to stop. A second signal ends it at once.
    pub(super) async fn requested(mut self) {
        self.next().await;
        tracing::info!("stopping; requests that are running may end, a second signal stops at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let Some([terminate, interrupt]) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
