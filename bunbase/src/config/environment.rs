//! Development or production, and why.

use std::{fmt, net::IpAddr};

/// The variable that decides.
pub(super) const VARIABLE: &str = "BUNBASE_ENV";

/// What the defaults are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Environment {
    /// One developer on one machine: convenient defaults.
    Development,
    /// Everything else: safe defaults.
    Production,
}

impl Environment {
    /// Returns the word for it, as in `BUNBASE_ENV`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    /// Whether this is development.
    #[must_use]
    pub const fn is_development(self) -> bool {
        matches!(self, Self::Development)
    }

    /// Whether this is production.
    #[must_use]
    pub const fn is_production(self) -> bool {
        matches!(self, Self::Production)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known when the environment is chosen.
pub(super) struct Facts<'a> {
    /// The value of `BUNBASE_ENV`.
    pub(super) variable: Option<&'a str>,
    /// Whether the command asks for development.
    pub(super) asked: bool,
    /// Whether the command asks for production, whatever the variable says.
    pub(super) asked_production: bool,
    /// Whether the program was built for debugging.
    pub(super) debug_build: bool,
    /// The host that is configured. `None` stands for the default, which is loopback in development.
    pub(super) host: Option<&'a str>,
}

/// Chooses the environment and says why, in a clause for the banner.
///
/// The default of `http.host` depends on the answer, and the answer on `http.host`; only a configured host counts here.
///
/// # Errors
/// When `BUNBASE_ENV` is neither of the two words; the message completes "`BUNBASE_ENV` …".
pub(super) fn choose(facts: &Facts<'_>) -> Result<(Environment, String), String> {
    let chosen = match facts.variable {
        Some("development" | "production") | None if facts.asked_production => {
            (Environment::Production, "the command asks for it".to_owned())
        }
        Some("development") => (Environment::Development, "BUNBASE_ENV is set to development".to_owned()),
        Some("production") => (Environment::Production, "BUNBASE_ENV is set to production".to_owned()),
        Some(other) => {
            let shown = if other.is_empty() { "empty".to_owned() } else { format!("`{other}`") };
            return Err(format!(
                "must be `development` or `production`, and is {shown}; unset it to let bunbase decide"
            ));
        }
        None if facts.asked => (Environment::Development, "the command asks for it".to_owned()),
        None if !facts.debug_build => {
            (Environment::Production, "a release build; BUNBASE_ENV=development changes it".to_owned())
        }
        None => match facts.host {
            Some(host) if !is_loopback(host) => (
                Environment::Production,
                format!("a debug build, but `http.host` is {host}, which other machines may reach"),
            ),
            _ => (Environment::Development, "a debug build that listens on this machine only".to_owned()),
        },
    };
    Ok(chosen)
}

/// Whether only this machine can reach the host.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBUG: Facts<'_> =
        Facts { variable: None, asked: false, asked_production: false, debug_build: true, host: None };

    fn chosen(facts: &Facts<'_>) -> Environment {
        choose(facts).unwrap().0
    }

    #[test]
    fn a_debug_build_without_a_host_is_development() {
        assert_eq!(chosen(&DEBUG), Environment::Development);
    }

    #[test]
    fn a_debug_build_on_loopback_is_development() {
        for host in ["127.0.0.1", "127.8.0.1", "::1", "localhost"] {
            assert_eq!(chosen(&Facts { host: Some(host), ..DEBUG }), Environment::Development, "{host}");
        }
    }

    #[test]
    fn a_debug_build_that_others_can_reach_is_production() {
        for host in ["0.0.0.0", "::", "10.0.0.7", "app.internal"] {
            let (environment, reason) = choose(&Facts { host: Some(host), ..DEBUG }).unwrap();
            assert_eq!(environment, Environment::Production, "{host}");
            assert!(reason.contains(host), "{reason}");
        }
    }

    #[test]
    fn a_release_build_is_production_even_on_loopback() {
        let facts = Facts { debug_build: false, host: Some("127.0.0.1"), ..DEBUG };
        assert_eq!(chosen(&facts), Environment::Production);
    }

    #[test]
    fn the_variable_decides_over_everything_else() {
        let facts = Facts { variable: Some("development"), debug_build: false, host: Some("0.0.0.0"), ..DEBUG };
        assert_eq!(chosen(&facts), Environment::Development);
        let facts = Facts { variable: Some("production"), asked: true, ..DEBUG };
        assert_eq!(chosen(&facts), Environment::Production);
    }

    #[test]
    fn the_dev_command_decides_over_the_build() {
        let facts = Facts { asked: true, debug_build: false, ..DEBUG };
        assert_eq!(chosen(&facts), Environment::Development);
    }

    #[test]
    fn a_command_that_asks_for_production_decides_over_the_variable() {
        let facts = Facts { variable: Some("development"), asked_production: true, ..DEBUG };
        assert_eq!(chosen(&facts), Environment::Production);
    }

    #[test]
    fn any_other_word_is_answered_with_both() {
        for word in ["prod", "Development", "", " production"] {
            let message = choose(&Facts { variable: Some(word), ..DEBUG }).unwrap_err();
            assert!(message.contains("`development`") && message.contains("`production`"), "{message}");
        }
    }
}
