//! Refusals as lines of the log, for whoever watches for attacks.

use std::{fmt, net::IpAddr};

use tracing::field::display;

/// Somebody who was not let in, or not to something: one line under the target `bunbase::security`. The input is no part of it.
pub(crate) struct Refusal<'a> {
    /// The action, where there is one; otherwise `path` says what was asked for.
    pub(crate) action: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    /// The door of the run.
    pub(crate) door: &'a str,
    pub(crate) status: u16,
    pub(crate) code: &'a str,
    /// The address of the client, as far as it is known.
    pub(crate) client: Option<IpAddr>,
    /// Who is known to ask, as `user:7`.
    pub(crate) user: Option<&'a str>,
    pub(crate) trace: &'a dyn fmt::Display,
}

impl Refusal<'_> {
    /// Returns whether an error of this status is one.
    pub(crate) fn is(status: u16) -> bool {
        matches!(status, 401 | 403 | 421 | 429)
    }

    /// Logs it: what happens every day as information, what somebody should look at as a warning.
    pub(crate) fn log(&self) {
        let Self { action, path, door, status, code, user, trace, .. } = *self;
        let client = self.client.map(display);
        if matches!(status, 401 | 429) {
            tracing::info!(target: "bunbase::security", action, path, door, status, code, client, user, trace_id = %trace, "refused");
        } else {
            tracing::warn!(target: "bunbase::security", action, path, door, status, code, client, user, trace_id = %trace, "refused");
        }
    }
}
