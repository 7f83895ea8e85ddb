//! Actions for which a sign-in of long ago is not enough.

use std::time::Duration;

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

/// Refuses whoever has not proved who they are for some time. Made by [`step_up`].
#[derive(Clone, Copy, Debug)]
pub struct StepUp(Duration);

/// Refuses whoever has not signed in, or [proved](crate::context::Session::prove) who they are again, within this time:
/// `guards = [step_up(5 * MINUTE)]`.
///
/// It answers 401 with `WWW-Authenticate: Bearer error="insufficient_user_authentication", max_age="300"`, by which a client knows what to
/// do (RFC 9470). A job has no sign-in that is recent, so it refuses those.
pub fn step_up(max_age: Duration) -> StepUp {
    StepUp(max_age)
}

const REFUSED: ErrorVariant = ErrorVariant {
    status: 401,
    code: code::STEP_UP_REQUIRED,
    message: "prove who you are again, and call again within {max_age} s",
    docs: "The sign-in is too long ago for this.",
    retry: Retry::Never,
};

/// How [`StepUp`] refuses.
#[derive(Clone, Copy, Debug)]
pub enum TooLongAgo {}

impl Refuses for TooLongAgo {
    const VARIANTS: &'static [ErrorVariant] = &[MISSING, INVALID, EXPIRED, ENDED, REFUSED];
}

impl Guard for StepUp {
    type Error = Refusal<TooLongAgo>;

    const NEEDS_CALLER: bool = true;

    async fn check(&self, ctx: &Ctx) -> Result<(), Self::Error> {
        let user = ctx.provide::<SignedIn>().await?;
        let age = user.authenticated_at().map(|at| (ctx.now() - at).to_std().unwrap_or_default());
        if age.is_some_and(|age| age <= self.0) {
            return Ok(());
        }
        let seconds = self.0.as_secs();
        let challenge = format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{seconds}\"");
        ctx.answer_with(|headers| headers.push(("www-authenticate", challenge)));
        Err(Refusal::by(&REFUSED, format!("prove who you are again, and call again within {seconds} s")))
    }

    fn name(&self) -> String {
        format!("step_up {:?}", self.0)
    }

    fn security(&self) -> Vec<Security> {
        security()
    }

    fn mistake(&self) -> Option<String> {
        (self.0 < Duration::from_secs(1)).then(|| "`step_up` needs a time of at least one second".to_owned())
    }
}
