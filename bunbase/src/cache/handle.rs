//! The handle that `ctx.cache()` answers.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Lookup, flight::Flights, measure::Measures};
use crate::{Error, Result, clock::Clock, kv::Kv, observe::Metrics};

/// How a cache behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long others leave a load to whoever began it and is not heard of any more; 10 s unless said. It is extended while that lives.
    pub load_lease: Duration,
    /// How long it is remembered that there is no value; 10 s unless said.
    pub negative_ttl: Duration,
    /// Whether everything is loaded, and nothing kept, while the store is away; otherwise that is an error.
    pub falls_back: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { load_lease: Duration::from_secs(10), negative_ttl: Duration::from_secs(10), falls_back: true }
    }
}

/// What a run knows of its transaction.
pub trait Uncommitted: Send + Sync {
    /// Returns whether the run has written what is not committed yet: what it loads may be undone.
    fn is_there(&self) -> BoxFuture<'_, Result<bool>>;

    /// Does something once what the run has written is committed; at once where there is nothing.
    ///
    /// # Errors
    /// 500 `transaction_open` where that cannot be known.
    fn then(&self, work: BoxFuture<'static, ()>) -> BoxFuture<'_, Result<()>>;
}

/// Values that can be made again: what `ctx.cache()` answers. Cheap to clone.
///
/// A key is loaded once at a time, however many want it: in this process, and among all instances that share the store. All keys of an
/// application are in one space, so begin them with what they are of: `"user/7"`.
///
/// ```
/// # use bunbase::{cache::{Cache, Settings}, clock::Clock, kv::{self, Kv, Memory}};
/// # use std::{sync::Arc, time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bunbase::Result<()> {
/// # let kv = Kv::new(Arc::new(Memory::new(Clock::system(), 1 << 20)), kv::Settings::default());
/// # let cache = Cache::new(&kv, Clock::system(), Settings::default());
/// const MINUTE: Duration = Duration::from_secs(60);
/// let rate: f64 = cache.get_or_load("rate/eur", MINUTE, async || Ok(1.08)).await?;
/// // It is kept, so nobody asks again.
/// let again = cache.get_or_load("rate/eur", MINUTE, async || Ok(9.99)).await?;
/// assert_eq!(rate, again);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cache {
    pub(super) inner: Arc<Inner>,
    pub(super) run: Option<Arc<dyn Uncommitted>>,
    /// What keys and tags begin with, where they are a tenant's.
    pub(super) prefix: Option<Arc<str>>,
    pub(super) measures: Measures,
}

pub(super) struct Inner {
    pub(super) entries: Kv,
    pub(super) tags: Kv,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) flights: Flights,
}

impl Cache {
    /// Keeps values in a store, apart from those of the application.
    pub fn new(kv: &Kv, clock: Clock, settings: Settings) -> Self {
        let (entries, tags) = (kv.internal("cache"), kv.internal("tag"));
        Self {
            inner: Arc::new(Inner { entries, tags, clock, settings, flights: Flights::default() }),
            run: None,
            prefix: None,
            measures: Measures::default(),
        }
    }

    /// Has it measure how often it has what is looked up.
    #[must_use]
    pub(crate) fn measured(self, metrics: &Metrics) -> Self {
        Self { measures: Measures::new(metrics), ..self }
    }

    /// Returns the same values as one run uses them: beside its transaction, not in it.
    #[must_use]
    pub fn scoped(&self, run: Arc<dyn Uncommitted>) -> Self {
        Self { run: Some(run), ..self.clone() }
    }

    /// Returns the values of a tenant: apart from those of all others, and from those that are nobody's.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Self {
        Self { prefix: Some(format!("~{tenant}/").into()), ..self.clone() }
    }

    /// Returns a key or a tag as it is kept.
    pub(super) fn name(&self, name: impl Into<String>) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}{}", name.into()),
            None => name.into(),
        }
    }

    /// Begins to look a value up, to say more than [`get_or_load`](Self::get_or_load) does: tags, how long it may be stale.
    pub fn entry(&self, key: impl Into<String>, ttl: Duration) -> Lookup<'_> {
        Lookup::new(self, self.name(key), ttl)
    }

    /// Returns a value, or loads it and keeps it for `ttl`.
    ///
    /// # Errors
    /// Those of `load`, for all who waited for it; nothing is kept then.
    pub async fn get_or_load<T: Serialize + DeserializeOwned>(
        &self,
        key: impl Into<String>,
        ttl: Duration,
        load: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<T> {
        self.entry(key, ttl).get_or_load(load).await
    }

    /// Removes a value. One that is being loaded is not kept either. In a transaction that is done once it has committed.
    ///
    /// # Errors
    /// 503 when the store is away, where that is an error: it may still have the value. 500 `transaction_open` while a transaction of
    /// this run is open: use `tx.uncache(…)`.
    pub async fn remove(&self, key: &str) -> Result<()> {
        let (inner, key) = (self.inner.clone(), self.name(key));
        self.after_commit(async move { inner.remove(&key).await }).await
    }

    /// Invalidates all values that have one of these tags. In a transaction that is done once it has committed.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub async fn invalidate(&self, tags: impl IntoIterator<Item = impl Into<String>>) -> Result<()> {
        let (inner, tags) = (self.inner.clone(), tags.into_iter().map(|tag| self.name(tag)).collect());
        self.after_commit(async move { inner.invalidate(tags).await }).await
    }

    async fn after_commit(&self, work: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
        let Some(run) = &self.run else { return work.await };
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = async move {
            let result = work.await;
            // Nobody listens after the commit: whoever asked has been answered.
            if let Err(Err(error)) = tell.send(result) {
                tracing::warn!(%error, "cached values could not be invalidated after the commit; they are shown until they expire");
            }
        };
        run.then(Box::pin(work)).await?;
        let mut told = told;
        told.try_recv().unwrap_or(Ok(()))
    }
}

impl Inner {
    pub(super) async fn remove(&self, key: &str) -> Result<()> {
        self.flights.forget(key);
        self.entries.delete(key).await.map(drop)
    }

    pub(super) async fn invalidate(&self, tags: Vec<String>) -> Result<()> {
        self.flights.forget_all();
        self.tags.delete_many(tags).await.map(drop)
    }

    /// Returns whether an error means that there is no cache for now, which is no reason to fail.
    pub(super) fn is_away(&self, error: &Error) -> bool {
        self.settings.falls_back && error.status() == 503
    }

    /// Returns what the tags are now, `None` for those that are not there.
    pub(super) async fn versions(&self, tags: &[String]) -> Result<Vec<Option<Uuid>>> {
        if tags.is_empty() { Ok(Vec::new()) } else { self.tags.get_many(tags).await }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("kv", &self.inner.entries).finish_non_exhaustive()
    }
}
