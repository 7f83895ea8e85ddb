//! The spans of requests, in the words of the semantic conventions for HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>, stable). Queries are left out: they carry secrets.

use std::time::Instant;

use actix_web::http::{
    Method, StatusCode, Uri, Version,
    header::{self, HeaderMap, HeaderName},
};

use super::head::Head;
use crate::{
    context::RequestHead,
    observe::trace::{Kind, Parent, Record, Tracer},
};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest text of a request that a span has, in bytes.
const LONGEST: usize = 1024;

/// Returns the trace that a request belongs to, and whether it is recorded.
pub(crate) fn arrive(tracer: &Tracer, headers: &HeaderMap) -> Parent {
    let mut parents = headers.get_all(&TRACEPARENT);
    let told = match (parents.next(), parents.next()) {
        // Two of them contradict each other.
        (Some(one), None) => one.to_str().ok().and_then(|text| Parent::read(text.trim_matches([' ', '\t']))),
        _ => None,
    };
    let told = told.map(|parent| {
        let states = headers.get_all(&TRACESTATE).map(|value| value.to_str().unwrap_or("=")).collect::<Vec<_>>();
        if states.is_empty() { parent } else { parent.with_state(states) }
    });
    tracer.decide(told)
}

/// Records a request that reaches no action.
pub(crate) fn refused(
    tracer: &Tracer,
    parent: &Parent,
    status: StatusCode,
    started: Instant,
    describe: impl FnOnce(&mut Record),
) {
    let mut span = tracer.span(parent, Kind::Server, "HTTP").since(started.elapsed());
    span.write(|span| {
        describe(span);
        span.set("http.response.status_code", status.as_u16());
    });
}

/// Says which request it is, and which route it has taken.
pub(crate) fn describe_route(span: &mut Record, head: &Head, template: &str) {
    describe(span, head);
    span.name = format!("{} {template}", span.name).into();
    span.set("http.route", template.to_owned());
}

/// Says which request it is.
pub(crate) fn describe(span: &mut Record, head: &Head) {
    describe_request(span, &head.method, &head.uri, &head.headers);
    span.set("url.scheme", if head.is_secure { "https" } else { "http" });
    span.set(
        "network.protocol.version",
        match head.version {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        },
    );
    if let Some(client) = head.client_ip {
        span.set("client.address", client.to_string());
    }
    if let Some(peer) = head.peer {
        span.set("network.peer.address", peer.to_string());
    }
    if let Some(host) = head.host() {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse::<u16>().ok()),
            _ => (host, None),
        };
        span.set("server.address", cut(name));
        if let Some(port) = port {
            span.set("server.port", port);
        }
    }
}

/// Says what the request line and the headers say.
pub(crate) fn describe_request(span: &mut Record, method: &Method, uri: &Uri, headers: &HeaderMap) {
    // A method that nobody knows could be anything, and as many as there are requests.
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    };
    span.name = if method == "_OTHER" { "HTTP" } else { method }.into();
    span.set("http.request.method", method);
    span.set("url.path", cut(uri.path()));
    if let Some(agent) = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
        span.set("user_agent.original", cut(agent));
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}
