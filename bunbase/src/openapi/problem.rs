//! Errors as the document describes them: RFC 9457 problems, and what the framework itself can answer.

use schemars::schema::SchemaObject;
use serde_json::{Value, json};

use crate::{
    action::{ActionError, ErrorVariant},
    error::{InvalidInput, Place, Retry, code},
    guard::GuardDoc,
};

/// The name of the component of [`problem_schema`].
pub const PROBLEM: &str = "Problem";
/// The name of the component of [`field_error_schema`].
pub const FIELD_ERROR: &str = "FieldError";
/// The content type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Makes a schema from its JSON. The whole of it goes through the extension point, so numbers stay exact.
pub(super) fn raw(schema: Value) -> SchemaObject {
    let Value::Object(entries) = schema else { return SchemaObject::default() };
    SchemaObject { extensions: entries.into_iter().collect(), ..SchemaObject::default() }
}

pub(super) fn component(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// Returns the schema of an error's body.
pub fn problem_schema() -> SchemaObject {
    raw(json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). Programs match on `code`.",
        "additionalProperties": false,
        "required": ["type", "title", "status", "detail", "code", "trace_id"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "The type of problem; `code` says more." },
            "title": { "type": "string", "description": "The meaning of the status." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status." },
            "detail": { "type": "string", "description": "What went wrong this time, for a person." },
            "code": { "type": "string", "description": "What went wrong, for a program. Codes do not change." },
            "trace_id": { "type": "string", "pattern": TRACE_ID, "description": "Finds this request in the server's logs." },
            "errors": {
                "type": "array",
                "description": "Every wrong field of the input.",
                "items": { "$ref": component(FIELD_ERROR) },
            },
        },
    }))
}

/// Returns the schema of one wrong field.
pub fn field_error_schema() -> SchemaObject {
    let places = [Place::Path, Place::Query, Place::Header, Place::Cookie, Place::Body].map(|place| json!(place));
    raw(json!({
        "type": "object",
        "description": "One wrong field of the input.",
        "additionalProperties": false,
        "required": ["in", "pointer", "code", "message"],
        "properties": {
            "in": { "type": "string", "enum": places, "description": "The part of the request." },
            "pointer": {
                "type": "string",
                "description": "A JSON pointer (RFC 6901) into the body, or `/name` of a parameter.",
            },
            "code": { "type": "string", "description": "What is wrong, for a program: `required`, `type`, `length`, …" },
            "message": { "type": "string", "description": "What is wrong, for a person." },
        },
    }))
}

/// What a trace id looks like (W3C Trace Context).
pub(super) const TRACE_ID: &str = "^[0-9a-f]{32}$";
/// A trace id for examples; the one of the W3C's own.
pub(super) const SOME_TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const fn framework(status: u16, code: &'static str, message: &'static str, docs: &'static str) -> ErrorVariant {
    ErrorVariant { status, code, message, docs, retry: Retry::ByStatus }
}

/// 400, for an operation with a body of JSON.
pub(super) const NOT_JSON: ErrorVariant = framework(
    400,
    code::MALFORMED_BODY,
    "the body is not JSON: expected value at line 1 column 1",
    "The body is not what its content type says.",
);
/// 400, for an operation with a form.
pub(super) const NOT_A_FORM: ErrorVariant = framework(
    400,
    code::MALFORMED_BODY,
    "the body is not a form: the multipart stream is incomplete",
    "The body is not what its content type says.",
);
/// 400, for an operation with a body.
pub(super) const BROKEN_OFF: ErrorVariant = framework(
    400,
    code::BAD_REQUEST,
    "the body broke off or is not framed correctly",
    "The body broke off or is not framed correctly.",
);
/// 413, for an operation with a body.
pub(super) const TOO_LARGE: ErrorVariant =
    framework(413, code::BODY_TOO_LARGE, "the body is larger than allowed", "The body is larger than allowed.");
/// 413, for an operation with a form.
pub(super) const FILE_TOO_LARGE: ErrorVariant =
    framework(413, code::FILE_TOO_LARGE, "the file is larger than allowed", "A file is larger than allowed.");
/// 413, for an operation with a form.
pub(super) const TOO_MANY_PARTS: ErrorVariant = framework(
    413,
    code::TOO_MANY_PARTS,
    "a form may have at most 100 fields",
    "The form has too many fields or files.",
);
/// 403, for an operation that changes something.
pub(super) const CROSS_SITE: ErrorVariant = framework(
    403,
    code::CSRF_REFUSED,
    "this request comes from a page of another origin",
    "A page of another origin makes the request.",
);
/// 408, for an operation with a body.
pub(super) const SLOW_BODY: ErrorVariant =
    framework(408, code::BODY_TIMEOUT, "the body did not come in time", "The body did not come in time.");
