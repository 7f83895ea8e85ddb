//! How instances hear of what others emit, beside the database.

use std::{error::Error as _, fmt};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Events, listener};
use crate::{
    Result,
    service::{Patience, Signals},
};

/// Carries between the instances of an application that something was emitted, and the ids of what is broadcast. It may lose some: the
/// relay looks into the outbox by itself, and a broadcast is at most once.
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Has the other instances told, soon.
    fn tell(&self, broadcast: &[Uuid]);

    /// Takes what is told from now on as news, and returns how far it has come.
    ///
    /// # Errors
    /// 503 when it cannot be reached.
    fn begin(&self) -> BoxFuture<'_, Result<String>>;

    /// Waits for what other instances have told behind `position`, which it moves on.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn hear<'a>(&'a self, position: &'a mut String) -> BoxFuture<'a, Result<Vec<Uuid>>>;

    /// Tells what there is to tell, until that fails.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn send(&self) -> BoxFuture<'_, Result<()>>;
}

/// Tells and hears until it is to stop.
pub(super) async fn run(events: &Events, carrier: &dyn Carrier, signals: &Signals) {
    tokio::select! {
        () = signals.stopping() => {}
        () = tell(events, carrier) => {}
        () = hear(events, carrier, signals) => {}
    }
}

async fn tell(events: &Events, carrier: &dyn Carrier) {
    let mut patience = Patience::new();
    loop {
        match carrier.send().await {
            Ok(()) => patience.reset(),
            Err(error) => lost(events, &error, &mut patience).await,
        }
    }
}

async fn hear(events: &Events, carrier: &dyn Carrier, signals: &Signals) {
    let mut patience = Patience::new();
    let mut position = loop {
        match carrier.begin().await {
            Ok(position) => break position,
            Err(error) => lost(events, &error, &mut patience).await,
        }
    };
    signals.started();
    loop {
        match carrier.hear(&mut position).await {
            Ok(ids) => {
                patience.reset();
                events.emitted.notify_one();
                listener::publish(events, &ids).await;
            }
            Err(error) => lost(events, &error, &mut patience).await,
        }
    }
}

async fn lost(events: &Events, error: &crate::Error, patience: &mut Patience) {
    let wait = patience.wait();
    let cause = error.source().map(ToString::to_string);
    tracing::warn!(%error, cause, ?wait, "the other instances are not reached; broadcast events may be missed");
    events.clock.sleep(wait).await;
}
