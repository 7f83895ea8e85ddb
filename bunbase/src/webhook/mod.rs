//! Webhooks that come in: whether a delivery was signed by who it says, and what its id is.
//!
//! Here: the signature schemes. Pure functions over headers and bytes, no I/O but for the secrets, which are read from
//! the environment when a scheme is made. Not here: the route (`http`), and storing a delivery (`invoke`). A new scheme
//! implements [`Verify`]; nothing else changes. May name: `clock`, `error`.
//!
//! Two rules hold for all schemes. Codes are compared in constant time, over the bytes as they came. A delivery that is
//! refused is answered in one way, whatever was wrong with it; which it was is the error's cause, for the log.

mod id;
mod keys;
mod secret;
mod sha256;
mod slack;
mod standard;
mod stripe;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;

use chrono::{DateTime, Utc};

pub use self::{
    secret::SigningSecret,
    sha256::{HmacSha256, github, hmac_sha256},
    slack::{Slack, slack},
    standard::{StandardWebhooks, standard_webhooks},
    stripe::{Stripe, stripe},
};
use crate::{
    Error, Result,
    error::{Retry, code},
};

/// What a scheme sees of a delivery.
pub struct Delivery<'a> {
    /// Returns the first value of a header, if it is text.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body as it was sent: what was signed.
    pub body: &'a [u8],
    /// The time, for the replay window.
    pub now: DateTime<Utc>,
}

impl<'a> Delivery<'a> {
    /// Returns a header that must be there.
    fn expect(&self, name: &str) -> Result<&'a str, Refusal> {
        (self.header)(name).ok_or(Refusal::Missing)
    }
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("body_bytes", &self.body.len()).field("now", &self.now).finish_non_exhaustive()
    }
}

/// A signature scheme: `verify = stripe("STRIPE_WEBHOOK_SECRET")`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signature scheme",
    label = "cannot stand after `verify`",
    note = "write one of `bunbase::webhook`, such as `verify = stripe(\"STRIPE_WEBHOOK_SECRET\")`, or implement `Verify` for it"
)]
pub trait Verify: Send + Sync + 'static {
    /// Returns the delivery's id where the scheme has one; it is a hash of what was signed where it has none.
    ///
    /// It is 1 to 255 visible ASCII characters. A sender that tries again sends the same one, if its scheme has ids.
    ///
    /// # Errors
    /// 401 `webhook_signature` when it is not signed as it should be, or outside the replay window. What is wrong is
    /// not told to the caller.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<String>;

    /// Returns what a verified delivery asks to be answered with at once, as the sender's first call to a new address
    /// does; such a delivery makes no run.
    fn handshake(&self, delivery: &Delivery<'_>) -> Option<String> {
        let _ = delivery;
        None
    }

    /// Returns the headers that it reads, for the document: name and what it says.
    fn headers(&self) -> Vec<(&'static str, &'static str)>;

    /// Returns what is missing in its configuration, such as a secret, before the server starts; `None` when nothing
    /// is.
    fn problem(&self) -> Option<String> {
        None
    }
}

/// Why a delivery was refused: for the log, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("a header of the signature is missing")]
    Missing,
    #[error("a header of the signature cannot be read")]
    Malformed,
    #[error("no signature is that of a known secret over this body")]
    Unknown,
    #[error("it is signed, but longer ago than the replay window")]
    TooOld,
    #[error("it is signed, but for a time in the future: is a clock wrong?")]
    TooNew,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(401, code::WEBHOOK_SIGNATURE, "the delivery is not signed as it should be")
            .retry(Retry::Never)
            .caused_by(refusal)
    }
}