/// 414, for every operation.
pub(super) const LONG_TARGET: ErrorVariant = framework(
    414,
    code::URI_TOO_LONG,
    "the path and query of a request may have at most 16384 bytes",
    "The path and query are longer than allowed.",
);
/// 421, for every operation.
pub(super) const OTHER_HOST: ErrorVariant = framework(
    421,
    code::HOST_REFUSED,
    "this server has another name than the one in `Host`",
    "The request is for a host that this server is not.",
);
/// 401, for a webhook.
pub(super) const NOT_SIGNED: ErrorVariant = framework(
    401,
    code::WEBHOOK_SIGNATURE,
    "the delivery is not signed as it should be",
    "The signature is missing, wrong, or too old.",
);
/// 409, for an operation that takes an idempotency key.
pub(super) const STILL_RUNNING: ErrorVariant = framework(
    409,
    code::IDEMPOTENCY_RUNNING,
    "a call with this idempotency key is still running; try again later",
    "A call with the same idempotency key is still running.",
);
/// 400, for an operation of tenants.
const NO_TENANT: ErrorVariant = framework(
    400,
    code::TENANT_MISSING,
    "say whose data it is about in the header `X-Tenant`",
    "The request does not say whose data it is about.",
);
/// 404, for an operation of tenants.
const OTHER_TENANT: ErrorVariant =
    framework(404, code::TENANT_UNKNOWN, "there is no such tenant", "There is no such tenant.");

/// Returns what stands before an operation of tenants.
pub(super) fn tenant() -> GuardDoc {
    let mut doc = GuardDoc::new("tenant");
    doc.errors = vec![NO_TENANT, OTHER_TENANT];
    doc.hidden_errors = true;
    doc
}

/// 422, for an operation that takes an idempotency key.
pub(super) const OTHER_INPUT: ErrorVariant = framework(
    422,
    code::IDEMPOTENCY_MISMATCH,
    "this idempotency key was used with another input",
    "The idempotency key was used with another input.",
);
/// 422, for an operation that takes an idempotency key.
pub(super) const NO_KEY: ErrorVariant = framework(
    422,
    code::IDEMPOTENCY_KEY,
    "an idempotency key is 1 to 255 visible ASCII characters",
    "The idempotency key is none: it has 1 to 255 visible ASCII characters.",
);
/// 415, for an operation with a body.
pub(super) const WRONG_TYPE: ErrorVariant = framework(
    415,
    code::UNSUPPORTED_MEDIA_TYPE,
    "the body is of another content type",
    "The body is of a content type that is not read here.",
);
/// 422, for an operation with an input.
pub(super) const INVALID: ErrorVariant = <InvalidInput as ActionError>::VARIANTS[0];
/// 500, for every operation.
pub(super) const INTERNAL: ErrorVariant = framework(
    500,
    code::INTERNAL,
    "an internal error; the server's log has the cause under this trace id",
    "Something failed that the caller cannot mend.",
);
/// 503, for every operation.
pub(super) const DATABASE_AWAY: ErrorVariant = framework(
    503,
    code::DATABASE_UNAVAILABLE,
    "the database cannot be reached; try again",
    "The database cannot be reached; another attempt may succeed.",
);
/// 503, for every operation.
pub(super) const DATABASE_BUSY: ErrorVariant = framework(
    503,
    code::DATABASE_BUSY,
    "the database is busy; try again",
    "The database has no room for this call; another attempt may succeed.",
);
/// 504, for every operation.
pub(super) const DATABASE_TIMEOUT: ErrorVariant =
    framework(504, code::DATABASE_TIMEOUT, "the database took too long", "The database took too long.");
/// 504, for an operation with a timeout.
pub(super) const TIMED_OUT: ErrorVariant = framework(
    504,
    code::TIMEOUT,
    "this took too long and was stopped; try again later",
    "The action did not answer in time.",
);

/// Returns an example of a problem.
pub(super) fn example(variant: &ErrorVariant) -> Value {
    let mut problem = json!({
        "type": code::PROBLEM_TYPE,
        "title": code::title(variant.status),
        "status": variant.status,
        "detail": variant.message,
        "code": variant.code,
        "trace_id": SOME_TRACE_ID,
    });
    if variant.status == INVALID.status && variant.code == INVALID.code {
        problem["errors"] =
            json!([{ "in": "body", "pointer": "/name", "code": "required", "message": "this field is required" }]);
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn the_documented_codes_are_those_of_the_errors() {
        let away = sea_orm::DbErr::Conn(sea_orm::RuntimeErr::Internal("gone".to_owned()));
        for (error, variant) in [
            (Error::bad_request(""), BROKEN_OFF),
            (Error::invalid(Vec::new()), INVALID),
            (Error::internal("cause"), INTERNAL),
            (Error::from(away), DATABASE_AWAY),
        ] {
            assert_eq!((error.status(), error.code()), (variant.status, variant.code));
        }
        assert_eq!(Error::internal("cause").detail(), INTERNAL.message);
    }
}
