//! Requests that an application makes itself, as part of the trace.

use std::borrow::Cow;

use http::{Extensions, HeaderValue};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Middleware, Next, Result};
use sea_orm::prelude::async_trait::async_trait;

use super::{Kind, Record, Span, with_current};

/// A middleware of `reqwest` that makes what is asked part of the trace: it sends `traceparent` and `tracestate`, and records a span where the
/// trace is recorded. Outside of a run it does nothing.
///
/// ```
/// use bunbase::observe::trace::Outgoing;
///
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(Outgoing).build();
/// # let _ = client;
/// ```
///
/// The span has the address without names, passwords and the values of its query, and the status; no headers and no bodies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing;

#[async_trait]
impl Middleware for Outgoing {
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let mut span = begin(&mut request);
        let result = next.run(request, extensions).await;
        span.write(|span| match &result {
            Ok(response) => {
                let status = response.status();
                span.set("http.response.status_code", status.as_u16());
                if status.is_client_error() || status.is_server_error() {
                    span.failed(status.as_str().to_owned());
                }
            }
            Err(error) => span.failed(kind_of(error)),
        });
        result
    }
}

/// Begins the span of a request, and tells whoever is asked of it.
fn begin(request: &mut Request) -> Span {
    with_current(|run| {
        let trace = run.trace();
        let mut span = trace.child(Kind::Client, Cow::Owned(request.method().as_str().to_owned()));
        span.write(|span| describe(span, request));
        let parent = span.below().unwrap_or_else(|| trace.below());
        let headers = request.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&parent.traceparent()) {
            headers.insert("traceparent", value);
        }
        if let Some(Ok(value)) = parent.state.as_deref().map(HeaderValue::from_str) {
            headers.insert("tracestate", value);
        }
        span
    })
    .unwrap_or(Span::none())
}

fn describe(span: &mut Record, request: &Request) {
    let url = request.url();
    span.set("http.request.method", request.method().as_str().to_owned());
    span.set("url.full", shown(url));
    if let Some(host) = url.host_str() {
        span.set("server.address", host.to_owned());
    }
    if let Some(port) = url.port_or_known_default() {
        span.set("server.port", port);
    }
}

/// Writes an address without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // These fail only where there is no host, and then there is nothing to take away.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if url.query().is_some() {
        let keys: Vec<_> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
        shown.query_pairs_mut().clear().extend_pairs(keys.iter().map(|key| (key, "REDACTED")));
    }
    shown.into()
}

fn kind_of(error: &reqwest_middleware::Error) -> &'static str {
    match error {
        reqwest_middleware::Error::Reqwest(error) if error.is_timeout() => "timeout",
        reqwest_middleware::Error::Reqwest(error) if error.is_connect() => "connect",
        reqwest_middleware::Error::Reqwest(_) => "request",
        reqwest_middleware::Error::Middleware(_) => "middleware",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_secrets() {
        let url =
            "https://ann:hunter2@example.com:8443/a/b?token=hunter2&page=2&token=hunter3#hunter2".parse().unwrap();
        assert_eq!(shown(&url), "https://example.com:8443/a/b?token=REDACTED&page=REDACTED&token=REDACTED");
        let plain = "http://example.com/".parse().unwrap();
        assert_eq!(shown(&plain), "http://example.com/");
    }
}
