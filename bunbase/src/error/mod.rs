//! The framework's error: what can go wrong around an action, in one type.
//!
//! Here: [`Error`], [`Result`], the retry class, the list of wrong fields, and the document of an error. Not here: how an error
//! becomes HTTP (`http::problem`), and the errors that an application declares (`#[derive(ActionError)]`).

pub mod code;
mod database;
mod field;
mod input;
mod problem;

pub use field::{FieldError, Place};
pub use input::InvalidInput;
pub use problem::Problem;

use std::{borrow::Cow, convert::Infallible, error::Error as StdError, fmt, time::Duration};

/// The result of framework calls; `E` is the framework's [`Error`] unless said.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether it makes sense to try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Server errors are worth another attempt, client errors are not. The default.
    #[default]
    ByStatus,
    /// Another attempt would fail in the same way.
    Never,
    /// Another attempt may succeed, not before this long.
    After(Duration),
}

/// How a run failed, as far as retries, records and metrics want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorClass<'a> {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// The stable code.
    pub code: &'a str,
    /// The retry class.
    pub retry: Retry,
}

impl ErrorClass<'_> {
    /// Returns whether another attempt may succeed: not after what [`Retry::Never`] says, nor after an error of the caller's that
    /// does not say when.
    pub fn is_worth_retrying(&self) -> bool {
        match self.retry {
            Retry::Never => false,
            Retry::After(_) => true,
            Retry::ByStatus => self.status >= 500,
        }
    }

    /// Returns the least time before another attempt.
    pub fn least_wait(&self) -> Duration {
        match self.retry {
            Retry::After(wait) => wait,
            Retry::Never | Retry::ByStatus => Duration::ZERO,
        }
    }
}

/// An error with an HTTP status, a stable code, a text for the caller and a cause for the log.
///
/// The cause is never shown to a caller. Errors of 500 and above that carry a cause answer a fixed text.
pub struct Error(Box<Repr>);

struct Repr {
    status: u16,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    retry: Retry,
    fields: Vec<FieldError>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The trace in which it happened, where that is not the one that tells of it.
    trace: Option<String>,
}

impl Error {
    /// Creates an error with an HTTP `status` (400 to 599), a stable `code` in `snake_case` and a text for the caller.
    ///
    /// A status outside that range becomes 500.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        let status = if (400..=599).contains(&status) { status } else { 500 };
        Self(Box::new(Repr {
            status,
            code: code.into(),
            detail: detail.into(),
            retry: Retry::ByStatus,
            fields: Vec::new(),
            source: None,
            trace: None,
        }))
    }

    /// 400: the request could not be read at all.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "bad_request", detail)
    }

    /// 401: nobody is signed in.
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(401, "unauthorized", detail)
    }

    /// 403: the caller is known and may not do this.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "forbidden", detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, "not_found", detail)
    }

    /// 409: the state of the thing does not allow this.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(409, "conflict", detail)
    }

    /// 422: these fields of the input are wrong.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let mut error = Self::new(422, "invalid_input", "the input has wrong fields; see `errors`");
        error.0.fields = fields;
        error
    }

    /// Names the fields that are wrong.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.0.fields = fields;
        self
    }

    /// 503: something that this depends on is away; worth another attempt after `retry_after`.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::new(503, "unavailable", detail).retry(Retry::After(retry_after))
    }

    /// 500 with a fixed text; `source` goes to the log only.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(500, "internal", "an internal error; the server's log has the cause under this trace id")
            .caused_by(source)
    }

    /// Attaches the cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the retry class.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says in which trace it happened: a call that is repeated with its key fails as the first one did.
    #[must_use]
    pub(crate) fn in_trace(mut self, trace: String) -> Self {
        self.0.trace = Some(trace);
        self
    }

    /// Returns the trace in which it happened, where that is not the one that tells of it.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.0.trace.as_deref()
    }

    /// Returns the HTTP status, 400 to 599.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// Returns the stable code that programs match on.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns the text for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns the wrong fields of the input; empty for most errors but 422.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Returns the retry class.
    pub fn retry_class(&self) -> Retry {
        self.0.retry
    }

    /// Returns status, code and retry class together.
    pub fn class(&self) -> ErrorClass<'_> {
        ErrorClass { status: self.0.status, code: &self.0.code, retry: self.0.retry }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("detail", &self.0.detail)
            .field("fields", &self.0.fields)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        Self::internal(source)
    }
}

impl From<serde_json::Error> for Error {
    fn from(source: serde_json::Error) -> Self {
        Self::internal(source)
    }
}

/// Writes an error with its causes, for the log.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
