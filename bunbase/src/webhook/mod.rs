//! Webhooks that come in: whether a delivery was signed by who it says, and what its id is.
//!
//! Here: the signature schemes. Pure functions over headers and bytes, no I/O. Not here: the route (`http`), and storing a delivery
//! (`invoke`). A new scheme implements [`Verify`]; nothing else changes. May name: `clock`, `error`.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::Result;

/// What a scheme sees of a delivery.
pub struct Delivery<'a> {
    /// Returns the first value of a header, if it is text.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body as it was sent: what was signed.
    pub body: &'a [u8],
    /// The time, for the replay window.
    pub now: DateTime<Utc>,
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
    /// # Errors
    /// 401 when it is not signed as it should be, or outside the replay window. What is wrong is not told to the caller.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<String>;

    /// Returns what a verified delivery asks to be answered with at once, as the sender's first call to a new address does; such a delivery
    /// makes no run.
    fn handshake(&self, delivery: &Delivery<'_>) -> Option<String> {
        let _ = delivery;
        None
    }

    /// Returns the headers that it reads, for the document: name and what it says.
    fn headers(&self) -> Vec<(&'static str, &'static str)>;

    /// Returns what is missing in its configuration, such as a secret, before the server starts; `None` when nothing is.
    fn problem(&self) -> Option<String> {
        None
    }
}
