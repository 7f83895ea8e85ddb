//! Who is signed in.

use std::{fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::{
    Credential, Guard, Provider, Security,
    permission::covers,
    refusal::{ENDED, EXPIRED, INVALID, MISSING, Refusal, Refuses},
};
use crate::{
    Error, Result,
    action::ErrorVariant,
    context::{Ctx, Identity, Standing, Who},
    session::{Claims, Refused, SessionId, at},
};

/// Whoever is signed in: `#[guard] user: SignedIn`, or `Option<SignedIn>` where anybody may call.
///
/// Behind a door without a request, as that of a job, it is the user who caused the run, as they were then; so is it behind a guard of the
/// application's own that has [identified](Ctx::identify) a user. Then there is no session, and there are no claims.
#[derive(Clone)]
pub struct SignedIn(Source);

#[derive(Clone)]
enum Source {
    Token(Arc<Claims>),
    Carried(Arc<Carried>),
}

struct Carried {
    user: String,
    organisation: Option<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
}

impl SignedIn {
    /// Returns the application's own id of the user.
    pub fn user(&self) -> &str {
        match &self.0 {
            Source::Token(claims) => &claims.user,
            Source::Carried(carried) => &carried.user,
        }
    }

    /// Reads the id as what it is: a number, a UUID.
    ///
    /// # Errors
    /// 500 when it is not a `T`.
    pub fn user_id<T: FromStr>(&self) -> Result<T> {
        let kind = std::any::type_name::<T>();
        self.user()
            .parse()
            .map_err(|_| Error::internal(format!("the id `{}` of a user is not a `{kind}`", self.user())))
    }

    /// Returns the organisation that the user acts for.
    pub fn organisation(&self) -> Option<&str> {
        match &self.0 {
            Source::Token(claims) => claims.organisation.as_deref(),
            Source::Carried(carried) => carried.organisation.as_deref(),
        }
    }

    /// Returns the roles.
    pub fn roles(&self) -> &[String] {
        match &self.0 {
            Source::Token(claims) => &claims.roles,
            Source::Carried(carried) => &carried.roles,
        }
    }

    /// Returns the permissions as they were granted, with their wildcards.
    pub fn permissions(&self) -> &[String] {
        match &self.0 {
            Source::Token(claims) => &claims.permissions,
            Source::Carried(carried) => &carried.permissions,
        }
    }

    /// Returns whether the user has a role, letter for letter.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|one| one == role)
    }

    /// Returns whether the user has a permission; see [`has_permission`](super::has_permission).
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions().iter().any(|granted| covers(granted, permission))
    }

    /// Reads the application's own claims of the session.
    ///
    /// # Errors
    /// 500 when there are none, or they are not a `T`: an older version of the application has issued them.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T> {
        match &self.0 {
            Source::Token(claims) => claims.own(),
            Source::Carried(_) => {
                Err(Error::internal("the claims of a session stay with its requests: this run has none"))
            }
        }
    }

    /// Returns which session it is.
    pub fn session(&self) -> Option<SessionId> {
        self.token().map(|claims| claims.session)
    }

    /// Returns when the user signed in.
    pub fn signed_in_at(&self) -> Option<DateTime<Utc>> {
        self.token().map(|claims| at(claims.signed_in_at))
    }

    /// Returns when the user last proved who they are.
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.token().map(|claims| at(claims.authenticated_at))
    }

    /// Returns when the session ends unless it is used.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.token().map(|claims| at(claims.expires_at))
    }

    fn token(&self) -> Option<&Claims> {
        match &self.0 {
            Source::Token(claims) => Some(claims),
            Source::Carried(_) => None,
        }
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user()).field("roles", &self.roles()).finish_non_exhaustive()
    }
}

/// How [`SignedIn`] refuses.
#[derive(Clone, Copy, Debug)]
pub enum NotSignedIn {}

impl Refuses for NotSignedIn {
    const VARIANTS: &'static [ErrorVariant] = &[MISSING, INVALID, EXPIRED, ENDED];
}

impl Provider for SignedIn {
    type Error = Refusal<NotSignedIn>;

    const NEEDS_CALLER: bool = true;

    async fn provide(ctx: &Ctx) -> Result<Self, Self::Error> {
        let variant = match ctx.standing().await? {
            Standing::SignedIn(claims) => {
                ctx.is_by(Who::SignedIn(claims.clone()));
                return Ok(Self(Source::Token(claims)));
            }
            Standing::Missing => MISSING,
            Standing::Refused(Refused::Invalid) => INVALID,
            Standing::Refused(Refused::Expired) => EXPIRED,
            Standing::Refused(Refused::Ended) => ENDED,
        };
        match ctx.identity() {
            Identity::User { id: user, roles, permissions, organisation } => {
                Ok(Self(Source::Carried(Arc::new(Carried { user, organisation, roles, permissions }))))
            }
            _ => Err(Refusal::by(&variant, variant.message)),
        }
    }

    fn security() -> Vec<Security> {
        security()
    }
}

/// Refuses whoever is not signed in: `guards = [signed_in()]`.
#[derive(Clone, Copy, Debug)]
pub struct RequireSignedIn;

/// Refuses whoever is not signed in.
pub fn signed_in() -> RequireSignedIn {
    RequireSignedIn
}

impl Guard for RequireSignedIn {
    type Error = Refusal<NotSignedIn>;

    const NEEDS_CALLER: bool = true;

    async fn check(&self, ctx: &Ctx) -> Result<(), Self::Error> {
        ctx.provide::<SignedIn>().await?;
        Ok(())
    }

    fn name(&self) -> String {
        "signed_in".to_owned()
    }

    fn security(&self) -> Vec<Security> {
        security()
    }
}

/// A session, by its cookie or as a bearer token.
pub(super) fn security() -> Vec<Security> {
    vec![
        Security {
            scheme: "session",
            description: "The cookie of a session, which signing in sets.",
            credential: Credential::Session,
        },
        Security {
            scheme: "session_token",
            description: "The token of a session, which signing in answers.",
            credential: Credential::Bearer,
        },
    ]
}
