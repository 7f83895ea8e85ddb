//! What sessions are like.

use std::time::Duration;

use super::{Revocation, SameSite};

/// How long sessions live and how a cookie carries them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a token is good for when it is not used.
    pub idle_timeout: Duration,
    /// How long a session lives, however much it is used.
    pub lifetime: Duration,
    /// How old a token is when it is replaced by a new one of the same session.
    pub renew_after: Duration,
    /// How soon a session that was ended is refused.
    pub revocation: Revocation,
    /// The whole name of the cookie.
    pub cookie: String,
    /// What follows the cookie's value, but for its age: `; Path=/; HttpOnly; Secure; SameSite=Lax`.
    pub attributes: String,
}

impl Default for Settings {
    fn default() -> Self {
        let (cookie, attributes) = Self::cookie_of("bunbase_session", true, SameSite::Lax, "");
        Self {
            idle_timeout: Duration::from_hours(24),
            lifetime: Duration::from_hours(24 * 7),
            renew_after: Duration::from_mins(10),
            revocation: Revocation::Eventual,
            cookie,
            attributes,
        }
    }
}

impl Settings {
    /// Returns the name and the attributes of a cookie. A secure one of this host alone is named with the prefix `__Host-`, which
    /// browsers hold it to (RFC 6265bis section 4.1.3.2).
    pub fn cookie_of(name: &str, secure: bool, same_site: SameSite, domain: &str) -> (String, String) {
        let prefix = if secure && domain.is_empty() { "__Host-" } else { "" };
        let same_site = match same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let domain = if domain.is_empty() { String::new() } else { format!("; Domain={domain}") };
        let secure = if secure { "; Secure" } else { "" };
        (format!("{prefix}{name}"), format!("; Path=/{domain}; HttpOnly{secure}; SameSite={same_site}"))
    }

    /// Returns the value of `Set-Cookie` for a token that is good for so long.
    pub(crate) fn set(&self, token: &str, left: Duration) -> String {
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        format!("{}={token}; Max-Age={seconds}{}", self.cookie, self.attributes)
    }

    /// Returns the value of `Set-Cookie` that takes the cookie away.
    pub(crate) fn clear(&self) -> String {
        format!("{}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT{}", self.cookie, self.attributes)
    }
}
