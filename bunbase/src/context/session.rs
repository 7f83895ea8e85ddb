//! The session behind a run: who is signed in, and to sign in and out.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{Ctx, Identity, Request, Who, request::bearer};
use crate::{
    Error, Result,
    error::{Retry, code},
    session::{Claims, Grant, Issued, Refused, SessionId, Sessions},
    tenant::TenantId,
};

/// The session of whoever sent the request, and what becomes of it. Runs that are called in process share their caller's.
#[derive(Debug)]
pub(crate) struct Held {
    /// When the first of the runs began.
    began: Instant,
    standing: Mutex<Option<Standing>>,
    cookie: Mutex<Option<Cookie>>,
    /// Whom the runs have signed out everywhere, and the epochs that came of it.
    raised: Mutex<Vec<(User, i64)>>,
}

/// A user by the tenant, if they are one's, and the application's own id.
type User = (Option<String>, String);

/// What a request shows of a session.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    Missing,
    Refused(Refused),
    SignedIn(Arc<Claims>),
}

/// The cookie that the answer is to carry.
#[derive(Debug)]
pub(crate) struct Cookie {
    pub(crate) value: String,
    /// Whether it is for a run that succeeds: nobody is signed in by one that fails.
    pub(crate) on_success: bool,
}

impl Held {
    /// That of a run that began then.
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, standing: Mutex::default(), cookie: Mutex::default(), raised: Mutex::default() }
    }

    /// Takes what the answer is to carry.
    pub(crate) fn take_cookie(&self, succeeded: bool) -> Option<String> {
        let cookie = self.cookie.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (succeeded || !cookie.on_success).then_some(cookie.value)
    }

    /// Returns the value that a cookie of this name has after this run, as far as the run says.
    fn coming_cookie(&self, name: &str) -> Option<String> {
        let cookie = self.cookie.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, rest) = cookie.as_ref()?.value.split_once('=')?;
        (known == name).then(|| rest.split(';').next().unwrap_or_default().to_owned())
    }

    /// Returns whether the answer depends on who is signed in.
    pub(crate) fn is_used(&self) -> bool {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn standing(&self) -> Option<Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stands(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }

    fn has_raised(&self, user: User, epoch: i64) {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).push((user, epoch));
    }

    /// Returns the epoch that these runs have given a user; 0 where they have not.
    fn raised(&self, tenant: Option<&str>, user: &str) -> i64 {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = raised.iter().filter(|((its, id), _)| its.as_deref() == tenant && id == user);
        of_user.map(|(_, epoch)| *epoch).max().unwrap_or_default()
    }

    fn answers(&self, value: String, on_success: bool) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some(Cookie { value, on_success });
    }
}

/// The session of whoever is behind this run. Made by [`Ctx::session`].
#[derive(Clone, Copy)]
pub struct Session<'c>(&'c Ctx);

impl Ctx {
    /// Returns the session of whoever sent the request: to sign in and out.
    ///
    /// ```
    /// use bunbase::{prelude::*, session::Grant};
    ///
    /// /// Signs somebody in who is known by a code.
    /// #[action(post = "/sign-in", status = 204)]
    /// async fn sign_in(ctx: Ctx, #[sensitive] code: String) -> Result<()> {
    ///     if code != "opensesame" {
    ///         return Err(bunbase::Error::unauthorized("that code is wrong"));
    ///     }
    ///     ctx.session().sign_in(Grant::user(7).role("keeper")).await?;
    ///     Ok(())
    /// }
    ///
    /// /// Signs out.
    /// #[action(post = "/sign-out", status = 204)]
    /// async fn sign_out(ctx: Ctx) -> Result<()> {
    ///     ctx.session().sign_out().await
    /// }
    /// ```
    pub fn session(&self) -> Session<'_> {
        Session(self)
    }

    /// Returns what is known of the session behind the request: runs that are called have their caller's.
    pub(crate) fn held(&self) -> &Held {
        &self.root().inner().session
    }

    /// Returns what the request shows of a session; checked once for the request.
    pub(crate) async fn standing(&self) -> Result<Standing> {
        let held = self.held();
        if let Some(standing) = held.standing() {
            return Ok(standing);
        }
        let standing = self.look_for_session().await?;
        held.stands(standing.clone());
        Ok(standing)
    }

    async fn look_for_session(&self) -> Result<Standing> {
        let Some(request) = self.request() else { return Ok(Standing::Missing) };
        let sessions = &self.inner().services.sessions;
        let bearer = request.header("authorization").and_then(bearer);
        let cookie = match bearer {
            // Whoever says who they are is not somebody else by a cookie.
            Some(_) => None,
            None => request.cookie(&sessions.settings().cookie),
        };
        let Some(token) = bearer.or(cookie.as_deref()).filter(|token| !token.is_empty()) else {
            return Ok(Standing::Missing);
        };
        let mut checked = sessions.check(token).await?;
        if let Ok(claims) = &checked
            && claims.tenant.is_some()
            && claims.tenant.as_deref() != self.tenant().map(TenantId::as_str)
        {
            // The users of one tenant are nobody at another.
            checked = Err(Refused::Invalid);
        }
        let held = self.held();
        match checked {
            Ok(claims) => {
                if cookie.is_some()
                    && let Some(issued) = sessions.renewed(&claims)?
                {
                    held.answers(sessions.settings().set(&issued.token, sessions.left(&issued)), false);
                }
                Ok(Standing::SignedIn(claims))
            }
            Err(refused) => {
                if cookie.is_some() {
                    // It is of no use any more.
                    held.answers(sessions.settings().clear(), false);
                }
                Ok(Standing::Refused(refused))
            }
        }
    }
}

