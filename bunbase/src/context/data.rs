//! Key-value store, locks and cache as one run sees them.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::{Ctx, Inner, Shared, Tx};
use crate::{
    Error, Result,
    cache::{Cache, Uncommitted},
    db::{self, DbBackend},
    kv::{Kv, Scope, Within},
    lock::Acquire,
};

impl Ctx {
    /// Returns the key-value store: typed values by their keys, for all instances.
    ///
    /// It is no part of `ctx.transaction`: a write while a transaction of this run is open fails at once, so that a rollback never
    /// leaves one behind. Write before it or after it. Where the values are in the database, those of an `idempotent` action, and of
    /// one that `tx.call` runs, are part of its transaction; in Redis and in memory they are there at once.
    ///
    /// ```
    /// # use bunbase::prelude::*;
    /// # use std::time::Duration;
    /// /// Counts a visit.
    /// #[action(post = "/visits")]
    /// async fn visit(ctx: Ctx, page: String) -> Result<i64> {
    ///     ctx.kv().namespace("visits").increment(&page, 1, Duration::from_secs(86_400)).await
    /// }
    /// ```
    pub fn kv(&self) -> Kv {
        let kv = self.0.services().kv.scoped(self.0.clone());
        match self.tenant() {
            Some(tenant) => kv.of_tenant(tenant.as_str()),
            None => kv,
        }
    }

    /// Asks for a lock, which one of all instances holds at a time: `.await` waits for it, at most `lock.wait`. It is renewed at a
    /// third of `ttl` (at least 300 ms) and given back when it is dropped. See [`Lock`](crate::lock::Lock) for its fencing token
    /// and its loss.
    ///
    /// Take it before a transaction, and before the first write of an `idempotent` action: a lock is no part of one.
    ///
    /// ```
    /// # use bunbase::prelude::*;
    /// # use std::time::Duration;
    /// /// Settles the accounts, once at a time.
    /// #[action(post = "/settlements")]
    /// async fn settle(ctx: Ctx) -> Result<()> {
    ///     let lock = ctx.lock("settlement", Duration::from_secs(30)).await?;
    ///     let fence = lock.fence();
    ///     lock.run(async {
    ///         tracing::info!(fence, "settling");
    ///         Ok(())
    ///     })
    ///     .await
    /// }
    /// ```
    pub fn lock(&self, name: impl Into<String>, ttl: Duration) -> Acquire {
        let inner = &self.0;
        let refused = inner.db().refuse_beside_transaction("take the lock before it").err().or_else(|| {
            // It would wait for the writer, which this very run has.
            let waits = inner.services().db.backend() != DbBackend::Postgres && inner.db().is_part_of_one();
            let text = "this run has written in its transaction already: take the lock before the first write";
            waits.then(|| Error::new(500, "transaction_open", text).caused_by(text))
        });
        let name = match self.tenant() {
            Some(tenant) => format!("~{tenant}/{}", name.into()),
            None => name.into(),
        };
        inner.services().locks.acquire(name, ttl).refused(refused)
    }

    /// Returns the cache: what can be made again, loaded once at a time however many want it.
    ///
    /// While this run has written what is not committed, what it looks up is loaded and not kept: it may be undone. What it removes
    /// and invalidates then is so once that is committed; within `ctx.transaction` use [`Tx::invalidate`] and [`Tx::uncache`].
    ///
    /// ```
    /// # use bunbase::prelude::*;
    /// # use std::time::Duration;
    /// /// Counts the tasks of a project.
    /// #[action(get = "/projects/{project_id}/count")]
    /// async fn count(ctx: Ctx, project_id: i64) -> Result<i64> {
    ///     let cache = ctx.cache();
    ///     let entry = cache.entry(format!("count/{project_id}"), Duration::from_secs(60)).tags(["tasks"]);
    ///     let sql = "SELECT count(*) FROM task WHERE project_id = $1";
    ///     entry.get_or_load(async || ctx.sql(sql).bind(project_id).scalar().await).await
    /// }
    /// ```
    pub fn cache(&self) -> Cache {
        cache_of(self).scoped(self.0.clone())
    }
}

impl Tx {
    /// Invalidates all cached values that have one of these tags, once this transaction has committed and before its caller goes on.
    pub fn invalidate(&self, tags: impl IntoIterator<Item = impl Into<String>>) {
        let cache = cache_of(self.ctx());
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        self.shared().then(Box::pin(async move { report(cache.invalidate(tags).await) }));
    }

    /// Removes a cached value, once this transaction has committed and before its caller goes on.
    pub fn uncache(&self, key: impl Into<String>) {
        let (cache, key) = (cache_of(self.ctx()), key.into());
        self.shared().then(Box::pin(async move { report(cache.remove(&key).await) }));
    }
}

/// Returns the cache of a run's tenant, or the one that is nobody's.
fn cache_of(ctx: &Ctx) -> Cache {
    let cache = &ctx.inner().services().cache;
    match ctx.tenant() {
        Some(tenant) => cache.of_tenant(tenant.as_str()),
        None => cache.clone(),
    }
}

/// What is committed is committed: the caller is not told of a failure.
fn report(result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "cached values could not be invalidated after the commit; they are shown until they expire");
    }
}

impl Uncommitted for Inner {
    fn is_there(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move { Ok(self.db().is_open() || self.db().joined(false).await?.is_some()) })
    }

    fn then(&self, work: BoxFuture<'static, ()>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let instead = "invalidate through `tx.invalidate(…)` or `tx.uncache(…)`, not through `ctx`";
            self.db().refuse_beside_transaction(instead)?;
            match self.db().joined(false).await? {
                Some(shared) => shared.then(work),
                None => work.await,
            }
            Ok(())
        })
    }
}

impl Scope for Inner {
    fn enter(&self, writes: bool, joins: bool) -> BoxFuture<'_, Result<Option<Arc<dyn Within>>>> {
        Box::pin(async move {
            if writes {
                self.db().refuse_beside_transaction("write to the key-value store before it or after it")?;
            }
            if !joins {
                return Ok(None);
            }
            Ok(self.db().joined(writes).await?.map(|shared| shared as Arc<dyn Within>))
        })
    }
}

impl Within for Shared {
    fn tx(&self) -> &db::Tx {
        self.tx()
    }
}
