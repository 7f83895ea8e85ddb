//! One exchange of the streamable HTTP transport: a message in, its answer out. No sessions, and no streams.

use std::{any::Any, fmt, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use rmcp::{
    ErrorData,
    model::JsonRpcError,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde::de::IgnoredAny;
use url::Url;

use super::{
    Server,
    server::{Caller, Handler},
};
use crate::{
    Error, Result,
    action::Reply,
    context::{Identity, Request},
    error::code,
    observe::trace::Parent,
};

/// A POST request, in words that every web server has.
pub struct Exchange {
    /// The request without its body, as guards see it.
    pub request: Request,
    /// All headers, in their order.
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
    /// The trace that the request belongs to.
    pub trace: Parent,
    /// Kept until the run is over.
    pub running: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Where the tools are served over HTTP.
#[derive(Clone)]
pub struct Endpoint(StreamableHttpService<Handler, NeverSessionManager>);

impl Endpoint {
    /// Serves tools to those who name one of `hosts` as the server's, all where there is none, and to web pages of `origins`.
    ///
    /// An origin is as browsers send it; `*` is every one. Pages of the hosts themselves are welcome, too.
    pub fn new(server: &Server, hosts: &[String], origins: &[String], max_body_bytes: u64) -> Self {
        let mut config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_allowed_hosts(hosts)
            .with_max_request_body_bytes(usize::try_from(max_body_bytes).unwrap_or(usize::MAX));
        if !origins.iter().any(|origin| origin == "*") {
            let own = hosts.iter().flat_map(|host| own_origins(host));
            let origins = origins.iter().filter_map(|origin| with_port(origin)).chain(own).collect::<Vec<_>>();
            config = config.with_allowed_origins(origins).enforce_origin_validation();
        }
        let handler = server.handler(Identity::Anonymous);
        Self(StreamableHttpService::new(move || Ok(handler.clone()), Arc::default(), config))
    }

    /// Answers one message.
    ///
    /// # Errors
    /// What is wrong with the request before it is a message: 403 for a host or an origin that is not welcome, 406, 413, 415.
    pub async fn answer(&self, exchange: Exchange) -> Result<Reply> {
        let Exchange { request, headers, body, trace, running } = exchange;
        let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let full = Full::new(body.clone());
        let mut message = http::Request::post(request.path()).body(full).map_err(Error::internal)?;
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(Error::internal)?;
            message.headers_mut().append(name, http::HeaderValue::from_maybe_shared(value).map_err(Error::internal)?);
        }
        message.extensions_mut().insert(Caller { request, trace, _running: running });
        let answer = reply(self.0.handle(message).await).await;
        match &answer {
            // The SDK says so of a body that it cannot read, too.
            Err(error) if error.status() == 415 && is_json => unreadable(&body),
            _ => answer,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("config", &self.0.config).finish_non_exhaustive()
    }
}

type Answer = http::Response<http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>>;

async fn reply(answer: Answer) -> Result<Reply> {
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let status = parts.status.as_u16();
    let is_json = parts.headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    match (is_json, status) {
        (true, _) => Ok(Reply::bytes(status, "application/json", body)),
        (false, 200..400) => Ok(Reply::empty(status)),
        _ => Err(refusal(status, String::from_utf8_lossy(&body).trim())),
    }
}

/// Makes an error of a refusal that is only text.
fn refusal(status: u16, text: &str) -> Error {
    let detail = text.split_once(": ").map_or(text, |(_, detail)| detail).to_owned();
    match status {
        403 => Error::forbidden(format!("{detail}; `mcp.hosts` and `cors.origins` list what is allowed")),
        406 => Error::new(status, code::NOT_ACCEPTABLE, detail),
        413 => Error::new(status, code::BODY_TOO_LARGE, detail),
        415 => Error::new(status, code::UNSUPPORTED_MEDIA_TYPE, detail),
        400..500 => Error::new(status, code::BAD_REQUEST, detail),
        _ => Error::internal(text.to_owned()),
    }
}

/// Answers what is no JSON, or JSON that is no message (JSON-RPC 2.0 section 5.1).
fn unreadable(body: &[u8]) -> Result<Reply> {
    let error = match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => ErrorData::invalid_request("this is no JSON-RPC message", None),
        Err(error) => ErrorData::parse_error(format!("this is not JSON: {error}"), None),
    };
    Reply::json(400, &JsonRpcError::new(None, error))
}

/// Returns the origins of a host's own pages, whatever the port.
fn own_origins(host: &str) -> [String; 2] {
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    ["http", "https"].map(|scheme| format!("{scheme}://{host}:*"))
}

/// Writes an origin with its port, which browsers leave out where it is the scheme's own.
fn with_port(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok()?;
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?))
}
