//! The words of greetings. A module without actions.

use bunbase::prelude::*;

/// A language.
#[schema(rename_all = "snake_case")]
pub enum Language {
    /// English.
    English,
    /// Dutch.
    Dutch,
}

impl Language {
    /// Returns how one says hello in it.
    #[must_use]
    pub fn hello(&self) -> &'static str {
        match self {
            Self::English => "Hello",
            Self::Dutch => "Hallo",
        }
    }

    /// Returns its code in ISO 639.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
        }
    }
}
