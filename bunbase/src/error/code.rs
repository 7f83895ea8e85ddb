//! The stable codes of the framework's own errors, and the words that go with a status. What answers and what documents the
//! answers name the same constants.

/// The `type` member of a problem (RFC 9457 section 4.2.1): `code` says more than the status does.
pub const PROBLEM_TYPE: &str = "about:blank";

/// 400: the body broke off, or is not framed correctly.
pub const BAD_REQUEST: &str = "bad_request";
/// 400: the body is not JSON, or not a form.
pub const MALFORMED_BODY: &str = "malformed_body";
/// 406: the caller takes none of the content types that there are.
pub const NOT_ACCEPTABLE: &str = "not_acceptable";
/// 401: a webhook's delivery is not signed as it must be.
pub const WEBHOOK_SIGNATURE: &str = "webhook_signature";
/// 409: the call with this idempotency key still runs.
pub const IDEMPOTENCY_RUNNING: &str = "idempotency_running";
/// 413: the body is larger than allowed.
pub const BODY_TOO_LARGE: &str = "body_too_large";
/// 413: a file of a form is larger than allowed.
pub const FILE_TOO_LARGE: &str = "file_too_large";
/// 413: a form has more fields or files than allowed.
pub const TOO_MANY_PARTS: &str = "too_many_parts";
/// 414: the path and query are longer than allowed.
pub const URI_TOO_LONG: &str = "uri_too_long";
/// 421: the request is for a host that the server is not.
pub const HOST_REFUSED: &str = "host_refused";
/// 403: a page of another origin makes the request.
pub const CSRF_REFUSED: &str = "csrf_refused";
/// 408: the body did not come in time.
pub const BODY_TIMEOUT: &str = "body_timeout";
/// 415: the body is of another content type than the one that is read.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
/// 422: fields of the input are wrong; `errors` lists them.
pub const INVALID_INPUT: &str = "invalid_input";
/// 404: no action has this name.
pub const ACTION_UNKNOWN: &str = "action_unknown";
/// 422: the idempotency key is not one.
pub const IDEMPOTENCY_KEY: &str = "idempotency_key";
/// 422: another call had this idempotency key.
pub const IDEMPOTENCY_MISMATCH: &str = "idempotency_mismatch";
/// 400: the request names no tenant.
pub const TENANT_MISSING: &str = "tenant_missing";
/// 403: the run is another tenant's.
pub const TENANT_OTHER: &str = "tenant_other";
/// 404: there is no such tenant.
pub const TENANT_UNKNOWN: &str = "tenant_unknown";
/// 401: nobody is signed in.
pub const SESSION_MISSING: &str = "session_missing";
/// 401: the session's token is none that a key of now has signed.
pub const SESSION_INVALID: &str = "session_invalid";
/// 401: the session's time is over.
pub const SESSION_EXPIRED: &str = "session_expired";
/// 401: the session was ended.
pub const SESSION_ENDED: &str = "session_ended";
/// 401: the sign-in is too long ago for this.
pub const STEP_UP_REQUIRED: &str = "step_up_required";
/// 403: whoever is signed in does not have the role.
pub const ROLE_MISSING: &str = "role_missing";
/// 403: whoever is signed in does not have the permission.
pub const PERMISSION_MISSING: &str = "permission_missing";
/// 429: there were too many calls.
pub const RATE_LIMITED: &str = "rate_limited";
/// 500: the cause is in the log.
pub const INTERNAL: &str = "internal";
/// 503: the database has no room, lock or turn for the call.
pub const DATABASE_BUSY: &str = "database_busy";
/// 503: the database cannot be reached.
pub const DATABASE_UNAVAILABLE: &str = "database_unavailable";
/// 504: the database gave a statement up after its own time limit.
pub const DATABASE_TIMEOUT: &str = "database_timeout";
/// Redis does not answer.
pub const REDIS_UNAVAILABLE: &str = "redis_unavailable";
/// The connection was lost during a commit.
pub const COMMIT_UNKNOWN: &str = "commit_unknown";
/// 499, which only records show: the run was asked to stop, or its client left.
pub const CANCELLED: &str = "cancelled";
/// 504: the action did not answer in time.
pub const TIMEOUT: &str = "timeout";

/// Returns the `title` of a problem: the reason phrase of its status as the IANA registry had it until RFC 9110, which the HTTP crates write, `Error` for an unnamed one.
pub const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => "Error",
    }
}
