//! Actix services and static files of the application, beside its actions.

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use actix_web::{
    Error as ActixError, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW,
            CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, VARY,
        },
    },
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};

use super::{
    gate, problem,
    proxies::Way,
    security::TRACE_HEADER,
    service::{finish, log},
    table::Table,
    traced::arrive,
};
use crate::{Error, context::TraceId};

type Configure = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// What the application mounts beside its actions. Mounted services come first.
#[derive(Clone, Default)]
pub struct Mounts {
    configure: Vec<Configure>,
}

impl Mounts {
    /// Mounts services of actix, once on each worker.
    pub fn configure(&mut self, configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) {
        self.configure.push(Arc::new(configure));
    }

    /// Serves the files of a folder under a path, with `ETag`, ranges and `index.html`. Hidden files are not served.
    pub fn files(&mut self, path: &str, folder: impl Into<PathBuf>) {
        let (path, folder) = (path.to_owned(), folder.into());
        self.configure(move |config| {
            let files = actix_files::Files::new("", &folder).index_file("index.html").prefer_utf8(true);
            // actix-files refuses other methods without saying which there are.
            config.service(web::scope(&path).wrap(from_fn(only_reads)).service(files));
        });
    }

    /// Returns whether nothing is mounted.
    pub fn is_empty(&self) -> bool {
        self.configure.is_empty()
    }

    pub(crate) fn apply(&self, config: &mut ServiceConfig) {
        for configure in &self.configure {
            configure(config);
        }
    }
}

impl fmt::Debug for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mounts({})", self.configure.len())
    }
}

/// Lets GET and HEAD through, tells OPTIONS that there are no others, and refuses those.
async fn only_reads(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    let status = match *request.method() {
        Method::GET | Method::HEAD => return Ok(next.call(request).await?.map_into_boxed_body()),
        Method::OPTIONS => StatusCode::NO_CONTENT,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let response = HttpResponse::build(status).insert_header((ALLOW, "GET, HEAD, OPTIONS")).finish();
    Ok(request.into_response(response))
}

/// Gives the answers of mounted services, and of the cross-origin rules, what all answers have: a trace id, a line in the log, and
/// errors as problems.
pub(crate) async fn dress(
    table: Arc<Table>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    let started = Instant::now();
    let trace = arrive(&table.tracer, request.headers()).trace;
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let (answers, is_secure) = (&table.settings.answers, way(&table, &request).is_secure);
    let mut response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            // A middleware of a mounted service failed. The request went with it, so the answer travels as an error.
            let response = finish(as_problem(error.error_response(), trace), trace, answers, is_secure);
            let took = started.elapsed();
            table.measures.mounted(None, &method, response.status().as_u16(), took);
            log(&table.settings, (&method, &path), &response, took, trace);
            return Err(InternalError::from_response(error, response).into());
        }
    };
    if !response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        // actix-cors tells origins that are not allowed what those may do that are.
        for name in [ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS] {
            response.headers_mut().remove(name);
        }
    }
    if !table.settings.cors.origins.is_empty() && !response.headers().contains_key(VARY) {
        // actix-cors leaves it out where it refuses a preflight.
        response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    }
    if response.headers().contains_key(TRACE_HEADER) {
        return Ok(response);
    }
    let pattern = response.request().match_pattern();
    let took = started.elapsed();
    table.measures.mounted(pattern.as_deref(), &method, response.status().as_u16(), took);
    let (request, response) = response.into_parts();
    let response = finish(as_problem(response, trace), trace, answers, is_secure);
    log(&table.settings, (&method, &path), &response, took, trace);
    Ok(ServiceResponse::new(request, response))
}

/// Keeps what may not come in from mounted services too.
pub(crate) async fn guard(
    table: Arc<Table>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    let (way, trace) = (way(&table, &request), arrive(&table.tracer, request.headers()).trace);
    match gate::check(&table, request.method(), request.uri(), request.headers(), &way, trace) {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(error) => {
            table.measures.failed(error.code());
            let response = problem::respond(&error, trace);
            Ok(request.into_response(response))
        }
    }
}

fn way(table: &Table, request: &ServiceRequest) -> Way {
    let peer = request.peer_addr().map(|peer| peer.ip());
    table.settings.proxies.way(peer, request.app_config().secure(), request.headers())
}

/// Makes a problem of an error that has no body of its own, or only text; keeps its other headers.
fn as_problem(response: HttpResponse, trace: TraceId) -> HttpResponse {
    let status = response.status();
    let is_bare = response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_bare {
        return response;
    }
    let detail = status.canonical_reason().unwrap_or("Error");
    let code = detail.to_lowercase().replace([' ', '-'], "_");
    let mut error = Error::new(status.as_u16(), code, detail);
    if let Some(cause) = response.error() {
        error = error.caused_by(cause.to_string());
    }
    let mut problem = problem::respond(&error, trace);
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            problem.headers_mut().append(name.clone(), value.clone());
        }
    }
    problem
}
