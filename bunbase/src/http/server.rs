//! Listening, workers, and a shutdown that loses nothing.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_cors::Cors as ActixCors;
use actix_web::{
    App, HttpServer,
    body::MessageBody,
    dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse, fn_service},
    http::{Method, header::HeaderName},
    middleware::{Condition, from_fn},
};

use super::{
    health::Health,
    mounts::{Mounts, dress},
    service,
    settings::{Cors, Settings},
    table::Table,
};
use crate::{Error, Result};

/// The least time that connections have to end once their runs have: the last bytes of an answer are on their way.
const GRACE: Duration = Duration::from_secs(1);

/// A server that listens.
#[derive(Debug)]
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    table: Arc<Table>,
    health: Arc<Health>,
    done: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Starts a server on its own worker threads and returns once the port is open.
///
/// # Errors
/// 500 when the address cannot be listened on; the cause names it.
pub fn serve(table: Table, mounts: Mounts, health: Arc<Health>) -> Result<RunningServer> {
    let table = Arc::new(table);
    let settings = table.settings.clone();
    let address = format!("{}:{}", settings.host, settings.port);
    let cannot = |error: std::io::Error| {
        Error::internal(format!(
            "cannot listen on {address}: {error}; is another process there? Choose another port with `--port` or PORT"
        ))
    };
    let listener = bind(&settings).map_err(cannot)?;
    let shared = table.clone();
    let mut server = HttpServer::new(move || application(shared.clone(), mounts.clone()))
        .disable_signals()
        .keep_alive(settings.keep_alive)
        .h1_allow_half_closed(false)
        // Longer than ours, which is the one that counts.
        .shutdown_timeout(settings.shutdown_timeout.saturating_add(GRACE).as_secs() + 1);
    if settings.workers > 0 {
        server = server.workers(settings.workers);
    }
    let server = server.listen(listener).map_err(cannot)?;
    let addresses = server.addrs();
    let server = server.run();
    let handle = server.handle();
    Ok(RunningServer { addresses, handle, table, health, done: tokio::spawn(server) })
}

/// Makes the actix application of one worker.
#[expect(clippy::needless_pass_by_value, reason = "the answer would borrow what it only reads now")]
pub(crate) fn application(
    table: Arc<Table>,
    mounts: Mounts,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let settings = table.settings.clone();
    let is_open = !settings.cors.origins.is_empty();
    let is_mounted = !mounts.is_empty();
    App::new()
        .wrap(Condition::new(is_open, cors(&settings.cors)))
        // The last one is the outermost: it also dresses what the cross-origin rules answer by themselves.
        .wrap(Condition::new(is_mounted || is_open, from_fn(dress)))
        .configure(|config| mounts.apply(config))
        .default_service(fn_service(move |request| service::serve(table.clone(), request)))
}

fn bind(settings: &Settings) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind((settings.host.as_str(), settings.port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn cors(settings: &Cors) -> ActixCors {
    let mut cors = ActixCors::default().max_age(usize::try_from(settings.max_age.as_secs()).ok());
    if settings.origins.iter().any(|origin| origin == "*") {
        cors = cors.send_wildcard().allow_any_origin();
    } else {
        for origin in &settings.origins {
            cors = cors.allowed_origin(origin);
        }
        if settings.credentials {
            cors = cors.supports_credentials();
        }
    }
    let methods: Vec<Method> = match settings.methods.as_slice() {
        [] => {
            vec![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        }
        listed => listed.iter().filter_map(|method| method.parse().ok()).collect(),
    };
    let names = |names: &[String]| names.iter().filter_map(|name| name.parse().ok()).collect::<Vec<HeaderName>>();
    let headers = match settings.headers.as_slice() {
        [] => vec![
            HeaderName::from_static("content-type"),
            HeaderName::from_static("authorization"),
            HeaderName::from_static("traceparent"),
        ],
        listed => names(listed),
    };
    let mut exposed = names(&settings.exposed_headers);
    exposed.push(service::TRACE_HEADER);
    cors.allowed_methods(methods).allowed_headers(headers).expose_headers(exposed)
}

impl RunningServer {
    /// Returns the addresses that it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops: readiness flips, no connection is accepted any more, running requests and streams end, the workers end.
    ///
    /// Waits for them at most `http.shutdown_timeout`, and says how many were cut off after that. Mounted services of actix have the
    /// same time; how many of theirs are cut off is not known.
    ///
    /// # Errors
    /// 500 when a worker failed.
    pub async fn stop(self) -> Result<()> {
        self.health.stop();
        let in_flight = &self.table.in_flight;
        in_flight.stop();
        self.handle.pause().await;
        let started = Instant::now();
        let limit = self.table.settings.shutdown_timeout;
        let drained = tokio::time::timeout(limit, in_flight.drained()).await.is_ok();
        if !drained {
            tracing::warn!(
                requests = in_flight.count(),
                "requests were cut off: they did not end within `http.shutdown_timeout`"
            );
        }
        in_flight.close();
        // What is left are answers that are being sent, mounted services, and connections that actix closes because they are idle.
        let left = limit.saturating_sub(started.elapsed()).max(GRACE);
        if drained && tokio::time::timeout(left, self.handle.stop(true)).await.is_err() {
            tracing::warn!("connections were cut off: they did not end within `http.shutdown_timeout`");
            // Dropping the server is what tells its workers to end at once.
            self.done.abort();
            return match self.done.await {
                Err(error) if error.is_panic() => Err(Error::internal(error)),
                _ => Ok(()),
            };
        }
        if !drained {
            self.handle.stop(false).await;
        }
        self.done.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}