impl<'c> Session<'c> {
    /// Signs somebody in: the answer sets the cookie, if the run succeeds, and the token that is returned does as
    /// `Authorization: Bearer …`. A session that the request came with is ended, so a token that somebody else knew before is worth nothing
    /// after. In a run of a tenant it is a session of the tenant's user, and good for runs of that tenant alone.
    ///
    /// An answer that is replayed by its idempotency key carries no cookie, and a tool's neither.
    ///
    /// # A password that is changed meanwhile
    /// A sign-in that is under way while all sessions of its user are [ended](Self::sign_out_everywhere) leaves none behind: it is refused
    /// where that was since this run began, or the run that called it, and what it issues ends where that is later. So nobody stays signed in by a
    /// password that was replaced, if the run itself reads the hash, from the primary (`ctx.db().primary()` where there are replicas),
    /// and whoever replaces it does so before `sign_out_everywhere`. What an earlier request has found right is to be looked at again.
    ///
    /// # Errors
    /// 401 `session_ended` when the user was signed out everywhere meanwhile, but by this run; 500 when what is granted is too long for a
    /// cookie, or there is no `app.secret`; 503 when the database is away.
    pub async fn sign_in(self, grant: Grant) -> Result<Issued> {
        let held = self.0.held();
        let grant = self.here(grant);
        let known = held.raised(grant.tenant.as_deref(), &grant.user);
        let Some(issued) = self.sessions().begin_since(grant, held.began, known).await? else {
            let detail = "the user was signed out everywhere while this sign-in was under way; sign in again";
            return Err(Error::new(401, code::SESSION_ENDED, detail).retry(Retry::Never));
        };
        self.end_old().await?;
        let (user, session) = (&issued.claims.user, issued.claims.session);
        let (client, trace_id) = (self.client(), self.0.trace_id());
        tracing::info!(target: "bunbase::session", user, %session, client, %trace_id, "signed in");
        Ok(self.stand(issued))
    }

    /// Changes what whoever is signed in may do, or the claims, for the same user: a new session takes the place of theirs, as after
    /// [`sign_in`](Self::sign_in), but for the time of their sign-in.
    ///
    /// # Errors
    /// 401 when nobody is signed in; otherwise as [`sign_in`](Self::sign_in).
    pub async fn change(self, grant: Grant) -> Result<Issued> {
        self.replace(Some(grant), false).await
    }

    /// Says that whoever is signed in has proved who they are again, just now, as by their password: what
    /// [`step_up`](crate::guard::step_up) asks for. A new session takes the place of theirs.
    ///
    /// # Errors
    /// As those of [`change`](Self::change).
    pub async fn prove(self) -> Result<Issued> {
        self.replace(None, true).await
    }

    /// Issues a token of the same session that is good for longer: for a client that sends it as `Authorization: Bearer …`. Cookies are
    /// renewed by themselves. `None` while that is not due (`session.renew_after`) and when the session has no time left.
    ///
    /// # Errors
    /// 401 when nobody is signed in.
    pub async fn renew(self) -> Result<Option<Issued>> {
        let claims = self.claims().await?;
        self.sessions().renewed(&claims)
    }

    /// Signs out: the session is ended for all its tokens, and the cookie taken away. Without a session it does nothing.
    ///
    /// # Errors
    /// 503 when the database is away: then nothing has ended.
    pub async fn sign_out(self) -> Result<()> {
        if let Some(claims) = self.end_old().await? {
            let (user, session, client, trace_id) = (&claims.user, claims.session, self.client(), self.0.trace_id());
            tracing::info!(target: "bunbase::session", user, %session, client, %trace_id, "signed out");
        }
        let held = self.0.held();
        held.stands(Standing::Missing);
        held.answers(self.sessions().settings().clear(), false);
        self.0.identify(Identity::Anonymous);
        Ok(())
    }

