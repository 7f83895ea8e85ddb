//! One load at a time: in this process, and among all that share the store.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Cache,
    entry::{About, Claim, Entry},
    flight::{Ended, Joined},
};
use crate::{Error, Result};

/// How long who waits for another instance does so before it looks again, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(200);

/// How often a value is written while its claim is renewed at the same moment.
const WRITES: u32 = 3;

/// How long a tag is kept at least. Losing it costs a load.
const TAG_TTL: Duration = Duration::from_hours(24);

/// What was said about a value.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) key: String,
    pub(super) ttl: Duration,
    pub(super) stale: Duration,
    pub(super) tags: Vec<String>,
}

/// What a load answered.
pub(super) struct Loaded {
    text: String,
    ttl: Duration,
}

impl Loaded {
    pub(super) fn of(value: &impl Serialize, ttl: Duration) -> Result<Self> {
        Ok(Self { text: serde_json::to_string(value)?, ttl })
    }
}

/// A key that this process loads.
pub(super) struct Claimed {
    by: Uuid,
    /// The tags as they are before the load.
    tags: Vec<(String, Uuid)>,
}

impl Cache {
    /// Returns whether this run has to read what is there now, and may not keep it.
    pub(super) async fn is_bypassed(&self) -> Result<bool> {
        match &self.run {
            Some(run) => run.is_there().await,
            None => Ok(false),
        }
    }

    /// Takes a store that is away for one that has nothing, where that is no error.
    pub(super) fn or_nothing<T>(&self, result: Result<Option<T>>) -> Result<Option<T>> {
        match result {
            Err(error) if self.inner.is_away(&error) => Ok(None),
            result => result,
        }
    }

