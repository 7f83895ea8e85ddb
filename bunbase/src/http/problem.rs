//! Errors on the wire: RFC 9457 problem documents. Only this file knows how an error becomes HTTP.

use std::time::Duration;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};

use crate::{
    Error,
    context::TraceId,
    error::{Problem, Retry},
};

/// The content type of a problem.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// Writes an error as a problem. The cause of a 5xx goes to the log, never to the caller.
pub(crate) fn respond(error: &Error, trace: TraceId) -> HttpResponse {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() {
        log(error, trace);
    }
    let mut builder = HttpResponseBuilder::new(status);
    builder.insert_header((header::CONTENT_TYPE, CONTENT_TYPE));
    if let Some(wait) = retry_after(error) {
        builder.insert_header((header::RETRY_AFTER, wait.as_secs().max(1)));
    }
    if error.trace().is_some() {
        // Only an answer that was kept for its idempotency key is of another trace.
        builder.insert_header(("idempotent-replayed", "true"));
    }
    if status == StatusCode::REQUEST_TIMEOUT {
        // What else may come on this connection is the rest of that request.
        builder.force_close();
    }
    let hex = trace.to_hex();
    let problem = Problem::new(error, std::str::from_utf8(&hex).unwrap_or_default());
    builder.body(problem.to_json())
}

/// Returns how long to wait: what the error says, and one second for 429 and 503 that say nothing.
fn retry_after(error: &Error) -> Option<Duration> {
    match (error.retry_class(), error.status()) {
        (Retry::After(wait), _) => Some(wait),
        (_, 429 | 503) => Some(Duration::from_secs(1)),
        _ => None,
    }
}

/// Logs the whole chain of causes, once, under the trace id.
pub(crate) fn log(error: &Error, trace: TraceId) {
    let mut causes = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !causes.is_empty() {
            causes.push_str(": ");
        }
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    if causes.is_empty() {
        causes.push_str(error.detail());
    }
    tracing::error!(target: "bunbase::http", trace_id = %trace, status = error.status(), code = error.code(), cause = %causes, "a request failed");
}
