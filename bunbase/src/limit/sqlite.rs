//! Rate limits on SQLite.

use futures_util::future::BoxFuture;

use super::{Rule, Taken, rule::State, store::LimitStore};
use crate::{
    Result,
    clock::Clock,
    db::{Db, Tx},
};

/// Counts in the table `rate_limits`, for all processes that share the file.
///
/// It looks before it counts: a call that is refused needs only a reader.
#[derive(Debug)]
pub struct Sqlite {
    db: Db,
    clock: Clock,
}

impl Sqlite {
    /// Counts in `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }
}

const LOOK: &str = "SELECT at, counts FROM rate_limits WHERE key = $1 ORDER BY key";

const KEEP: &str = "INSERT INTO rate_limits (key, at, counts, expires_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (key) DO UPDATE SET at = excluded.at, counts = excluded.counts, expires_at = excluded.expires_at";

const SWEEP: &str = "DELETE FROM rate_limits
  WHERE key IN (SELECT key FROM rate_limits WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

fn state(rows: Vec<(i64, String)>) -> Option<State> {
    let (at, counts) = rows.into_iter().next()?;
    Some(State { at, counts: State::counts(&counts)? })
}

impl LimitStore for Sqlite {
    fn take(&self, key: String, rule: Rule) -> BoxFuture<'_, Result<Taken>> {
        Box::pin(async move {
            let now_ms = self.clock.now().timestamp_millis();
            let mut seen = rule.at(state(self.db.sql(LOOK).bind(&*key).columns().await?), now_ms);
            if !rule.take(&mut seen) {
                return Ok(rule.taken(false, &seen, now_ms));
            }
            let count = async |tx: &Tx| {
                // The time once it is this transaction's turn.
                let now_ms = self.clock.now().timestamp_millis();
                let mut state = rule.at(state(tx.sql(LOOK).bind(&*key).columns().await?), now_ms);
                let is_allowed = rule.take(&mut state);
                let taken = rule.taken(is_allowed, &state, now_ms);
                if is_allowed {
                    let written = state.write();
                    let counts = written.split_once(':').map(|(_, counts)| counts).unwrap_or_default();
                    let statement = tx.sql(KEEP).bind(&*key).bind(state.at).bind(counts);
                    statement.bind(self.clock.after(rule.kept())).execute().await?;
                }
                Ok(taken)
            };
            self.db.transaction(count).await
        })
    }

    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { self.db.sql(SWEEP).bind(self.clock.now()).bind(i64::from(limit)).execute().await })
    }
}
