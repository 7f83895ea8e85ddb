//! The key-value store as one run sees it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Ctx, Inner, Shared};
use crate::{
    Result, db,
    kv::{Kv, Scope, Within},
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
        self.0.services.kv.scoped(self.0.clone())
    }
}

impl Scope for Inner {
    fn enter(&self, writes: bool, joins: bool) -> BoxFuture<'_, Result<Option<Arc<dyn Within>>>> {
        Box::pin(async move {
            if writes {
                self.db.refuse_beside_transaction("write to the key-value store before it or after it")?;
            }
            if !joins {
                return Ok(None);
            }
            Ok(self.db.joined(writes).await?.map(|shared| shared as Arc<dyn Within>))
        })
    }
}

impl Within for Shared {
    fn tx(&self) -> &db::Tx {
        self.tx()
    }
}
