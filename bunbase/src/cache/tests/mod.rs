//! The room as a whole, on every backend.

mod loading;
#[cfg(feature = "redis")]
mod losing_redis;
mod tags;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{Cache, Settings};
use crate::{
    clock::Clock,
    kv::{self, Kv, tests::each},
};

const MINUTE: Duration = Duration::from_mins(1);

/// Two instances of one application on each backend; in memory both are of one process.
async fn instances() -> Vec<(kv::tests::Place, Cache, Cache)> {
    let mut all = Vec::new();
    for place in each().await {
        let other = place.another().await;
        let (one, other) = (cache(&place.kv, &place.clock), cache(&other, &place.clock));
        all.push((place, one, other));
    }
    all
}

/// Goes on with a load until it has begun, which it says, and leaves it there.
async fn begun<T>(loading: &mut (impl Future<Output = T> + Unpin), began: &Notify, place: &kv::tests::Place) {
    tokio::select! {
        _ = loading => panic!("{}: it is over before it was let go", place.name),
        () = began.notified() => {}
    }
}

fn cache(kv: &Kv, clock: &Clock) -> Cache {
    Cache::new(kv, clock.clone(), Settings { load_lease: Duration::from_secs(3), ..Settings::default() })
}

/// Returns a cache in memory.
fn in_memory(clock: &Clock) -> Cache {
    cache(&Kv::new(Arc::new(kv::Memory::new(clock.clone(), 1 << 24)), kv::Settings::default()), clock)
}
