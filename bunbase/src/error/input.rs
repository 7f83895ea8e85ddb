//! An input that is wrong, as an error of its own.

use std::{error::Error as StdError, fmt};

use super::{Error, FieldError};

/// 422: fields of the input are wrong.
///
/// The framework's [`Error`] with this one status, so that the document of an action which passes it on names this status and no
/// others: `#[error(framework)] Input(#[from] InvalidInput)`.
#[derive(Debug)]
pub struct InvalidInput(Error);

impl InvalidInput {
    /// Names the fields that are wrong.
    pub fn new(fields: Vec<FieldError>) -> Self {
        Self(Error::invalid(fields))
    }

    /// Returns the fields that are wrong.
    pub fn fields(&self) -> &[FieldError] {
        self.0.fields()
    }
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for InvalidInput {}

impl From<InvalidInput> for Error {
    fn from(error: InvalidInput) -> Self {
        error.0
    }
}
