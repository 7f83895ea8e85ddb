//! Errors that an application declares, one enum for each action or family of actions.

use std::convert::Infallible;

use crate::{
    db::page::PageError,
    error::{Error, ErrorClass, InvalidInput, Retry, code},
};

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

    /// Whether it holds causes that it does not tell, such as by `#[error(internal)]`. A database may be behind them, so the document
    /// then says that it may be away. What says nothing about it is taken to hold some.
    const HIDES: bool = true;

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
    /// What stands for a variant before it is known.
    const NONE: Self = Self { status: 500, code: "", message: "", docs: "", retry: Retry::ByStatus };

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

/// An action that cannot fail by itself: `Result<T, Infallible>`.
impl ActionError for Infallible {
    const VARIANTS: &'static [ErrorVariant] = &[];
    const HIDES: bool = false;

    fn class(&self) -> ErrorClass<'_> {
        match *self {}
    }
}

impl ActionError for InvalidInput {
    const VARIANTS: &'static [ErrorVariant] = &[ErrorVariant {
        status: 422,
        code: code::INVALID_INPUT,
        message: "the input has wrong fields; see `errors`",
        docs: "Fields of the input are wrong; `errors` lists all of them.",
        retry: Retry::ByStatus,
    }];
    const HIDES: bool = false;

    fn class(&self) -> ErrorClass<'_> {
        Self::VARIANTS[0].class()
    }
}

impl ActionError for PageError {
    const VARIANTS: &'static [ErrorVariant] = &[ErrorVariant {
        status: 404,
        code: "cursor_unknown",
        message: "no page begins at this cursor; see `errors`",
        docs: "No page of this list begins at this cursor.",
        retry: Retry::ByStatus,
    }];

    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Cursor(_) => Self::VARIANTS[0].class(),
            Self::Db(source) => ErrorClass::of_database(source),
            Self::Order(_) => ErrorClass::INTERNAL,
        }
    }
}

/// Counts the variants of several errors.
#[doc(hidden)]
pub const fn count(parts: &[&[ErrorVariant]]) -> usize {
    let (mut sum, mut part) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// Joins the variants of several errors, `N` in all.
#[doc(hidden)]
pub const fn join<const N: usize>(parts: &[&[ErrorVariant]]) -> [ErrorVariant; N] {
    let mut joined = [ErrorVariant::NONE; N];
    let (mut index, mut part) = (0, 0);
    while part < parts.len() {
        let mut next = 0;
        while next < parts[part].len() {
            joined[index] = parts[part][next];
            (index, next) = (index + 1, next + 1);
        }
        part += 1;
    }
    joined
}

/// Makes the framework's error of one that is passed through.
#[doc(hidden)]
pub fn passed(error: impl Into<Error>) -> Error {
    error.into()
}

/// Makes the framework's error of an `internal` variant: 503 when the database is away, 500 otherwise.
#[doc(hidden)]
pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    match source.into().downcast::<sea_orm::DbErr>() {
        Ok(source) => (*source).into(),
        Err(source) => Error::internal(source),
    }
}
