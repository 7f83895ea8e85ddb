//! How the guards of sessions refuse.

use std::{fmt, marker::PhantomData};

use crate::{
    Error,
    action::{ActionError, ErrorVariant},
    error::{ErrorClass, Retry, code},
};

/// The refusals of one guard, for its document.
pub trait Refuses: Send + Sync + 'static {
    /// All of them.
    const VARIANTS: &'static [ErrorVariant];
}

/// An error of a guard whose refusals `R` lists. It becomes the framework's own error as it is.
pub struct Refusal<R> {
    error: Error,
    of: PhantomData<fn() -> R>,
}

impl<R> Refusal<R> {
    /// Refuses by one of the variants.
    pub(super) fn by(variant: &ErrorVariant, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Error::new(variant.status, variant.code, detail).retry(variant.retry).into()
    }
}

impl<R> From<Error> for Refusal<R> {
    fn from(error: Error) -> Self {
        Self { error, of: PhantomData }
    }
}

impl<R> From<Refusal<R>> for Error {
    fn from(refusal: Refusal<R>) -> Self {
        refusal.error
    }
}

impl<R> fmt::Debug for Refusal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<R> fmt::Display for Refusal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<R> std::error::Error for Refusal<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl<R: Refuses> ActionError for Refusal<R> {
    const VARIANTS: &'static [ErrorVariant] = R::VARIANTS;

    fn class(&self) -> ErrorClass<'_> {
        self.error.class()
    }
}

/// Nobody is signed in.
pub(super) const MISSING: ErrorVariant = ErrorVariant {
    status: 401,
    code: code::SESSION_MISSING,
    message: "sign in first",
    docs: "Nobody is signed in.",
    retry: Retry::Never,
};

pub(super) const INVALID: ErrorVariant = ErrorVariant {
    status: 401,
    code: code::SESSION_INVALID,
    message: "this is no session of ours; sign in again",
    docs: "The session is none.",
    retry: Retry::Never,
};

pub(super) const EXPIRED: ErrorVariant = ErrorVariant {
    status: 401,
    code: code::SESSION_EXPIRED,
    message: "the session has expired; sign in again",
    docs: "The session has expired.",
    retry: Retry::Never,
};

pub(super) const ENDED: ErrorVariant = ErrorVariant {
    status: 401,
    code: code::SESSION_ENDED,
    message: "the session was ended; sign in again",
    docs: "The session was ended.",
    retry: Retry::Never,
};
