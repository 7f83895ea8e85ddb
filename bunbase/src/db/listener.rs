//! The one connection by which a process hears the wake-ups of others.

use std::{sync::Arc, time::Duration};

use sea_orm::sqlx::{self, Executor, postgres::PgListener};
use tokio::sync::watch;

use super::{
    Settings,
    notify::{CHANNEL, Topics},
    pool::open_postgres_session,
};
use crate::{Error, Result, clock::Clock};

/// How long nothing is heard before the connection is tested: one that was cut without a word stays silent.
const TEST_AFTER: Duration = Duration::from_secs(30);

/// How long the test may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The first and the longest wait before it connects again.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Hears notifications for ever and wakes who waits for them; leaves out those of `own`.
///
/// `heard` says whether it listens now. Everybody is woken when it begins to: nobody knows what was said before.
pub(super) async fn hear(
    settings: Settings,
    clock: Clock,
    own: String,
    topics: Arc<Topics>,
    heard: watch::Sender<bool>,
) {
    let mut wait = RECONNECT.0;
    loop {
        let Err(error) = listen(&settings, &clock, &own, &topics, &heard).await;
        if heard.send_replace(false) {
            wait = RECONNECT.0;
        }
        tracing::debug!(error = &error as &dyn std::error::Error, ?wait, "hears no wake-ups; connecting again");
        clock.sleep(wait).await;
        wait = (wait * 2).min(RECONNECT.1);
    }
}

async fn listen(
    settings: &Settings,
    clock: &Clock,
    own: &str,
    topics: &Topics,
    heard: &watch::Sender<bool>,
) -> Result<std::convert::Infallible> {
    let session = open_postgres_session(settings).await?;
    let mut listener = PgListener::connect_with(session.get_postgres_connection_pool()).await.map_err(lost)?;
    // It would wait for a close of the pool, which nobody else has.
    listener.ignore_pool_close_event(true);
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await.map_err(lost)?;
    heard.send_replace(true);
    topics.wake_all();
    loop {
        let next = tokio::select! {
            next = listener.try_recv() => next.map_err(lost)?,
            () = clock.sleep(TEST_AFTER) => {
                let test = tokio::time::timeout(TEST_TIMEOUT, listener.execute("SELECT 1")).await;
                test.map_err(Error::internal)?.map_err(lost)?;
                continue;
            }
        };
        let Some(notification) = next else {
            return Err(Error::internal("the connection was lost"));
        };
        match notification.payload().split_once(':') {
            Some((sender, _)) if sender == own => {}
            Some((_, topic)) if !topic.is_empty() => topics.wake(topic),
            _ => topics.wake_all(),
        }
    }
}

fn lost(source: sqlx::Error) -> Error {
    Error::internal(source)
}