    /// Ends all sessions of a user, on all devices: after a change of their password, of their roles, or when they are locked out. Also
    /// this one, if it is theirs, and sign-ins that are under way. What was changed must have been committed before; an `idempotent` run commits
    /// at its end, so it cannot do both.
    ///
    /// # Errors
    /// 500 with `session.revocation = "off"`, and `transaction_open` while this run has something to commit; 503 when the database is away: then
    /// nothing has ended.
    pub async fn sign_out_everywhere(self, user: impl fmt::Display) -> Result<()> {
        self.refuse_before_commit()?;
        let user = user.to_string();
        let tenant = self.0.tenant().map(TenantId::as_str);
        let epoch = self.sessions().end_all(tenant, &user).await?;
        self.0.held().has_raised((tenant.map(str::to_owned), user.clone()), epoch);
        let (client, trace_id) = (self.client(), self.0.trace_id());
        tracing::info!(target: "bunbase::session", user, client, %trace_id, "signed out everywhere");
        match self.0.standing().await? {
            Standing::SignedIn(claims) if claims.user == user => self.sign_out().await,
            _ => Ok(()),
        }
    }

    /// Ends one session, as from a list of devices.
    ///
    /// # Errors
    /// 503 when the database is away: then nothing has ended.
    pub async fn end(self, session: SessionId) -> Result<()> {
        self.sessions().end(session).await
    }

    /// Returns the token that a page shows as `X-CSRF-Token` where its browser says by no header of its own what page a request comes from: one
    /// that is older than `Sec-Fetch-Site` and `Origin`. Good as long as the cookie that this answer leaves the browser with; `None` where there is
    /// none.
    ///
    /// # Errors
    /// 500 without `app.secret`.
    pub fn csrf_token(self) -> Result<Option<String>> {
        let name = &self.sessions().settings().cookie;
        let coming = self.0.held().coming_cookie(name);
        let sent = || self.0.request().and_then(|request| request.cookie(name)).map(Cow::into_owned);
        let Some(cookie) = coming.or_else(sent).filter(|cookie| !cookie.is_empty()) else { return Ok(None) };
        self.0.inner().services.page_keys.get()?.token(&cookie).map(Some)
    }

    /// Refuses what others have to see after the change that it follows.
    ///
    /// # Errors
    /// 500 `transaction_open`.
    fn refuse_before_commit(self) -> Result<()> {
        let db = self.0.db();
        db.refuse_beside_transaction("sign out everywhere after it has committed")?;
        if db.is_part_of_one() {
            let text = "what this run has written is committed at its end: sign out everywhere after that, from the action that calls it, or do not \
                        make it `idempotent`";
            return Err(Error::new(500, "transaction_open", text).caused_by(text));
        }
        Ok(())
    }

    /// Makes a grant that of a user of the run's tenant.
    fn here(self, grant: Grant) -> Grant {
        Grant { tenant: self.0.tenant().map(ToString::to_string), ..grant }
    }

    /// Returns where the request comes from, for the log.
    fn client(self) -> Option<impl tracing::Value> {
        self.0.request().and_then(Request::client_ip).map(tracing::field::display)
    }

    fn sessions(self) -> &'c Sessions {
        &self.0.inner().services.sessions
    }

    async fn claims(self) -> Result<Arc<Claims>> {
        match self.0.standing().await? {
            Standing::SignedIn(claims) => Ok(claims),
            _ => Err(Error::new(401, code::SESSION_MISSING, "sign in first").retry(Retry::Never)),
        }
    }

    async fn replace(self, grant: Option<Grant>, proved: bool) -> Result<Issued> {
        let old = self.claims().await?;
        let grant = grant.map_or_else(|| old.grant(), |grant| self.here(grant));
        match self.sessions().replace(&old, grant, proved).await? {
            Some(issued) => Ok(self.stand(issued)),
            None => {
                Err(Error::new(401, code::SESSION_ENDED, "the session was ended; sign in again").retry(Retry::Never))
            }
        }
    }

    /// Ends the session that the request came with, and returns what it said.
    async fn end_old(self) -> Result<Option<Arc<Claims>>> {
        let Standing::SignedIn(claims) = self.0.standing().await? else { return Ok(None) };
        self.sessions().end(claims.session).await?;
        Ok(Some(claims))
    }

    fn stand(self, issued: Issued) -> Issued {
        let held = self.0.held();
        let sessions = self.sessions();
        held.answers(sessions.settings().set(&issued.token, sessions.left(&issued)), true);
        held.stands(Standing::SignedIn(issued.claims.clone()));
        self.0.is_by(Who::SignedIn(issued.claims.clone()));
        issued
    }
}

impl Identity {
    /// The person whom a token names.
    pub(crate) fn of(claims: &Claims) -> Self {
        Self::User {
            id: claims.user.clone(),
            roles: claims.roles.clone(),
            permissions: claims.permissions.clone(),
            organisation: claims.organisation.clone(),
        }
    }
}

impl From<Grant> for Identity {
    /// The person who would be signed in so.
    fn from(grant: Grant) -> Self {
        let Grant { user: id, organisation, roles, permissions, claims: _, tenant: _ } = grant;
        Self::User { id, roles, permissions, organisation }
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.0.action()).finish()
    }
}
