//! Greetings: actions that any application may serve.
//!
//! An application lists this crate, `App::new().modules(bunbase::modules![greetings])`, and that is all. This crate knows
//! the framework as `bb`; the line below tells the macros.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

extern crate bb as bunbase;

pub mod visitors;
pub mod words;

use bunbase::prelude::*;

use crate::words::Language;

bunbase::module!(name = "greetings", prefix = "/greetings", description = "Friendly words.");

/// A greeting.
#[schema]
pub struct Greeting {
    /// What it says.
    #[body]
    pub text: String,
    /// The language that it is in.
    #[header("Content-Language")]
    pub language: String,
}

/// Why there is no greeting.
#[derive(ActionError, Debug)]
pub enum GreetingError {
    /// Nobody with this name is greeted here.
    #[error(status = 403, code = "unwelcome", "{name} is not welcome here")]
    Unwelcome {
        /// Who it is.
        name: String,
    },
}

/// Greets somebody.
#[action(get = "/{name}")]
pub async fn greet(
    /// Whom to greet.
    #[validate(length(min = 1, max = 50))]
    name: String,
    /// In which language.
    #[default(Language::English)]
    language: Language,
) -> Result<Greeting, GreetingError> {
    if name == "Voldemort" {
        return Err(GreetingError::Unwelcome { name });
    }
    Ok(Greeting { text: format!("{}, {name}!", language.hello()), language: language.code().to_owned() })
}
