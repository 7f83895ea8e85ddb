//! A collector for tests: OTLP over HTTP and over gRPC, built on the official definitions of its messages.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use bunbase::prelude::Bytes;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value},
    logs::v1::LogRecord,
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

/// What a collector does with what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// It takes it.
    Takes,
    /// It answers 503.
    Refuses,
    /// It never answers.
    Hangs,
}

/// A collector that listens.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    received: Mutex<Received>,
    behaviour: watch::Sender<Behaviour>,
    /// How many requests have come.
    requests: watch::Sender<usize>,
}

/// What has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<LogRecord>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) headers: Vec<(String, String)>,
}

impl State {
    fn new(behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self {
            received: Mutex::default(),
            behaviour: watch::Sender::new(behaviour),
            requests: watch::Sender::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap()
    }

    /// Waits as long as it hangs; returns whether it takes what has come.
    async fn takes(&self) -> bool {
        self.requests.send_modify(|count| *count += 1);
        let mut behaviour = self.behaviour.subscribe();
        let behaviour = behaviour.wait_for(|one| *one != Behaviour::Hangs).await;
        behaviour.is_ok_and(|behaviour| *behaviour == Behaviour::Takes)
    }

    fn traces(&self, request: ExportTraceServiceRequest) {
        let mut received = self.lock();
        for resource in request.resource_spans {
            received.resources.extend(resource.resource);
            received.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    fn logs(&self, request: ExportLogsServiceRequest) {
        let mut received = self.lock();
        for resource in request.resource_logs {
            received.resources.extend(resource.resource);
            received.logs.extend(resource.scope_logs.into_iter().flat_map(|scope| scope.log_records));
        }
    }
}

impl Receiver {
    /// Listens for OTLP over HTTP.
    pub(crate) fn http(behaviour: Behaviour) -> Self {
        let state = State::new(behaviour);
        let shared = state.clone();
        let server = HttpServer::new(move || {
            let shared = shared.clone();
            let take = web::post().to(move |request: HttpRequest, body: Bytes| take(shared.clone(), request, body));
            actix_web::App::new()
                .app_data(web::PayloadConfig::new(64 << 20))
                .service(web::resource("/{path:.*}").route(take))
        });
        let server = server.workers(1).shutdown_timeout(0).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { address, state }
    }

    /// Listens for OTLP over gRPC.
    pub(crate) async fn grpc() -> Self {
        let state = State::new(Behaviour::Takes);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Grpc(state.clone())))
            .add_service(LogsServiceServer::new(Grpc(state.clone())))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
        tokio::spawn(server);
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Received {
        self.state.lock().clone()
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.state.behaviour.send_replace(behaviour);
    }

    /// Waits until so many requests have come.
    pub(crate) async fn asked(&self, count: usize) {
        self.state.requests.subscribe().wait_for(|asked| *asked >= count).await.unwrap();
    }
}

async fn take(state: Arc<State>, request: HttpRequest, body: Bytes) -> HttpResponse {
    assert_eq!(request.headers().get("content-type").unwrap(), "application/x-protobuf");
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    state.lock().headers.extend(headers);
    if !state.takes().await {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let answer = match request.path() {
        "/v1/traces" => {
            state.traces(ExportTraceServiceRequest::decode(body).unwrap());
            ExportTraceServiceResponse::default().encode_to_vec()
        }
        "/v1/logs" => {
            state.logs(ExportLogsServiceRequest::decode(body).unwrap());
            ExportLogsServiceResponse::default().encode_to_vec()
        }
        _ => return HttpResponse::NotFound().finish(),
    };
    HttpResponse::Ok().content_type("application/x-protobuf").body(answer)
}

struct Grpc(Arc<State>);

impl Grpc {
    async fn take<T>(&self, request: Request<T>) -> Result<T, Status> {
        for entry in request.metadata().iter() {
            if let tonic::metadata::KeyAndValueRef::Ascii(name, value) = entry {
                let header = (name.to_string(), value.to_str().unwrap().to_owned());
                self.0.lock().headers.push(header);
            }
        }
        if self.0.takes().await { Ok(request.into_inner()) } else { Err(Status::unavailable("away")) }
    }
}

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = self.take(request).await?;
        self.0.traces(request);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Grpc {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let request = self.take(request).await?;
        self.0.logs(request);
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// Returns an attribute as a text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::BoolValue(flag) => flag.to_string(),
        any_value::Value::DoubleValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
