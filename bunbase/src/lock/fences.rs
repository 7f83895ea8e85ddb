//! Where fencing tokens come from.

use crate::{
    Result,
    clock::Clock,
    db::{Db, DbBackend},
};

/// Fencing tokens: numbers that grow, drawn from the database.
#[derive(Clone, Debug)]
pub struct Fences {
    db: Db,
    clock: Clock,
}

/// Draws a token, unless somebody holds the lock `$1` in the database: while Redis was away.
const POSTGRES: &str = "SELECT nextval('lock_fences') WHERE NOT EXISTS (
    SELECT FROM locks WHERE name = $1 AND expires_at > statement_timestamp() + $2 * INTERVAL '1 microsecond')";

const SQLITE: &str = "UPDATE lock_fences SET last = last + 1
  WHERE NOT EXISTS (SELECT 1 FROM locks WHERE name = $1 AND expires_at > $2) RETURNING last";

impl Fences {
    /// Draws from a database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Draws the next token for a lock that is kept elsewhere. `None` while somebody holds it in the database.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn draw(&self, name: &str) -> Result<Option<u64>> {
        let drawn: Vec<(i64,)> = match self.db.backend() {
            DbBackend::Postgres => self.db.sql(POSTGRES).bind(name).bind(self.clock.offset_us()).columns().await?,
            _ => self.db.sql(SQLITE).bind(name).bind(self.clock.now()).columns().await?,
        };
        Ok(drawn.first().map(|(token,)| token.unsigned_abs()))
    }
}
