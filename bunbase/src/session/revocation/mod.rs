//! What ends sessions before their time.
//!
//! A session that was ended is a row in the database until no token of it can be good any more: the truth, on which all instances
//! agree. A user has an epoch there; raising it ends every session that began under an older one. Rows are few: sign-outs of one
//! `session.lifetime`.
//!
//! How an instance learns of them is [`Revocation`](crate::config::Revocation). Eventually: each reads every two seconds what was added and keeps it in memory
//! ([`known`]); one that could not read for five seconds asks for every request, until it can. At once: it asks for every request, Redis where there is one ([`states`]), otherwise the database.

mod known;
mod rows;
mod states;

use std::time::{Duration, Instant};

use self::known::{Known, Verdict};
pub use self::{rows::SignOuts, states::States};
use super::{Revocation, SessionId, token::Claims};
use crate::{Result, clock::micros};

/// How often an instance reads what was ended elsewhere.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// How often an epoch is looked at that was raised at the moment which matters.
const MOST_LOOKS_AT_AN_EPOCH: usize = 3;

/// What the row of something ended is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Session(SessionId),
    User(User),
}

/// A user, of a tenant where there are some.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct User {
    pub(super) tenant: Option<String>,
    pub(super) id: String,
}

impl Subject {
    /// Returns its name in the table.
    fn key(&self) -> String {
        match self {
            Self::Session(id) => session_key(*id),
            Self::User(user) => user_key(user.tenant.as_deref(), &user.id),
        }
    }

    fn read(key: &str) -> Option<Self> {
        match key.split_at_checked(2)? {
            ("s:", id) => Some(Self::Session(SessionId(id.parse().ok()?))),
            ("u:", id) => Some(Self::User(User { tenant: None, id: id.to_owned() })),
            // The id of a tenant has no colon.
            ("t:", text) => {
                let (tenant, id) = text.split_once(':')?;
                Some(Self::User(User { tenant: Some(tenant.to_owned()), id: id.to_owned() }))
            }
            _ => None,
        }
    }
}

fn session_key(id: SessionId) -> String {
    format!("s:{id}")
}

fn user_key(tenant: Option<&str>, user: &str) -> String {
    tenant.map_or_else(|| format!("u:{user}"), |tenant| format!("t:{tenant}:{user}"))
}

fn keys_of(claims: &Claims) -> [String; 2] {
    [session_key(claims.session), user_key(claims.tenant.as_deref(), &claims.user)]
}

/// What ends sessions, as one instance sees it.
#[derive(Debug)]
pub(super) struct Ended {
    how: Revocation,
    rows: SignOuts,
    states: Option<States>,
    known: Known,
}

impl Ended {
    pub(super) fn new(how: Revocation, rows: SignOuts, states: Option<States>) -> Self {
        let known = Known::new(rows.clock().clone());
        Self { how, rows, states, known }
    }

    /// Returns whether the session of a token has ended.
    pub(super) async fn has(&self, claims: &Claims) -> Result<bool> {
        match self.how {
            Revocation::Off => Ok(false),
            Revocation::Immediate => match &self.states {
                Some(states) => states.has_ended(claims, &self.rows).await,
                None => self.rows.has_ended(claims).await,
            },
            Revocation::Eventual => match self.known.verdict(claims) {
                Verdict::Good => Ok(false),
                Verdict::Ended => Ok(true),
                Verdict::Ask => {
                    let has_ended = self.rows.has_ended(claims).await?;
                    self.known.heard(claims, has_ended);
                    Ok(has_ended)
                }
            },
        }
    }

    /// Returns whether the session of a token has ended, as the database knows it at this moment.
    pub(super) async fn has_surely(&self, claims: &Claims) -> Result<bool> {
        if self.how == Revocation::Off { Ok(false) } else { self.rows.has_ended(claims).await }
    }

    /// Returns the epoch of a user.
    pub(super) async fn epoch(&self, tenant: Option<&str>, user: &str) -> Result<i64> {
        if self.how == Revocation::Off { Ok(0) } else { Ok(self.rows.epoch(tenant, user).await?.0) }
    }

    /// Returns the epoch of a user; `None` where it was raised, beyond `known`, after `began`.
    ///
    /// An epoch is a time of the database, so the time of the database at `began` is what it is compared with: the time of now, less how
    /// long ago that was. It is known but for how long the answer was on its way. An epoch from that moment is asked about again.
    pub(super) async fn epoch_since(
        &self,
        tenant: Option<&str>,
        user: &str,
        began: Instant,
        known: i64,
    ) -> Result<Option<i64>> {
        if self.how == Revocation::Off {
            return Ok(Some(0));
        }
        let mut before = known;
        for _ in 0..MOST_LOOKS_AT_AN_EPOCH {
            let least = micros(began.elapsed());
            let (epoch, now) = self.rows.epoch(tenant, user).await?;
            // Rounded up: all of them are whole microseconds.
            let most = micros(began.elapsed()) + 1;
            before = before.max(now - most);
            if epoch <= before {
                return Ok(Some(epoch));
            }
            if epoch > now - least {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Ends a session, or all of a user's, and returns the epoch of what was ended. Nothing of it can be good after `lasts`.
    pub(super) async fn end(&self, subject: Subject, lasts: Duration) -> Result<i64> {
        if self.how == Revocation::Off {
            return Ok(0);
        }
        let row = self.rows.end(&subject, lasts).await?;
        if let Some(states) = &self.states {
            states.ended(&subject, row.epoch, lasts).await;
        }
        let epoch = row.epoch;
        self.known.add(row);
        Ok(epoch)
    }

    /// Reads what was ended elsewhere since it was last read.
    pub(super) async fn look(&self) -> Result<()> {
        if self.how == Revocation::Eventual {
            let began = self.rows.clock().now();
            let rows = self.rows.since(self.known.since(), known::MOST + 1).await?;
            self.known.take(rows, began);
        }
        Ok(())
    }

    pub(super) fn how(&self) -> Revocation {
        self.how
    }

    pub(super) async fn sweep(&self) -> Result<()> {
        self.rows.sweep().await
    }
}
