//! The document of an error (RFC 9457), for every door that answers in JSON.

use serde::Serialize;

use super::{Error, FieldError, code};

/// An error as its caller reads it. The cause is not in it.
#[derive(Debug, Serialize)]
pub struct Problem<'e> {
    r#type: &'static str,
    title: &'e str,
    status: u16,
    detail: &'e str,
    code: &'e str,
    trace_id: &'e str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'e [FieldError],
}

impl<'e> Problem<'e> {
    /// Describes an error. `trace_id` is what the log knows the run by.
    pub fn new(error: &'e Error, trace_id: &'e str) -> Self {
        Self {
            r#type: code::PROBLEM_TYPE,
            title: code::title(error.status()),
            status: error.status(),
            detail: error.detail(),
            code: error.code(),
            trace_id: error.trace().unwrap_or(trace_id),
            errors: error.fields(),
        }
    }

    /// Writes it as JSON.
    pub fn to_json(&self) -> String {
        // Texts and numbers: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
