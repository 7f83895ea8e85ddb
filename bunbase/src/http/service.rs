//! The service behind all others: every request that no mounted service of the application took.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use actix_http::Request;
use actix_web::{
    HttpMessage, HttpResponse,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method, Uri, Version,
        header::{self, HeaderMap, HeaderValue},
    },
};

use super::{
    detach::Detached,
    gate,
    head::Head,
    held::Held,
    problem,
    security::AnswerHeaders,
    settings::Settings,
    table::{Arrival, Builtin, Table, Target},
    traced,
};
use crate::{Error, context::TraceId, observe::trace::Parent};

/// A request, taken apart.
struct Arriving {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    payload: Payload,
    peer: Option<IpAddr>,
    /// Whether the connection is encrypted by this server.
    is_encrypted: bool,
    /// Whether it has passed the gate.
    is_checked: bool,
    /// See [`Head::is_polled_again`].
    is_polled_again: bool,
}

/// Answers one request behind the mounted services and the cross-origin rules. `is_checked` says whether it has passed the gate.
pub(crate) async fn serve(
    table: Arc<Table>,
    mut request: ServiceRequest,
    is_checked: bool,
) -> Result<ServiceResponse, actix_web::Error> {
    let arriving = Arriving {
        method: request.method().clone(),
        uri: request.uri().clone(),
        version: request.version(),
        headers: std::mem::replace(request.headers_mut(), HeaderMap::new()),
        payload: request.take_payload(),
        peer: request.peer_addr().map(|peer| peer.ip()),
        is_encrypted: request.app_config().secure(),
        is_checked,
        // Who calls it is not known: a test, or a layer.
        is_polled_again: false,
    };
    let (response, headers) = answer(&table, arriving).await;
    *request.headers_mut() = headers;
    Ok(request.into_response(response))
}

/// Answers one request where there is nothing else: without actix's own application, whose routing and layers would have nothing to do.
pub(crate) async fn serve_alone(
    table: Arc<Table>,
    mut request: Request,
    is_encrypted: bool,
) -> Result<HttpResponse, actix_web::Error> {
    let (payload, peer) = (request.take_payload(), request.peer_addr().map(|peer| peer.ip()));
    let head = request.head_mut();
    let arriving = Arriving {
        method: head.method.clone(),
        uri: std::mem::take(&mut head.uri),
        version: head.version,
        headers: std::mem::replace(&mut head.headers, HeaderMap::new()),
        is_polled_again: head.version < Version::HTTP_2 && !matches!(payload, Payload::None),
        payload,
        peer,
        is_encrypted,
        is_checked: false,
    };
    let (response, headers) = answer(&table, arriving).await;
    // The worker reads its next request into the same map.
    request.head_mut().headers = headers;
    Ok(response)
}

