//! Errors that an application declares, one enum for each action or family of actions.

use crate::error::{Error, ErrorClass, Retry};

/// An error of an action, with all its variants known at compile time. Made by `#[derive(ActionError)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of an action",
    label = "needs `#[derive(ActionError, Debug)]`",
    note = "write `Result<T>` to fail with the framework's own error, or derive `ActionError` on your enum"
)]
pub trait ActionError: std::error::Error + Into<Error> + Send + Sync + 'static {
    /// What the document lists: one entry a variant that has a status of its own.
    const VARIANTS: &'static [ErrorVariant];

    /// Whether it also fails in ways that `VARIANTS` does not list: it is, or has a variant of, the framework's own error.
    /// The document then says that other statuses are possible.
    const OPEN: bool = false;

    /// Returns how it fails, without giving it up: retries and records look at it before the caller gets it.
    fn class(&self) -> ErrorClass<'_>;
}

/// One variant of an [`ActionError`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorVariant {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// The message as written, with its placeholders.
    pub message: &'static str,
    /// The doc comment.
    pub docs: &'static str,
    /// The retry class.
    pub retry: Retry,
}

impl ErrorVariant {
    /// Returns status, code and retry class together.
    pub const fn class(&self) -> ErrorClass<'static> {
        ErrorClass { status: self.status, code: self.code, retry: self.retry }
    }
}

/// How something fails, for the document.
#[derive(Clone, Copy, Debug)]
pub struct ErrorDoc {
    /// The failures that are known.
    pub variants: &'static [ErrorVariant],
    /// Whether it also fails in ways that `variants` does not list.
    pub open: bool,
}

impl ErrorDoc {
    /// It does not fail.
    pub const NONE: Self = Self { variants: &[], open: false };

    /// Describes an error.
    pub const fn of<E: ActionError>() -> Self {
        Self { variants: E::VARIANTS, open: E::OPEN }
    }
}

impl ActionError for Error {
    const VARIANTS: &'static [ErrorVariant] = &[];
    const OPEN: bool = true;

    fn class(&self) -> ErrorClass<'_> {
        Self::class(self)
    }
}

/// Returns the class of an `internal` variant: that of [`internal`], from the same cause.
#[doc(hidden)]
pub fn internal_class(source: Option<&(dyn std::error::Error + 'static)>) -> ErrorClass<'static> {
    match source.and_then(|source| source.downcast_ref::<sea_orm::DbErr>()) {
        Some(source) => ErrorClass::of_database(source),
        None => ErrorClass::INTERNAL,
    }
}

/// Makes the framework's error of an `internal` variant: 503 when the database is away, 500 otherwise.
#[doc(hidden)]
pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    match source.into().downcast::<sea_orm::DbErr>() {
        Ok(source) => (*source).into(),
        Err(source) => Error::internal(source),
    }
}
