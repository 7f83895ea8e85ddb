//! Roles.

use super::{
    Guard, Security, SignedIn,
    refusal::{ENDED, EXPIRED, INVALID, MISSING, Refusal, Refuses},
    signed_in::security,
};
use crate::{
    Result,
    action::ErrorVariant,
    context::Ctx,
    error::{Retry, code},
};

/// Refuses whoever does not have a role. Made by [`has_role`].
#[derive(Clone, Copy, Debug)]
pub struct HasRole(&'static str);

/// Refuses whoever is not signed in with this role, letter for letter: `guards = [has_role("admin")]`.
///
/// A role is granted with the session ([`Grant::role`](crate::session::Grant::role)) and stays until that ends: when you take it from somebody,
/// call [`sign_out_everywhere`](crate::context::Session::sign_out_everywhere).
pub fn has_role(role: &'static str) -> HasRole {
    HasRole(role)
}

const REFUSED: ErrorVariant = ErrorVariant {
    status: 403,
    code: code::ROLE_MISSING,
    message: "this needs the role `{role}`",
    docs: "Whoever is signed in does not have the role that this needs.",
    retry: Retry::Never,
};

/// How [`HasRole`] refuses.
#[derive(Clone, Copy, Debug)]
pub enum NoRole {}

impl Refuses for NoRole {
    const VARIANTS: &'static [ErrorVariant] = &[MISSING, INVALID, EXPIRED, ENDED, REFUSED];
}

impl Guard for HasRole {
    type Error = Refusal<NoRole>;

    const NEEDS_CALLER: bool = true;

    async fn check(&self, ctx: &Ctx) -> Result<(), Self::Error> {
        if ctx.provide::<SignedIn>().await?.has_role(self.0) {
            return Ok(());
        }
        Err(Refusal::by(&REFUSED, format!("this needs the role `{}`", self.0)))
    }

    fn name(&self) -> String {
        format!("has_role {}", self.0)
    }

    fn security(&self) -> Vec<Security> {
        security()
    }

    fn mistake(&self) -> Option<String> {
        self.0.trim().is_empty().then(|| "`has_role` needs the name of a role".to_owned())
    }
}
