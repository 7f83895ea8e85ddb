//! The typed handle over a store.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    measure::Measures,
    store::{KvStore, Scope, Ttl},
};
use crate::{Error, Result, observe::Metrics};

/// The longest key, its namespace included: an index of Postgres takes no more than a third of a page.
const LONGEST_KEY_BYTES: usize = 1024;

/// The most keys of one operation.
const MOST_AT_ONCE: usize = 1000;

/// The most keys of one page of a list.
const LONGEST_LIST: u32 = 1000;

/// How many expired keys one statement deletes.
const SWEPT_AT_A_TIME: u32 = 1000;

/// How often [`Kv::update`] tries while others change the same key.
const UPDATE_ATTEMPTS: u32 = 100;

/// What a store takes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest value, as JSON text.
    pub max_value_bytes: usize,
}

impl Default for Settings {
    /// Values of 1 MiB.
    fn default() -> Self {
        Self { max_value_bytes: 1 << 20 }
    }
}

/// Values by their keys: what `ctx.kv()` answers. Cheap to clone.
///
/// A value is anything that serde writes as JSON, 1 MiB unless `kv.max_value_size` says more. A key is at most 1024 bytes with its
/// namespace. Every operation is atomic, for all instances that share the store. A `ttl` says how long a value is kept, from now;
/// `None` keeps it.
///
/// ```
/// # use bunbase::{clock::Clock, kv::{Kv, Memory, Settings}};
/// # use std::{sync::Arc, time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bunbase::Result<()> {
/// # let kv = Kv::new(Arc::new(Memory::new(Clock::system(), 1 << 20)), Settings::default());
/// let carts = kv.namespace("carts");
/// carts.set("7", &["apple", "pear"], Duration::from_secs(3600)).await?;
/// assert_eq!(carts.get::<Vec<String>>("7").await?.unwrap(), ["apple", "pear"]);
/// assert_eq!(kv.increment("visits", 1, None).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Kv {
    store: Arc<dyn KvStore>,
    scope: Option<Arc<dyn Scope>>,
    /// What all keys begin with: the namespace, and `:`, which no namespace has.
    prefix: Cow<'static, str>,
    settings: Settings,
    measures: Measures,
}

/// Some keys of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The keys, without their namespace.
    pub keys: Vec<String>,
    /// Where the list goes on; `None` at its end. There may be more although this page is short, or empty.
    pub next: Option<String>,
}

impl Kv {
    /// Returns the values of a store that are in no namespace.
    pub fn new(store: Arc<dyn KvStore>, settings: Settings) -> Self {
        Self { store, scope: None, prefix: Cow::Borrowed(":"), settings, measures: Measures::default() }
    }

    /// Has it measure what is asked of it.
    #[must_use]
    pub(crate) fn measured(self, metrics: &Metrics) -> Self {
        Self { measures: Measures::new(metrics), ..self }
    }

    /// Returns the same values as one run sees them: in the transaction that it is part of.
    #[must_use]
    pub fn scoped(&self, scope: Arc<dyn Scope>) -> Self {
        Self { scope: Some(scope), ..self.clone() }
    }

