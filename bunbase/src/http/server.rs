//! Listening, workers, and a shutdown that loses nothing.

use std::{
    fmt::Debug,
    future::ready,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_cors::Cors as ActixCors;
use actix_http::{Request, Response};
use actix_service::IntoServiceFactory;
use actix_web::{
    App, HttpServer,
    body::MessageBody,
    dev::{AppConfig, Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse, fn_factory, fn_service},
    http::{Method, header::HeaderName},
    middleware::{Condition, from_fn},
};
use rustls::ServerConfig;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::task::JoinHandle;

use super::{
    health::Health,
    mounts::{Mounts, dress, guard},
    security::TRACE_HEADER,
    service,
    settings::{Cors, Settings},
    table::Table,
    tls::Certificates,
};
use crate::{Error, Result};

/// The least time that connections have to end once their runs have: the last bytes of an answer are on their way.
const GRACE: Duration = Duration::from_secs(1);

/// What is served.
#[derive(Debug)]
pub struct Served {
    /// The actions, what is mounted beside them, and what is built in and open there.
    pub main: Option<(Table, Mounts)>,
    /// What is built in, at an address of its own.
    pub admin: Option<Table>,
    /// Readiness, which ends when the server is about to stop.
    pub health: Arc<Health>,
}

/// A server that listens.
#[derive(Debug)]
pub struct RunningServer {
    main: Option<Listening>,
    admin: Option<Listening>,
    health: Arc<Health>,
}

/// One address that is listened on.
#[derive(Debug)]
struct Listening {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    table: Arc<Table>,
    done: JoinHandle<std::io::Result<()>>,
    /// What looks at the certificate's files.
    watch: Option<JoinHandle<()>>,
}

/// Starts a server on its own worker threads and returns once the ports are open.
///
/// # Errors
/// 500 when an address cannot be listened on, or the certificate is not right; the cause names it.
pub fn serve(served: Served) -> Result<RunningServer> {
    let Served { main, admin, health } = served;
    let main = main.map(|(table, mounts)| listen(table, mounts, "`--port` or PORT")).transpose()?;
    let admin = admin.map(|table| listen(table, Mounts::default(), "`admin.addr`")).transpose()?;
    Ok(RunningServer { main, admin, health })
}

fn listen(table: Table, mounts: Mounts, chosen_by: &str) -> Result<Listening> {
    let table = Arc::new(table);
    let settings = table.settings.clone();
    let address = format!("{}:{}", settings.host, settings.port);
    let cannot = |error: std::io::Error| {
        Error::internal(format!(
            "cannot listen on {address}: {error}; is another process there? Choose another port with {chosen_by}"
        ))
    };
    let certificates = settings.tls.as_ref().map(Certificates::load).transpose()?;
    let listener = bind(&settings).map_err(cannot)?;
    let mut watch = None;
    let encryption = match certificates {
        None => None,
        Some((certificates, contents)) => {
            let config = certificates.server()?;
            watch = Some(tokio::spawn(certificates.watch(contents)));
            Some(config)
        }
    };
    let (shared, is_encrypted) = (table.clone(), encryption.is_some());
    let (addresses, server) = if mounts.is_empty() && settings.cors.origins.is_empty() {
        let alone = move || {
            let shared = shared.clone();
            fn_factory(move || {
                let table = shared.clone();
                ready(Ok::<_, ()>(fn_service(move |request| {
                    service::serve_alone(table.clone(), request, is_encrypted)
                })))
            })
        };
        start(HttpServer::new(alone), listener, encryption, &table)
    } else {
        start(HttpServer::new(move || application(shared.clone(), mounts.clone())), listener, encryption, &table)
    }
    .map_err(cannot)?;
    let handle = server.handle();
    Ok(Listening { addresses, handle, table, done: tokio::spawn(server), watch })
}

/// Starts the workers, each with a service of its own.
fn start<F, I, S, B>(
    server: HttpServer<F, I, S, B>,
    listener: TcpListener,
    encryption: Option<ServerConfig>,
    table: &Table,
) -> std::io::Result<(Vec<SocketAddr>, Server)>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error>,
    S::InitError: Debug,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let settings = &table.settings;
    let mut server = server
        .disable_signals()
        .on_connect(table.measures.on_connect())
        .keep_alive(settings.keep_alive)
        .client_request_timeout(settings.head_timeout)
        .h1_allow_half_closed(false)
        // Longer than ours, which is the one that counts.
        .shutdown_timeout(settings.shutdown_timeout.saturating_add(GRACE).as_secs() + 1);
    if settings.workers > 0 {
        server = server.workers(settings.workers);
    }
    let server = match encryption {
        None => server.listen(listener)?,
        Some(config) => {
            let server = if settings.head_timeout.is_zero() {
                server
            } else {
                server.tls_handshake_timeout(settings.head_timeout)
            };
            server.listen_rustls_0_23(listener, config)?
        }
    };
    Ok((server.addrs(), server.run()))
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
    let (guarding, dressing) = (table.clone(), table.clone());
    App::new()
        // Within the cross-origin rules, so that a page that they let in can read why it is refused here.
        .wrap(Condition::new(is_mounted, from_fn(move |request, next| guard(guarding.clone(), request, next))))
        .wrap(Condition::new(is_open, cors(&settings.cors)))
        // The last one is the outermost: it also dresses what the cross-origin rules answer by themselves.
        .wrap(Condition::new(
            is_mounted || is_open,
            from_fn(move |request, next| dress(dressing.clone(), request, next)),
        ))
        .configure(|config| mounts.apply(config))
        .default_service(fn_service(move |request| service::serve(table.clone(), request, is_mounted)))
}

fn bind(settings: &Settings) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind((settings.host.as_str(), settings.port))?;
    listener.set_nonblocking(true)?;
    // Connections have it from the socket that accepts them. It counts while the client takes nothing, and says so by an empty window, too.
    #[cfg(target_os = "linux")]
    SockRef::from(&listener).set_tcp_user_timeout(Some(settings.send_timeout).filter(|limit| !limit.is_zero()))?;
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
    exposed.push(TRACE_HEADER);
    cors.allowed_methods(methods).allowed_headers(headers).expose_headers(exposed)
}

impl RunningServer {
    /// Returns the addresses that it listens on, those of its own for what is built in left out.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.main.as_ref().map_or(&[], |listening| &listening.addresses)
    }

    /// Returns the addresses of its own for what is built in.
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        self.admin.as_ref().map_or(&[], |listening| &listening.addresses)
    }

    /// Stops: readiness flips, for `http.shutdown_delay` all goes on, no connection is accepted any more, running requests and streams
    /// end, the workers end.
    ///
    /// Waits for them at most `http.shutdown_timeout`, and says how many were cut off after that. Mounted services of actix have the
    /// same time; how many of theirs are cut off is not known.
    ///
    /// # Errors
    /// 500 when a worker failed.
    pub async fn stop(self) -> Result<()> {
        self.health.stop();
        let Self { main, admin, .. } = self;
        if let Some(listening) = &main {
            listening.table.in_flight.stop();
            tokio::time::sleep(listening.table.settings.shutdown_delay).await;
        }
        let stop = async |listening: Option<Listening>| match listening {
            Some(listening) => listening.stop().await,
            None => Ok(()),
        };
        let (main, admin) = tokio::join!(stop(main), stop(admin));
        main.and(admin)
    }
}

impl Listening {
    async fn stop(self) -> Result<()> {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
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
