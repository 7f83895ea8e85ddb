//! The signals that end a server.

/// Waits until the process is asked to stop: SIGTERM or SIGINT, Ctrl-C elsewhere. A second signal ends it at once.
pub(super) async fn requested() {
    one_signal().await;
    tracing::info!("stopping; requests that are running may end, a second signal stops at once");
    tokio::spawn(async {
        one_signal().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn one_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the system's default ends the process, which is what the signals ask for.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn one_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