/// Answers a request, and gives its headers back unless somebody still has them.
async fn answer(table: &Table, arriving: Arriving) -> (HttpResponse, HeaderMap) {
    let started = Instant::now();
    let _entered = table.measures.enter();
    let Arriving { method, uri, version, headers, payload, peer, is_encrypted, is_checked, is_polled_again } = arriving;
    let parent = traced::arrive(&table.tracer, &headers);
    let trace = parent.trace;
    // Asked before the answer is made: whoever is told to go has also been told that the server is not ready.
    let stopping = table.in_flight.is_stopping();
    let (payload, rest) = Held::new(&headers, payload);
    let way = table.settings.proxies.way(peer, is_encrypted, &headers);
    if !is_checked && let Err(error) = gate::check(table, &method, &uri, &headers, &way, trace) {
        let response = finish(problem::respond(&error, trace), trace, &table.settings.answers, way.is_secure);
        let status = response.status();
        traced::refused(&table.tracer, &parent, status, started, |span| {
            traced::describe_request(span, &method, &uri, &headers);
        });
        table.measures.failed(error.code());
        let took = started.elapsed();
        table.measures.answered(None, (&method, status.as_u16()), took, recorded(table, &parent));
        log(&table.settings, (&method, uri.path()), &response, took, trace);
        return (rest.until_sent(response), headers);
    }
    let found = table.find(&method, uri.path());
    let (measured, recorded) = (found.measured, recorded(table, &parent));
    let refuse = |error: &Error| {
        table.measures.failed(error.code());
        problem::respond(error, trace)
    };
    let head = Arc::new(Head {
        method,
        uri,
        version,
        headers,
        peer,
        client_ip: way.client,
        is_secure: way.is_secure,
        forwarded_host: way.host,
        param_names: found.param_names,
        params: found.params,
        is_polled_again: AtomicBool::new(is_polled_again),
        goes_on: AtomicBool::new(false),
    });
    let response = match found.target {
        Target::Action(route) => {
            let work = (route.endpoint.handle)(route.clone(), head.clone(), payload, parent, started);
            Detached::new(work, &head, &table.in_flight).await
        }
        Target::Builtin(builtin, token) => match (token.map_or(Ok(()), |token| token.check(&head.headers)), builtin) {
            (Err(error), _) => {
                gate::log(&error, head.uri.path(), head.client_ip, trace);
                let mut response = refuse(&error);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            (Ok(()), Builtin::Get(answer)) => answer(head.clone()).await.unwrap_or_else(|error| refuse(&error)),
            (Ok(()), Builtin::Post(take)) => {
                let (running, settings) = (table.in_flight.enter(), table.settings.clone());
                let arrival = Arrival { head: head.clone(), payload, trace: parent, running, settings };
                take(arrival).await.unwrap_or_else(|error| refuse(&error))
            }
        },
        Target::Options(allow) => HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish(),
        Target::WrongMethod(allow) => {
            let detail = format!("this path does not take {}; see the header `Allow`", head.method);
            let mut response = refuse(&Error::new(405, "method_not_allowed", detail));
            response.headers_mut().insert(header::ALLOW, allow.clone());
            traced::refused(&table.tracer, &parent, response.status(), started, |span| traced::describe(span, &head));
            response
        }
        Target::Nothing => {
            let response = refuse(&nothing_here());
            traced::refused(&table.tracer, &parent, response.status(), started, |span| traced::describe(span, &head));
            response
        }
    };
    let mut response = finish(response, trace, &table.settings.answers, head.is_secure);
    if stopping {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let took = started.elapsed();
    table.measures.answered(measured, (&head.method, response.status().as_u16()), took, recorded);
    log(&table.settings, (&head.method, head.uri.path()), &response, took, trace);
    (rest.until_sent(response), Arc::try_unwrap(head).map(|head| head.headers).unwrap_or_default())
}

/// Returns the trace of a request, where it is recorded.
fn recorded(table: &Table, parent: &Parent) -> Option<TraceId> {
    (parent.sampled && table.tracer.is_on()).then_some(parent.trace)
}

/// What is answered where nothing is served.
pub(crate) fn nothing_here() -> Error {
    Error::new(404, "no_route", "there is nothing at this path")
}

/// Adds what every response carries.
pub(crate) fn finish<B>(
    mut response: HttpResponse<B>,
    trace: TraceId,
    answers: &AnswerHeaders,
    is_secure: bool,
) -> HttpResponse<B> {
    answers.dress(response.headers_mut(), trace, is_secure);
    response
}

/// Logs one line for a request. The query is left out: it carries secrets.
pub(crate) fn log<B>(
    settings: &Settings,
    (method, path): (&Method, &str),
    response: &HttpResponse<B>,
    took: Duration,
    trace: TraceId,
) {
    let status = response.status().as_u16();
    macro_rules! line {
        ($level:ident) => {{
            let ms = format_args!("{:.2}", took.as_secs_f64() * 1000.0);
            tracing::$level!(target: "bunbase::http", %method, path, status, duration_ms = %ms, trace_id = %trace, "request");
        }};
    }
    if status >= 500 {
        line!(error);
    } else if settings.logs_all {
        line!(info);
    } else {
        line!(debug);
    }
}
