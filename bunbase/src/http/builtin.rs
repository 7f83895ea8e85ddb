//! The endpoints that every application has: health, and documents served from memory.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderMap},
};
use serde_json::{Value, json};

pub(crate) use super::table::Builtin;
use super::{compress::accepted, health::Health};
use crate::asset::Asset;

/// Serves an asset, 304 where the caller has it already. `policy` is the `Content-Security-Policy` of a page.
pub(crate) fn asset(asset: Arc<Asset>, policy: Option<&'static str>) -> Builtin {
    Arc::new(move |head| {
        let response = answer(&asset, policy, &head.headers);
        Box::pin(async move { response })
    })
}

/// Sends callers of one path to another, for good.
pub(crate) fn redirect(to: &str) -> Builtin {
    let to: Arc<str> = to.into();
    Arc::new(move |_head| {
        let response = HttpResponse::PermanentRedirect().insert_header((header::LOCATION, &*to)).finish();
        Box::pin(async move { response })
    })
}

fn answer(asset: &Asset, policy: Option<&'static str>, headers: &HeaderMap) -> HttpResponse {
    let form = asset.choose(accepted(headers));
    let mut known = headers.get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let is_fresh = known.any(|tags| form.is_fresh(tags));
    let mut response = if is_fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, form.etag));
    response.insert_header((header::VARY, "Accept-Encoding"));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if let Some(policy) = policy {
        response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        response.insert_header((header::REFERRER_POLICY, "no-referrer"));
    }
    if is_fresh {
        return response.finish();
    }
    if let Some(encoding) = form.encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response.insert_header((header::CONTENT_TYPE, asset.content_type())).body(form.bytes)
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

/// `/_health`: every check with its latency. `version` is the application's.
pub(crate) fn full(health: Arc<Health>, version: &str) -> Builtin {
    let version: Arc<str> = version.into();
    Arc::new(move |_head| {
        let (health, version) = (health.clone(), version.clone());
        Box::pin(async move {
            let (report, age) = health.report().await;
            let status = if health.is_stopping() { "stopping" } else { report.status };
            let body = json!({
                "status": status,
                "version": &*version,
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
