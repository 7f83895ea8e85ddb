//! What issues tokens and checks them.

use std::{
    fmt,
    sync::{Arc, LazyLock, OnceLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{
    Grant, KeyRing, Revocation, SessionId, Settings, SignOuts,
    revocation::{Ended, LOOKS_EVERY, States, Subject, User},
    seen::Seen,
    token::Claims,
};
use crate::{
    Error, Result,
    clock::Clock,
    service::{Patience, Service},
};

type MakeKeys = dyn Fn() -> Result<KeyRing> + Send + Sync;

/// Sessions; cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    settings: Settings,
    clock: Clock,
    ended: Ended,
    /// Made when the first token is checked.
    seen: LazyLock<Seen>,
    /// Made when they are needed, because most applications have none to check, and in development that writes a file.
    keys: OnceLock<KeyRing>,
    make_keys: Box<MakeKeys>,
}

/// A token that was issued.
#[derive(Clone)]
pub struct Issued {
    /// The token, as a cookie or `Authorization: Bearer …` carries it. Who has it is signed in.
    pub token: String,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    pub(crate) claims: Arc<Claims>,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no token, or none that a key of now has signed.
    Invalid,
    /// Its time is over.
    Expired,
    /// Its session was ended.
    Ended,
}

impl Sessions {
    /// Keeps sessions. `keys` is called when the first token is issued or checked.
    pub fn new(
        settings: Settings,
        clock: Clock,
        rows: SignOuts,
        states: Option<States>,
        keys: impl Fn() -> Result<KeyRing> + Send + Sync + 'static,
    ) -> Self {
        let ended = Ended::new(settings.revocation, rows, states);
        let (seen, keys, make_keys) = (LazyLock::new(Seen::new as fn() -> _), OnceLock::new(), Box::new(keys));
        Self(Arc::new(Inner { settings, clock, ended, seen, keys, make_keys }))
    }

    /// Returns what sessions are like.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns the keys.
    ///
    /// # Errors
    /// 500 when there is no secret to make them of.
    pub fn keys(&self) -> Result<&KeyRing> {
        if let Some(keys) = self.0.keys.get() {
            return Ok(keys);
        }
        let keys = (self.0.make_keys)()?;
        Ok(self.0.keys.get_or_init(|| keys))
    }

    /// Begins a session.
    ///
    /// # Errors
    /// 500 when the grant is too long for a cookie, or there is no secret; 503 when the database is away.
    pub async fn begin(&self, grant: Grant) -> Result<Issued> {
        let now = self.now_ms();
        let epoch = self.0.ended.epoch(grant.tenant.as_deref(), &grant.user).await?;
        self.issue(grant, SessionId::random(), epoch, now, now)
    }

    /// Begins a session as [`begin`](Self::begin) does, for a sign-in that has been under way since `began`; `None` where all sessions of
    /// the user were ended meanwhile, beyond `known`, the epoch of a sign-out that the sign-in has made itself.
    pub(crate) async fn begin_since(&self, grant: Grant, began: Instant, known: i64) -> Result<Option<Issued>> {
        let now = self.now_ms();
        let epoch = self.0.ended.epoch_since(grant.tenant.as_deref(), &grant.user, began, known).await?;
        epoch.map(|epoch| self.issue(grant, SessionId::random(), epoch, now, now)).transpose()
    }

    /// Issues a token of another session in the place of one, which it ends: same sign-in, another grant. `None` where that one has ended
    /// already, also if this instance has not heard of it.
    ///
    /// # Errors
    /// As those of [`begin`](Self::begin); 500 when the grant is another user's.
    pub(crate) async fn replace(&self, old: &Claims, grant: Grant, proved: bool) -> Result<Option<Issued>> {
        if (&grant.user, &grant.tenant) != (&old.user, &old.tenant) {
            return Err(Error::internal("the session of one user is not changed into another's: sign that one in"));
        }
        if self.0.ended.has_surely(old).await? {
            return Ok(None);
        }
        let authenticated_at = if proved { self.now_ms() } else { old.authenticated_at };
        let issued = self.issue(grant, SessionId::random(), old.epoch, old.signed_in_at, authenticated_at)?;
        self.end(old.session).await?;
        Ok(Some(issued))
    }

    /// Issues a new token of the same session where that is due: `session.renew_after` has passed, and the session has time left.
    pub(crate) fn renewed(&self, old: &Claims) -> Result<Option<Issued>> {
        let settings = &self.0.settings;
        let ends_at = old.signed_in_at.saturating_add(millis(settings.lifetime));
        let is_due = self.now_ms() >= old.issued_at.saturating_add(millis(settings.renew_after));
        if !is_due || old.expires_at >= ends_at {
            return Ok(None);
        }
        self.issue(old.grant(), old.session, old.epoch, old.signed_in_at, old.authenticated_at).map(Some)
    }

    fn issue(
        &self,
        grant: Grant,
        session: SessionId,
        epoch: i64,
        signed_in_at: i64,
        authenticated_at: i64,
    ) -> Result<Issued> {
        if grant.user.is_empty() {
            return Err(Error::internal("a session is somebody's: the id of its user is empty"));
        }
        let settings = &self.0.settings;
        let issued_at = self.now_ms();
        let idle = issued_at.saturating_add(millis(settings.idle_timeout));
        let expires_at = idle.min(signed_in_at.saturating_add(millis(settings.lifetime)));
        let Grant { user, organisation, roles, permissions, claims: own, tenant } = grant;
        let claims = Claims {
            session,
            epoch,
            signed_in_at,
            authenticated_at,
            issued_at,
            expires_at,
            user,
            organisation,
            tenant,
            roles,
            permissions,
            own,
        };
        let token = claims.sign(self.keys()?)?;
        Ok(Issued { token, expires_at: at(expires_at), claims: Arc::new(claims) })
    }

    /// Checks a token.
    ///
    /// # Errors
    /// 503 when it has to be asked whether the session was ended, and nobody answers.
    pub async fn check(&self, token: &str) -> Result<std::result::Result<Arc<Claims>, Refused>> {
        let Some(claims) = self.verified(token)? else { return Ok(Err(Refused::Invalid)) };
        if self.now_ms() >= claims.expires_at {
            return Ok(Err(Refused::Expired));
        }
        if self.0.ended.has(&claims).await? {
            return Ok(Err(Refused::Ended));
        }
        Ok(Ok(claims))
    }

    /// Returns what a token says that one of the keys has signed.
    fn verified(&self, token: &str) -> Result<Option<Arc<Claims>>> {
        if let Some(claims) = self.0.seen.find(token) {
            return Ok(Some(claims));
        }
        let claims = Claims::verify(token, self.keys()?).map(Arc::new);
        if let Some(claims) = &claims {
            self.0.seen.remember(token, claims);
        }
        Ok(claims)
    }

    /// Ends a session, for every token of it.
    ///
    /// # Errors
    /// 503 when the database is away: then nothing has ended.
    pub async fn end(&self, session: SessionId) -> Result<()> {
        self.0.ended.end(Subject::Session(session), self.0.settings.lifetime).await.map(drop)
    }

    /// Ends all sessions of a user, of a tenant where they are one's, that began before now, everywhere. Returns the epoch that the user has
    /// from now on.
    ///
    /// # Errors
    /// 500 with `session.revocation = "off"`; 503 when the database is away: then nothing has ended.
    pub async fn end_all(&self, tenant: Option<&str>, user: &str) -> Result<i64> {
        if self.0.ended.how() == Revocation::Off {
            return Err(Error::internal("with `session.revocation = \"off\"` no session can be ended before its time"));
        }
        let user = User { tenant: tenant.map(str::to_owned), id: user.to_owned() };
        self.0.ended.end(Subject::User(user), self.0.settings.lifetime).await
    }

    /// Reads which sessions were ended elsewhere, every two seconds, until it is stopped.
    pub fn watch(&self) -> Service {
        let sessions = self.clone();
        Service::start("sign-outs", |signals| async move {
            let mut patience = Patience::new();
            loop {
                let wait = match sessions.look().await {
                    Ok(()) => {
                        signals.started();
                        patience.reset();
                        LOOKS_EVERY
                    }
                    Err(error) => {
                        let wait = patience.wait();
                        tracing::warn!(%error, ?wait, "which sessions were ended elsewhere is not known; looking again");
                        wait.min(LOOKS_EVERY)
                    }
                };
                tokio::select! {
                    () = signals.stopping() => return,
                    () = sessions.0.clock.sleep(wait) => {}
                }
            }
        })
    }

    /// Reads which sessions were ended elsewhere, once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn look(&self) -> Result<()> {
        self.0.ended.look().await
    }

    /// Deletes what can matter no more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self) -> Result<()> {
        self.0.ended.sweep().await
    }

    /// Returns how long a token is good for.
    pub(crate) fn left(&self, issued: &Issued) -> Duration {
        (issued.expires_at - self.0.clock.now()).to_std().unwrap_or_default()
    }

    fn now_ms(&self) -> i64 {
        self.0.clock.now().timestamp_millis()
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Returns a time of a token; the last that there is where there is none such.
pub(crate) fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
