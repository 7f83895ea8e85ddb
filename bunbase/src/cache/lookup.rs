//! One look at the cache, with all that can be said about it.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Cache,
    load::{Loaded, Terms},
};
use crate::{Error, Result};

/// A value that is looked up, and loaded when it is not there.
#[must_use = "it ends with `get_or_load`, `get_or_find` or `get_or_refresh`"]
pub struct Lookup<'c> {
    cache: &'c Cache,
    terms: Terms,
    negative: Duration,
}

impl<'c> Lookup<'c> {
    pub(super) fn new(cache: &'c Cache, key: String, ttl: Duration) -> Self {
        let terms = Terms { key, ttl, stale: Duration::ZERO, tags: Vec::new() };
        Self { cache, terms, negative: cache.inner.settings.negative_ttl }
    }

    /// For so long after its time a value is still shown while it is loaded again, and when that fails.
    pub fn stale(mut self, stale: Duration) -> Self {
        self.terms.stale = stale;
        self
    }

    /// Gives it tags, by which [`Cache::invalidate`] finds it.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let cache = self.cache;
        self.terms.tags.extend(tags.into_iter().map(|tag| cache.name(tag)));
        self.terms.tags.sort_unstable();
        self.terms.tags.dedup();
        self
    }

    /// Says how long [`get_or_find`](Self::get_or_find) remembers that there is nothing; `cache.negative_ttl` unless said.
    pub fn negative(mut self, ttl: Duration) -> Self {
        self.negative = ttl;
        self
    }

    /// Returns the value, or loads it and keeps it. Of those who find it stale one loads it, and the others get the stale one.
    ///
    /// While this run has written what is not committed, it loads and keeps nothing: what it reads may be undone.
    ///
    /// # Errors
    /// Those of `load`, for all who waited for it; nothing is kept then.
    pub async fn get_or_load<T: Serialize + DeserializeOwned>(
        self,
        load: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<T> {
        let ttl = self.terms.ttl;
        self.obtain(async || Loaded::of(&load().await?, ttl)).await
    }

    /// As [`get_or_load`](Self::get_or_load), for what may not be there: that is remembered too, for a shorter time.
    ///
    /// # Errors
    /// As there.
    pub async fn get_or_find<T: Serialize + DeserializeOwned>(
        self,
        find: impl AsyncFnOnce() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let (ttl, negative) = (self.terms.ttl, self.negative);
        self.obtain(async || {
            let found = find().await?;
            Loaded::of(&found, if found.is_some() { ttl } else { negative })
        })
        .await
    }

    /// As [`get_or_load`](Self::get_or_load), but nobody waits for a value that is stale: it is loaded again in the background. So
    /// what loads it owns what it uses: `let ctx = ctx.clone(); move || async move { … }`.
    ///
    /// # Errors
    /// As there.
    pub async fn get_or_refresh<T, F>(self, load: impl FnOnce() -> F + Send + 'static) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut load = Some(load);
        if !self.cache.is_bypassed().await?
            && let Some((text, stale)) = self.cache.or_nothing(self.cache.look(&self.terms).await)?
            && let Ok(value) = serde_json::from_str(&text)
        {
            self.cache.measures.found(Some(stale));
            if stale
                && let Some(load) = load.take()
                && let Some(claim) = self.cache.or_nothing(self.cache.claim(&self.terms).await)?
            {
                let (cache, terms) = (Cache { run: None, ..self.cache.clone() }, self.terms);
                let refresh = async move {
                    let load = async || Loaded::of(&load().await?, terms.ttl);
                    if let Err(error) = cache.load_as(&terms, &claim, load).await {
                        tracing::warn!(%error, key = terms.key, "a cached value could not be loaded again; it is shown until it is too old");
                    }
                };
                tokio::spawn(tracing::Instrument::in_current_span(refresh));
            }
            return Ok(value);
        }
        let Some(load) = load else { return Err(Error::internal("a load began twice")) };
        self.get_or_load(async || load().await).await
    }

    /// Claims the key, as one that then dies does.
    #[cfg(test)]
    pub(super) async fn claim(self) -> bool {
        matches!(self.cache.claim(&self.terms).await, Ok(Some(_)))
    }

    async fn obtain<T: DeserializeOwned>(self, load: impl AsyncFnOnce() -> Result<Loaded>) -> Result<T> {
        let mut load = Some(load);
        let text = self.cache.obtain(&self.terms, &mut load).await?;
        let source = match serde_json::from_str(&text) {
            Ok(value) => return Ok(value),
            Err(source) => source,
        };
        if load.is_none() {
            return Err(Error::internal(format!("what was loaded for `{}` cannot be read: {source}", self.terms.key)));
        }
        // It was kept by another version of the program, whose type was another.
        self.cache.inner.remove(&self.terms.key).await?;
        let text: Arc<str> = self.cache.obtain(&self.terms, &mut load).await?;
        Ok(serde_json::from_str(&text)?)
    }
}

impl fmt::Debug for Lookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("terms", &self.terms).finish_non_exhaustive()
    }
}
