//! What every request passes before it reaches anything: the length of its target, the host it names, the page it comes from.

use std::net::IpAddr;

use actix_web::http::{Method, Uri, header::HeaderMap};

use super::{head, proxies::Way, table::Table};
use crate::{Error, Result, action::Door, config::HEALTH_PATHS, context::TraceId, error::code, observe::Refusal};

/// Lets a request in, or refuses it.
///
/// # Errors
/// 414 for a target that is too long, 421 for a host that is not the server's, 403 for a request that a foreign page makes.
pub(crate) fn check(
    table: &Table,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    way: &Way,
    trace: TraceId,
) -> Result<()> {
    decide(table, method, uri, headers, way).inspect_err(|error| log(error, uri.path(), way.client, trace))
}

/// Logs that a request was refused which has reached no action.
pub(crate) fn log(error: &Error, path: &str, client: Option<IpAddr>, trace: TraceId) {
    let (status, code) = (error.status(), error.code());
    if Refusal::is(status) {
        let (path, door) = (Some(path), Door::Http.as_str());
        Refusal { action: None, path, door, status, code, client, user: None, trace: &trace }.log();
    }
}

fn decide(table: &Table, method: &Method, uri: &Uri, headers: &HeaderMap, way: &Way) -> Result<()> {
    let settings = &table.settings;
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length as u64 > settings.max_uri_bytes {
        let detail = format!("the path and query of a request may have at most {} bytes", settings.max_uri_bytes);
        return Err(Error::new(414, code::URI_TOO_LONG, detail));
    }
    let path = uri.path();
    // Most requests are judged without it.
    let host = || way.host.as_deref().or_else(|| head::host(uri, headers));
    // Those who look whether an instance lives call it by its address, and learn nothing.
    if !settings.hosts.welcome_all() && !settings.hosts.welcomes(host()) && !HEALTH_PATHS[1..].contains(&path) {
        return Err(misdirected());
    }
    match settings.csrf.check(method, path, headers, host, way.is_secure) {
        // The sender of a webhook signs what it sends, and has no cookies.
        Err(_) if table.is_webhook(method, path) => Ok(()),
        checked => checked,
    }
}

fn misdirected() -> Error {
    let detail = "this server has another name than the one in `Host`; `http.allowed_hosts` lists those that it has";
    Error::new(421, code::HOST_REFUSED, detail)
}
