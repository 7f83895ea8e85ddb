//! One wrong field of an input.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Where in a request a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Place {
    /// A parameter of the path template.
    Path,
    /// A key of the query string.
    Query,
    /// A request header.
    Header,
    /// A cookie.
    Cookie,
    /// The body, or a field of it.
    Body,
}

/// One wrong field: where it is, what is wrong by a stable code, and what to do in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The part of the request.
    #[serde(rename = "in")]
    pub place: Place,
    /// A JSON pointer (RFC 6901) into the body, or `/name` of a parameter.
    pub pointer: String,
    /// A stable code in `snake_case`: `required`, `type`, `length`, `range`, `pattern`, `format`, `unknown`, …
    pub code: Cow<'static, str>,
    /// What is wrong, for a person.
    pub message: String,
}