    /// Returns the values of a namespace: its keys are apart from those of all others. Within a namespace it is one inside that.
    ///
    /// # Panics
    /// When the name is empty, or has other characters than ASCII letters, digits, `.`, `-` and `_`.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Self {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        assert!(!name.is_empty() && name.chars().all(is_fine), "`{name}` is no name of a namespace");
        let outer = self.prefix.trim_end_matches(':');
        let prefix = if outer.is_empty() { format!("{name}:") } else { format!("{outer}/{name}:") };
        Self { prefix: prefix.into(), ..self.clone() }
    }

    /// Returns the values of a namespace that the framework keeps for itself: an application cannot name it.
    #[must_use]
    pub(crate) fn internal(&self, name: &'static str) -> Self {
        Self { prefix: format!("~{name}:").into(), ..self.clone() }
    }

    /// Returns the values of a tenant: apart from those of all others, and from those that are nobody's.
    #[must_use]
    pub(crate) fn of_tenant(&self, tenant: &str) -> Self {
        Self { prefix: format!("~~{tenant}:").into(), ..self.clone() }
    }

    /// Returns a value; `None` where there is none.
    ///
    /// # Errors
    /// 500 when the value is not a `T`. 503 when the store is away.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let text = self.get_text(key).await?;
        text.map(|text| read(key, &text)).transpose()
    }

    /// Returns the values of keys, in their order. At most 1000.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<T>>> {
        let keys = self.keys(keys)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let texts = self.reading({
            let keys = keys.clone();
            move |store| store.get(keys)
        });
        let texts = texts.await?.into_iter().zip(&keys);
        texts.map(|(text, key)| text.map(|text| read(key, &text)).transpose()).collect()
    }

    /// Sets a value, whatever was there.
    ///
    /// # Errors
    /// 500 when the key or the value is too long. 500 `transaction_open` while a transaction of the run is open. 503 when the store
    /// is away.
    pub async fn set(&self, key: &str, value: &impl Serialize, ttl: impl Into<Option<Duration>>) -> Result<()> {
        let (entries, ttl) = (vec![(self.key(key)?, self.write(value)?)], ttl.into());
        self.writing(move |store| store.set(entries, ttl)).await
    }

    /// Sets many values at once, at most 1000. Of two with one key the last one holds.
    ///
    /// # Errors
    /// As [`set`](Self::set). Nothing is set then.
    pub async fn set_many(
        &self,
        entries: impl IntoIterator<Item = (impl AsRef<str>, impl Serialize)>,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<()> {
        let mut all = BTreeMap::new();
        for (key, value) in entries {
            all.insert(self.key(key.as_ref())?, self.write(&value)?);
        }
        too_many(all.len())?;
        let (entries, ttl): (Vec<_>, _) = (all.into_iter().collect(), ttl.into());
        if entries.is_empty() {
            return Ok(());
        }
        self.writing(move |store| store.set(entries, ttl)).await
    }

    /// Sets a value if there is none. Returns whether it did.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn set_if_absent(
        &self,
        key: &str,
        value: &impl Serialize,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<bool> {
        let value = self.write(value)?;
        self.swap_text(key, None, Some(value), ttl.into()).await
    }

    /// Sets a value if it is `expected`: if its JSON text is the same, so take types whose fields have an order. Returns whether it
    /// did.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn compare_and_set<T: Serialize>(
        &self,
        key: &str,
        expected: &T,
        value: &T,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<bool> {
        let (expected, value) = (self.write(expected)?, self.write(value)?);
        self.swap_text(key, Some(expected), Some(value), ttl.into()).await
    }

    /// Deletes a value if it is `expected`. Returns whether it did.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub async fn compare_and_delete(&self, key: &str, expected: &impl Serialize) -> Result<bool> {
        let expected = self.write(expected)?;
        self.swap_text(key, Some(expected), None, None).await
    }

    /// Changes a value by a function that gets it, `None` where there is none, and answers the new one, `None` to delete it. The
    /// function runs again when somebody else changed the value meanwhile. Returns what it answered last.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`set`](Self::set); 409 `kv_contended` when others changed it a hundred times meanwhile.
    pub async fn update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        ttl: impl Into<Option<Duration>>,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<T>> {
        let ttl = ttl.into();
        for _ in 0..UPDATE_ATTEMPTS {
            let old = self.get_text(key).await?;
            let new = change(old.as_deref().map(|text| read(key, text)).transpose()?);
            let text = new.as_ref().map(|new| self.write(new)).transpose()?;
            if self.swap_text(key, old, text, ttl).await? {
                return Ok(new);
            }
        }
        Err(Error::new(409, "kv_contended", "others keep changing this value; try again"))
    }

    /// Adds to a whole number and returns the sum. Where there is none it begins at zero and is kept for `ttl`; one that is there
    /// keeps its expiry, so that a window that is counted in has an end.
    ///
    /// # Errors
    /// 409 `kv_not_a_number` when the value is no whole number of 64 bits, or the sum would not be one; otherwise as
    /// [`set`](Self::set).
    pub async fn increment(&self, key: &str, by: i64, ttl: impl Into<Option<Duration>>) -> Result<i64> {
        let (key, ttl) = (self.key(key)?, ttl.into());
        self.writing(move |store| store.add(key, by, ttl)).await?.ok_or_else(|| {
            Error::new(409, "kv_not_a_number", "the value is no whole number of 64 bits, or the sum is none")
        })
    }

    /// Deletes a value. Returns whether there was one.
    ///
    /// # Errors
    /// 500 `transaction_open` while a transaction of the run is open. 503 when the store is away.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        Ok(self.delete_many([key]).await? == 1)
    }

    /// Deletes many values, at most 1000. Returns how many there were.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub async fn delete_many(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<u64> {
        let mut keys = self.keys(keys)?;
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(0);
        }
        self.writing(move |store| store.delete(keys)).await
    }

    /// Returns whether there is a value.
    ///
    /// # Errors
    /// 503 when the store is away.
    pub async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.ttl(key).await? != Ttl::Missing)
    }

    /// Says how long a value is kept.
    ///
    /// # Errors
    /// 503 when the store is away.
    pub async fn ttl(&self, key: &str) -> Result<Ttl> {
        let key = self.key(key)?;
        self.reading(move |store| store.ttl(key)).await
    }

    /// Sets how long a value is kept from now. Returns whether there is one.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub async fn expire(&self, key: &str, ttl: impl Into<Option<Duration>>) -> Result<bool> {
        let (key, ttl) = (self.key(key)?, ttl.into());
        self.writing(move |store| store.expire(key, ttl)).await
    }

    /// Lists keys of this namespace that begin with `prefix`, at most `limit` (1 to 1000) and about so many. `cursor` is
    /// [`Listing::next`] of the page before.
    ///
    /// A key that is there all the time is listed. In memory and in a database the keys are in the order of their bytes, and each
    /// comes once; Redis has no order, and may show a key twice when it grows meanwhile. There a list walks through all keys of the
    /// server, some at a time, so it is for maintenance and not for requests.
    ///
    /// # Errors
    /// 422 when the cursor is none of this list's. 503 when the store is away.
    pub async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Listing> {
        let prefix = format!("{}{prefix}", self.prefix);
        let cursor = cursor.map(str::to_owned);
        let limit = limit.clamp(1, LONGEST_LIST);
        let found = self.reading(move |store| store.list(prefix, cursor, limit)).await?;
        let keys = found.keys.iter().filter_map(|key| key.strip_prefix(&*self.prefix)).map(str::to_owned);
        Ok(Listing { keys: keys.collect(), next: found.next })
    }

    /// Deletes what has expired, some at a time. Returns how many.
    ///
    /// # Errors
    /// 503 when the store is away.
    pub async fn sweep(&self) -> Result<u64> {
        let mut all = 0;
        loop {
            let deleted = self.store.sweep(SWEPT_AT_A_TIME).await?;
            all += deleted;
            if deleted < u64::from(SWEPT_AT_A_TIME) {
                return Ok(all);
            }
        }
    }

    /// Returns where the values are.
    pub fn store(&self) -> &Arc<dyn KvStore> {
        &self.store
    }

    /// Returns whether a value is not too long.
    pub(crate) fn fits(&self, text: &str) -> bool {
        text.len() <= self.settings.max_value_bytes
    }

    /// Returns a value as it is kept.
    pub(crate) async fn get_text(&self, key: &str) -> Result<Option<String>> {
        let key = self.key(key)?;
        Ok(self.reading(move |store| store.get(vec![key])).await?.pop().flatten())
    }

    /// Exchanges a value as it is kept.
    pub(crate) async fn swap_text(
        &self,
        key: &str,
        expected: Option<String>,
        new: Option<String>,
        ttl: Option<Duration>,
    ) -> Result<bool> {
        let key = self.key(key)?;
        self.writing(move |store| store.swap(key, expected, new, ttl)).await
    }

    async fn reading<T>(&self, f: impl for<'s> FnOnce(&'s dyn KvStore) -> BoxFuture<'s, Result<T>>) -> Result<T> {
        self.within(false, f).await
    }

    async fn writing<T>(&self, f: impl for<'s> FnOnce(&'s dyn KvStore) -> BoxFuture<'s, Result<T>>) -> Result<T> {
        self.within(true, f).await
    }

    /// Does something in the transaction that it belongs to, if there is one.
    async fn within<T>(
        &self,
        writes: bool,
        f: impl for<'s> FnOnce(&'s dyn KvStore) -> BoxFuture<'s, Result<T>>,
    ) -> Result<T> {
        let held = match &self.scope {
            Some(scope) => scope.enter(writes, self.store.joins_transactions()).await?,
            None => None,
        };
        let result = match held.as_ref().and_then(|held| self.store.within(held.tx())) {
            Some(store) => f(&*store).await,
            None => f(&*self.store).await,
        };
        self.measures.ended(writes, result.is_ok());
        result
    }

    fn keys(&self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Vec<String>> {
        let keys: Vec<_> = keys.into_iter().map(|key| self.key(key.as_ref())).collect::<Result<_>>()?;
        too_many(keys.len())?;
        Ok(keys)
    }

    fn key(&self, key: &str) -> Result<String> {
        let whole = format!("{}{key}", self.prefix);
        if whole.len() > LONGEST_KEY_BYTES {
            let text =
                format!("a key has {} bytes with its namespace; at most {LONGEST_KEY_BYTES} are kept", whole.len());
            return Err(Error::internal(text));
        }
        if whole.contains('\0') {
            return Err(Error::internal("a key has the character U+0000, which Postgres cannot keep"));
        }
        Ok(whole)
    }

    fn write(&self, value: &impl Serialize) -> Result<String> {
        let text = serde_json::to_string(value)?;
        if text.len() > self.settings.max_value_bytes {
            let most = self.settings.max_value_bytes;
            let text = format!("a value has {} bytes; `kv.max_value_size` is {most}", text.len());
            return Err(Error::internal(text));
        }
        Ok(text)
    }
}

fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| {
        let text = format!("the value of `{key}` is not a `{}`: {source}", std::any::type_name::<T>());
        Error::internal(text)
    })
}

fn too_many(count: usize) -> Result<()> {
    if count > MOST_AT_ONCE {
        return Err(Error::internal(format!("{count} keys at once; at most {MOST_AT_ONCE} are taken")));
    }
    Ok(())
}

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv").field("store", &self.store).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