    /// Returns a value, whoever loads it. `load` is taken when this call does.
    pub(super) async fn obtain<F: AsyncFnOnce() -> Result<Loaded>>(
        &self,
        terms: &Terms,
        load: &mut Option<F>,
    ) -> Result<Arc<str>> {
        if self.is_bypassed().await? {
            return Ok(call(load).await?.text.into());
        }
        let found = self.or_nothing(self.look(terms).await)?;
        self.measures.found(found.as_ref().map(|(_, is_stale)| *is_stale));
        match found {
            Some((text, false)) => return Ok(text.into()),
            Some((text, true)) => {
                // One of all loads it, the others show what there is.
                let Some(claim) = self.or_nothing(self.claim(terms).await)? else { return Ok(text.into()) };
                let Some(load) = load.take() else { return Ok(text.into()) };
                return match self.load_as(terms, &claim, load).await {
                    Ok(text) => Ok(text),
                    Err(error) => {
                        tracing::warn!(%error, key = terms.key, "a cached value could not be loaded again; the old one is shown");
                        Ok(text.into())
                    }
                };
            }
            None => {}
        }
        let flight = self.inner.flights.join(&terms.key);
        let mut news = flight.ended.subscribe();
        let _turn = tokio::select! {
            biased;
            ended = async { news.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone()) } => {
                return ended.as_ref().map_or_else(|| Err(Error::internal("nobody loads any more")), told);
            }
            turn = flight.turn.lock() => turn,
        };
        // The one before may have ended just as this one's turn came.
        let ended = flight.ended.borrow().clone();
        if let Some(ended) = ended {
            return told(&ended);
        }
        let outcome = self.lead(terms, load).await;
        end(&flight, outcome)
    }

    /// Loads for all who wait in this process, unless another instance does.
    async fn lead<F: AsyncFnOnce() -> Result<Loaded>>(&self, terms: &Terms, load: &mut Option<F>) -> Result<Arc<str>> {
        let mut pause = FIRST_LOOK;
        loop {
            let claimed = async {
                match self.look(terms).await? {
                    Some((text, _)) => Ok(Err(text)),
                    None => Ok(Ok(self.claim(terms).await?)),
                }
            };
            match claimed.await {
                Ok(Err(text)) => return Ok(text.into()),
                Ok(Ok(Some(claim))) => {
                    let Some(load) = load.take() else { return Err(Error::internal("a load began twice")) };
                    return self.load_as(terms, &claim, load).await;
                }
                // Another instance loads. When it goes away, what it left in the store expires.
                Ok(Ok(None)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 3 / 2).min(LAST_LOOK);
                }
                Err(error) if self.inner.is_away(&error) => return Ok(call(load).await?.text.into()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns what is kept, and whether it is stale.
    pub(super) async fn look(&self, terms: &Terms) -> Result<Option<(String, bool)>> {
        let Some(entry) = self.read(&terms.key).await? else { return Ok(None) };
        let now = self.inner.clock.now();
        let over = entry.about.fresh_until_us.unwrap_or(0).saturating_add(micros(terms.stale));
        let is_shown = entry.is_fresh(now) || now.timestamp_micros() < over;
        Ok(match entry.value() {
            Some(value) if is_shown && self.is_valid(&entry).await? => Some((value.to_owned(), !entry.is_fresh(now))),
            _ => None,
        })
    }

    async fn read(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.inner.entries.get_text(key).await?.and_then(Entry::read))
    }

    /// Returns whether the tags of an entry are still what they were.
    async fn is_valid(&self, entry: &Entry) -> Result<bool> {
        let (names, versions): (Vec<_>, Vec<_>) = entry.about.tags.iter().cloned().unzip();
        Ok(self.inner.versions(&names).await?.into_iter().eq(versions.into_iter().map(Some)))
    }

    /// Claims a key to load it. `None` where another has done so, or has just loaded it.
    pub(super) async fn claim(&self, terms: &Terms) -> Result<Option<Claimed>> {
        let inner = &self.inner;
        let kept = inner.entries.get_text(&terms.key).await?;
        let entry = kept.clone().and_then(Entry::read);
        let now = inner.clock.now();
        let (mut about, mut value, mut ttl) = (About::default(), String::new(), inner.settings.load_lease);
        if let Some(entry) = &entry {
            let is_valid = self.is_valid(entry).await?;
            match entry.value() {
                Some(_) if is_valid && (entry.is_fresh(now) || entry.is_claimed(now)) => return Ok(None),
                // It is shown until it is loaded again, or its time is up.
                Some(old) if is_valid => {
                    let over = entry.about.fresh_until_us.unwrap_or(0).saturating_add(micros(terms.stale));
                    let left = u64::try_from(over - now.timestamp_micros()).unwrap_or(0);
                    about = About { claim: None, ..entry.about.clone() };
                    value = old.to_owned();
                    ttl = ttl.max(Duration::from_micros(left));
                }
                Some(_) => {}
                // It expires when whoever loads is not heard of any more.
                None => return Ok(None),
            }
        }
        let tags = self.tags_now(terms).await?;
        let by = Uuid::new_v4();
        about.claim =
            Some(Claim { by, until_us: now.timestamp_micros().saturating_add(micros(inner.settings.load_lease)) });
        let text = Entry::write(&about, &value)?;
        let is_mine = inner.entries.swap_text(&terms.key, kept, Some(text), Some(ttl)).await?;
        Ok(is_mine.then_some(Claimed { by, tags }))
    }

    /// Returns the tags as they are now; one that is not there begins.
    async fn tags_now(&self, terms: &Terms) -> Result<Vec<(String, Uuid)>> {
        let kept = TAG_TTL.max(2 * (terms.ttl + terms.stale));
        let mut tags = Vec::with_capacity(terms.tags.len());
        for tag in &terms.tags {
            let mut version = Uuid::new_v4();
            if !self.inner.tags.set_if_absent(tag, &version, kept).await? {
                // Kept for as long as what has it. Gone in between: what is kept with this version is never valid.
                self.inner.tags.expire(tag, kept).await?;
                version = self.inner.tags.get(tag).await?.unwrap_or(version);
            }
            tags.push((tag.clone(), version));
        }
        Ok(tags)
    }

    /// Loads a key that is claimed, and keeps the value if the claim is still there then.
    pub(super) async fn load_as(
        &self,
        terms: &Terms,
        claimed: &Claimed,
        load: impl AsyncFnOnce() -> Result<Loaded>,
    ) -> Result<Arc<str>> {
        // Given up where this is dropped on the way.
        let given_up = GiveUp(Some((self.clone(), terms.key.clone(), claimed.by)));
        let loaded = {
            let renewing = self.renew(&terms.key, claimed.by);
            tokio::select! {
                biased;
                loaded = load() => loaded,
                never = renewing => match never {},
            }
        }?;
        let about = About {
            fresh_until_us: Some(self.inner.clock.now().timestamp_micros().saturating_add(micros(loaded.ttl))),
            tags: claimed.tags.clone(),
            claim: None,
        };
        match self.keep(terms, claimed.by, &about, &loaded).await {
            Ok(()) => {}
            Err(error) if self.inner.is_away(&error) => {}
            Err(error) => return Err(error),
        }
        given_up.done();
        Ok(loaded.text.into())
    }

    async fn keep(&self, terms: &Terms, by: Uuid, about: &About, loaded: &Loaded) -> Result<()> {
        let text = Entry::write(about, &loaded.text)?;
        if !self.inner.entries.fits(&text) {
            tracing::warn!(
                key = terms.key,
                bytes = text.len(),
                "a value is too large to be cached; see `kv.max_value_size`"
            );
            return self.give_up(&terms.key, by).await;
        }
        for _ in 0..WRITES {
            let Some(kept) = self.mine(&terms.key, by).await? else { return Ok(()) };
            let ttl = loaded.ttl + terms.stale;
            if self.inner.entries.swap_text(&terms.key, Some(kept.text), Some(text.clone()), Some(ttl)).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the entry if its claim is this one.
    async fn mine(&self, key: &str, by: Uuid) -> Result<Option<Entry>> {
        Ok(self.read(key).await?.filter(|entry| entry.about.claim.is_some_and(|claim| claim.by == by)))
    }

    /// Says now and then that the load is still going on.
    async fn renew(&self, key: &str, by: Uuid) -> std::convert::Infallible {
        let lease = self.inner.settings.load_lease;
        loop {
            self.inner.clock.sleep(lease / 3).await;
            // What fails is tried again in time; what is lost is not kept in the end.
            let Ok(Some(entry)) = self.mine(key, by).await else { continue };
            let until_us = self.inner.clock.now().timestamp_micros().saturating_add(micros(lease));
            let about = About { claim: Some(Claim { by, until_us }), ..entry.about.clone() };
            let Ok(text) = Entry::write(&about, entry.value().unwrap_or_default()) else { continue };
            // A value that is stale is not shown for longer than it may be.
            let left = match self.inner.entries.ttl(key).await {
                Ok(crate::kv::Ttl::Left(left)) if entry.value().is_some() => left.max(lease),
                _ => lease,
            };
            let _ = self.inner.entries.swap_text(key, Some(entry.text), Some(text), Some(left)).await;
        }
    }

    /// Takes the claim away, so that another may load.
    async fn give_up(&self, key: &str, by: Uuid) -> Result<()> {
        let Some(entry) = self.mine(key, by).await? else { return Ok(()) };
        let new = match entry.value() {
            // As it was: stale, and for the next one to load.
            Some(value) => Some(Entry::write(&About { claim: None, ..entry.about.clone() }, value)?),
            None => None,
        };
        let ttl = match self.inner.entries.ttl(key).await? {
            crate::kv::Ttl::Left(left) => Some(left),
            _ => Some(self.inner.settings.load_lease),
        };
        self.inner.entries.swap_text(key, Some(entry.text), new, ttl).await.map(drop)
    }
}

/// Gives a claim up when a load fails, panics, or is dropped.
struct GiveUp(Option<(Cache, String, Uuid)>);

impl GiveUp {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for GiveUp {
    fn drop(&mut self) {
        let (Some((cache, key, by)), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = cache.give_up(&key, by).await {
                tracing::debug!(%error, key, "a claim could not be given up; it ends by itself");
            }
        });
    }
}

async fn call<F: AsyncFnOnce() -> Result<Loaded>>(load: &mut Option<F>) -> Result<Loaded> {
    match load.take() {
        Some(load) => load().await,
        None => Err(Error::internal("a load began twice")),
    }
}

/// Tells those who wait, and returns what it tells.
fn end(flight: &Joined<'_>, outcome: Result<Arc<str>>) -> Result<Arc<str>> {
    match outcome {
        Ok(text) => {
            flight.end(Ended::Value(text.clone()));
            Ok(text)
        }
        Err(error) => {
            let error = Arc::new(error);
            flight.end(Ended::Failed(error.clone()));
            Err(Arc::try_unwrap(error).unwrap_or_else(|error| copy(&error)))
        }
    }
}

fn told(ended: &Ended) -> Result<Arc<str>> {
    match ended {
        Ended::Value(text) => Ok(text.clone()),
        Ended::Failed(error) => Err(copy(error)),
    }
}

/// Returns the error of a load for another one who waited for it.
fn copy(error: &Error) -> Error {
    let copy = Error::new(error.status(), error.code().to_owned(), error.detail().to_owned());
    let copy = copy.retry(error.retry_class()).with_fields(error.fields().to_vec());
    match std::error::Error::source(error) {
        Some(source) => copy.caused_by(format!("the load that this call waited for failed: {source}")),
        None => copy,
    }
}

fn micros(span: Duration) -> i64 {
    TimeDelta::from_std(span).ok().and_then(|span| span.num_microseconds()).unwrap_or(i64::MAX / 4)
}
