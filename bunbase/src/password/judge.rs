//! What makes a password weak.

use std::fmt;

use zxcvbn::zxcvbn;

/// The longest password in bytes: far more than anybody types, and little to hash.
pub(super) const LONGEST: usize = 1024;

/// How many guesses, as a power of ten, a password withstands at least. Trying a million on a service that limits sign-ins takes years.
const LEAST_GUESSES_LOG10: f64 = 6.0;

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weakness {
    /// It has fewer characters than this.
    Short(usize),
    /// It has more bytes than this.
    Long(usize),
    /// It is among those that are tried first: a common one, a name, a word, a date, a pattern of the keyboard, or what is known of its
    /// owner. The text says which and what to do.
    Guessable(String),
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(least) => write!(f, "needs at least {least} characters"),
            Self::Long(most) => write!(f, "has more than {most} bytes"),
            Self::Guessable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Weakness {}

/// Judges a password. `about` is what an attacker knows of its owner: name, address, the name of the service.
///
/// There are no rules about kinds of characters (NIST SP 800-63B-4 section 3.1.1.2): they are met by `Passw0rd!`.
pub(super) fn judge(password: &str, least: usize, about: &[&str]) -> Result<(), Weakness> {
    if password.len() > LONGEST {
        return Err(Weakness::Long(LONGEST));
    }
    if password.chars().count() < least {
        return Err(Weakness::Short(least));
    }
    let estimate = zxcvbn(password, about);
    if estimate.guesses_log10() >= LEAST_GUESSES_LOG10 {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let warning =
        warning.map_or_else(|| "It is one of the first million that are tried.".to_owned(), |it| it.to_string());
    let warning = warning.trim_end_matches('.');
    Err(Weakness::Guessable(format!(
        "is easy to guess ({warning}): add a few words that have nothing to do with each other"
    )))
}
