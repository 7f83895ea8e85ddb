//! How a call fails.

use crate::{Error, action::ActionError};

/// The error of a typed call: the action's own, or the framework's around it.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E: std::error::Error> {
    /// The action failed with its own error.
    #[error(transparent)]
    Action(E),
    /// The framework did: a guard refused, the input was wrong, time ran out, the handler panicked.
    #[error(transparent)]
    Framework(#[from] Error),
}

impl<E: ActionError> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Action(error) => error.into(),
            CallError::Framework(error) => error,
        }
    }
}
