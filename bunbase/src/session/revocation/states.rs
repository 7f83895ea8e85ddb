//! The same in Redis, in front of the database: for instances that ask for every request.

use std::time::Duration;

use super::{SignOuts, Subject, keys_of};
use crate::{Result, kv::Kv, session::token::Claims};

/// How long Redis may say that nothing has ended. Longer than a sign-out needs to reach both; as long as it may take to be seen when
/// Redis was away just then.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// What Redis says of a session that has not ended, and of a user without an epoch.
const NONE: i64 = 0;

/// States of sessions and users in Redis. What is not there is asked of the database, so it may lose all it has.
#[derive(Clone, Debug)]
pub struct States(Kv);

impl States {
    /// Keeps them in a key-value store that several instances share.
    pub fn new(kv: &Kv) -> Self {
        Self(kv.internal("sessions"))
    }

    pub(super) async fn has_ended(&self, claims: &Claims, rows: &SignOuts) -> Result<bool> {
        let keys = keys_of(claims);
        let Ok(known) = self.0.get_many::<i64>(&keys).await else {
            // The database knows all of it.
            return rows.has_ended(claims).await;
        };
        if let [Some(session), Some(epoch)] = known[..] {
            return Ok(session != NONE || epoch > claims.epoch);
        }
        let (session, epoch) = rows.of(claims).await?;
        let [of_session, of_user] = &keys;
        for (key, state) in [(of_session, session.unwrap_or(NONE)), (of_user, epoch)] {
            // Only where there is nothing: a sign-out that came meanwhile says more.
            let _ = self.0.set_if_absent(key, &state, GOOD_FOR).await;
        }
        Ok(session.is_some() || epoch > claims.epoch)
    }

    /// Tells of something that the database has as ended.
    pub(super) async fn ended(&self, subject: &Subject, epoch: i64, lasts: Duration) {
        // Of two at once the later epoch stays, whichever comes first.
        let key = subject.key();
        let raised = self.0.update(&key, lasts, |known: Option<i64>| Some(known.unwrap_or(NONE).max(epoch)));
        if let Err(error) = raised.await {
            tracing::warn!(%error, "a sign-out is in the database and not in Redis: other instances may take five seconds to see it");
        }
    }
}
