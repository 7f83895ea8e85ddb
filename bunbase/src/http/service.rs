//! The service behind actix's `default_service`: every request that no mounted service of the application took.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpMessage, HttpResponse,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};

use super::{
    head::Head,
    problem,
    table::{Arrival, Builtin, Table, Target},
};
use crate::{Error, context::TraceId};

pub(crate) const TRACE_HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// Returns the caller's trace id, or a new one.
pub(crate) fn trace_of(headers: &HeaderMap) -> TraceId {
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    parent.and_then(TraceId::from_traceparent).unwrap_or_else(TraceId::random)
}

/// Answers one request.
pub(crate) async fn serve(table: Arc<Table>, mut request: ServiceRequest) -> Result<ServiceResponse, actix_web::Error> {
    let started = Instant::now();
    let trace = trace_of(request.headers());
    // Asked before the answer is made: whoever is told to go has also been told that the server is not ready.
    let stopping = table.in_flight.is_stopping();
    let headers = std::mem::replace(request.headers_mut(), HeaderMap::new());
    let payload = request.take_payload();
    let found = table.find(request.method(), request.uri().path());
    let peer = request.peer_addr().map(|peer| peer.ip());
    let client_ip = table.settings.proxies.client(peer, &headers);
    let head = Arc::new(Head {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers,
        peer,
        client_ip,
        param_names: found.param_names,
        params: found.params,
    });
    let response = match found.target {
        Target::Action(route) => (route.endpoint.handle)(route.clone(), head.clone(), payload, trace).await,
        Target::Builtin(Builtin::Get(answer)) => answer(head.clone()).await,
        Target::Builtin(Builtin::Check(answer)) => {
            answer(head.clone()).await.unwrap_or_else(|error| problem::respond(&error, trace))
        }
        Target::Builtin(Builtin::Post(take)) => {
            let (running, settings) = (table.in_flight.enter(), table.settings.clone());
            let arrival = Arrival { head: head.clone(), payload, trace, running, settings };
            take(arrival).await.unwrap_or_else(|error| problem::respond(&error, trace))
        }
        Target::Options(allow) => HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish(),
        Target::WrongMethod(allow) => {
            let detail = format!("this path does not take {}; see the header `Allow`", head.method);
            let mut response = problem::respond(&Error::new(405, "method_not_allowed", detail), trace);
            response.headers_mut().insert(header::ALLOW, allow.clone());
            response
        }
        Target::Nothing => problem::respond(&nothing_here(), trace),
    };
    let mut response = finish(response, trace);
    if stopping {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    log(&head.method, head.uri.path(), &response, started, trace);
    Ok(request.into_response(response))
}

/// What is answered where nothing is served.
pub(crate) fn nothing_here() -> Error {
    Error::new(404, "no_route", "there is nothing at this path")
}

/// Adds what every response carries.
pub(crate) fn finish<B>(mut response: HttpResponse<B>, trace: TraceId) -> HttpResponse<B> {
    if let Ok(value) = HeaderValue::from_bytes(&trace.to_hex()) {
        response.headers_mut().insert(TRACE_HEADER, value);
    }
    // A body that may be anything is never to be taken for a script.
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Logs one line for a request. The query is left out: it carries secrets.
pub(crate) fn log<B>(method: &Method, path: &str, response: &HttpResponse<B>, started: Instant, trace: TraceId) {
    let status = response.status().as_u16();
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    let ms = format_args!("{duration_ms:.2}");
    if status >= 500 {
        tracing::error!(target: "bunbase::http", %method, path, status, duration_ms = %ms, trace_id = %trace, "request");
    } else {
        tracing::info!(target: "bunbase::http", %method, path, status, duration_ms = %ms, trace_id = %trace, "request");
    }
}
