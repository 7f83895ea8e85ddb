//! The listener: hears on Postgres of the events that other instances broadcast.

use std::{error::Error as _, time::Duration};

use futures_util::FutureExt;
use sea_orm::{
    DbBackend,
    sqlx::{
        self,
        postgres::{PgListener, PgNotification},
    },
};
use uuid::Uuid;

use super::{Events, carrier, postgres::CHANNEL};
use crate::{
    Result,
    service::{Patience, Service, Signals},
};

/// How often a connection on which nothing is heard is tested.
const TEST_EVERY: Duration = Duration::from_secs(30);
/// How long an answer to that may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How many notifications are read about at once.
const BATCH: usize = 500;

/// Hands the events that any instance broadcasts to the subscribers in this process. Over a connection of its own, because it
/// never lets go of it; it comes back by itself when that is lost, without what was broadcast meanwhile.
///
/// On SQLite there is nothing to hear: the process that emits an event tells its own subscribers. Where a [`Carrier`](super::Carrier)
/// is given, it tells and hears by that on both.
#[derive(Debug)]
pub struct Listener(Service);

impl Listener {
    /// Starts it. `url` is where to listen where that is neither the database's own address nor its direct one. Behind PgBouncer, which
    /// has no sessions to listen in, and without a direct way, it says so and hears nothing.
    pub fn start(events: Events, url: Option<String>) -> Self {
        Self(Service::start("listener", |signals| run(events, url, signals)))
    }

    /// Returns once it listens.
    pub async fn started(&self) {
        self.0.started().await;
    }

    /// Asks it to stop, and returns when it has. May be called again.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

async fn run(events: Events, url: Option<String>, signals: Signals) {
    if let Some(carrier) = events.carrier.clone() {
        return carrier::run(&events, &*carrier, &signals).await;
    }
    if events.db.backend() != DbBackend::Postgres || events.broadcast.is_empty() {
        signals.started();
        signals.stopping().await;
        return;
    }
    let Some(url) = url.or_else(|| events.db.settings().of_session().map(|settings| settings.url)) else {
        tracing::warn!(
            "broadcast events of other processes are not heard: PgBouncer has no session to listen in; set \
             `database.direct_url`"
        );
        signals.started();
        signals.stopping().await;
        return;
    };
    let mut patience = Patience::new();
    loop {
        let lost = tokio::select! {
            () = signals.stopping() => return,
            result = listen(&events, &url, &signals, &mut patience) => result.err(),
        };
        let wait = patience.wait();
        let error = lost.map(|error| error.to_string());
        tracing::warn!(error, ?wait, "the connection that listens is lost; broadcast events may be missed");
        tokio::select! {
            () = signals.stopping() => return,
            () = events.clock.sleep(wait) => {}
        }
    }
}

/// Listens until the connection is lost.
async fn listen(events: &Events, url: &str, signals: &Signals, patience: &mut Patience) -> sqlx::Result<()> {
    let mut listener = PgListener::connect(url).await?;
    // Whoever calls this connects again, and says so.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    patience.reset();
    signals.started();
    while let Some(first) = next(&mut listener, events).await? {
        let mut ids: Vec<Uuid> = first.payload().parse().into_iter().collect();
        // What has come already is read about together. After a loss that shows here the next wait connects again.
        while ids.len() < BATCH
            && let Some(Ok(Some(more))) = listener.try_recv().now_or_never()
        {
            ids.extend(more.payload().parse::<Uuid>());
        }
        publish(events, &ids).await;
    }
    Ok(())
}

/// Hands events that were heard of to the subscribers in this process.
pub(super) async fn publish(events: &Events, ids: &[Uuid]) {
    if !ids.is_empty()
        && let Err(error) = tell(events, ids).await
    {
        let cause = error.source().map(ToString::to_string);
        tracing::warn!(%error, cause, count = ids.len(), "events that were broadcast could not be read; they are missed");
    }
}

/// Waits for the next notification; `None` when the connection is lost.
async fn next(listener: &mut PgListener, events: &Events) -> sqlx::Result<Option<PgNotification>> {
    loop {
        tokio::select! {
            heard = listener.try_recv() => return heard,
            () = events.clock.sleep(TEST_EVERY) => {}
        }
        let test = sqlx::query("SELECT 1").execute(&mut *listener);
        tokio::time::timeout(TEST_TIMEOUT, test).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    }
}

/// Reads events and hands them on, in the order in which they were heard of.
async fn tell(events: &Events, ids: &[Uuid]) -> Result<()> {
    let mut found = events.outbox.by_ids(ids).await?;
    found.sort_by_key(|event| ids.iter().position(|id| *id == event.id));
    for event in found {
        events.broadcast.publish(event);
    }
    Ok(())
}
