//! The endpoints that every application has: health, and documents served from memory.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderMap},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    compress::{Encoding, negotiate},
    health::Health,
    table::Builtin,
};

/// A document in memory, in every encoding that it is served in.
#[derive(Clone, Debug)]
pub struct Document {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The bytes as they are.
    pub identity: Bytes,
    /// The bytes in gzip.
    pub gzip: Bytes,
    /// The bytes in brotli, where that is worth its size.
    pub brotli: Option<Bytes>,
    /// The strong entity tag, with its quotes.
    pub etag: String,
    /// The value of `Content-Security-Policy`, for pages.
    pub policy: Option<&'static str>,
}

/// Serves a document, 304 where the caller has it already.
pub(crate) fn document(document: Document) -> Builtin {
    let document = Arc::new(document);
    Arc::new(move |head| {
        let response = answer(&document, &head.headers);
        Box::pin(async move { response })
    })
}

fn answer(document: &Document, headers: &HeaderMap) -> HttpResponse {
    let (bytes, encoding) = match (negotiate(headers), &document.brotli) {
        (Some(Encoding::Brotli), Some(brotli)) => (brotli, Some(Encoding::Brotli)),
        (Some(_), _) => (&document.gzip, Some(Encoding::Gzip)),
        (None, _) => (&document.identity, None),
    };
    // Each encoding is a representation of its own, with a tag of its own (RFC 9110 section 8.8.3.3).
    let etag = match encoding {
        None => document.etag.clone(),
        Some(encoding) => format!("{}-{}\"", document.etag.trim_end_matches('"'), encoding.as_str()),
    };
    let mut response = if matches(headers, &etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, etag));
    response.insert_header((header::VARY, "Accept-Encoding"));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if let Some(policy) = document.policy {
        response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        response.insert_header((header::REFERRER_POLICY, "no-referrer"));
    }
    response.insert_header((header::CONTENT_TYPE, document.content_type));
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding.as_str()));
    }
    let is_known = response.finish();
    if is_known.status().is_redirection() { is_known } else { is_known.set_body(bytes.clone()).map_into_boxed_body() }
}

fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// `/_health/live`: the process answers.
pub(crate) fn live(health: Arc<Health>) -> Builtin {
    Arc::new(move |_head| {
        let uptime = health.uptime().as_secs();
        Box::pin(async move { plain(200, &json!({ "status": "ok", "uptime_s": uptime })) })
    })
}

/// `/_health/ready`: the process can do its work, as far as all its checks say, and is not about to stop.
pub(crate) fn ready(health: Arc<Health>) -> Builtin {
    Arc::new(move |_head| {
        let health = health.clone();
        Box::pin(async move {
            if health.is_stopping() {
                return plain(503, &json!({ "status": "stopping" }));
            }
            let (report, _) = health.report().await;
            plain(if report.status == "ok" { 200 } else { 503 }, &json!({ "status": report.status }))
        })
    })
}

/// `/_health`: every check with its latency.
pub(crate) fn full(health: Arc<Health>) -> Builtin {
    Arc::new(move |_head| {
        let health = health.clone();
        Box::pin(async move {
            let (report, age) = health.report().await;
            let status = if health.is_stopping() { "stopping" } else { report.status };
            let body = json!({
                "status": status,
                "version": env!("CARGO_PKG_VERSION"),
                "uptime_s": health.uptime().as_secs(),
                "age_ms": u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
                "checks": report.checks,
            });
            plain(if status == "ok" { 200 } else { 503 }, &body)
        })
    })
}

fn plain(status: u16, body: &Value) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if status.is_server_error() {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    response.insert_header((header::CONTENT_TYPE, "application/json")).body(body.to_string())
}
