//! Telemetry to a collector, by OTLP: spans and log lines, in batches, by the SDK of OpenTelemetry.
//!
//! Here: what is sent, how, and what becomes of it. A queue of a fixed length is all that lies between a run and the collector: nobody waits
//! for it, what has no room in it is left out, and everything is counted once, as exported, failed or dropped. The SDK exports on a thread
//! of its own, without a runtime. Not here: which spans there are ([`trace`](super::trace)), and what the configuration is called (`app`).

mod account;
mod client;
mod logs;
mod spans;

use std::{path::PathBuf, sync::Arc, time::Duration};

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use self::{account::Account, client::Client};
pub(crate) use self::{account::measure, logs::LogExport, spans::SpanExport};
use crate::{Error, Result};

/// How one kind of telemetry is sent.
#[derive(Clone)]
pub(crate) struct Settings {
    /// The address: whole over HTTP, without a path over gRPC.
    pub(crate) endpoint: String,
    pub(crate) protocol: Protocol,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    /// A file with certificates; those of the system otherwise.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) batch_size: usize,
    pub(crate) interval: Duration,
    pub(crate) queue_size: usize,
    /// What is said of the process.
    pub(crate) resource: Vec<(String, String)>,
}

/// How telemetry is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

impl Settings {
    fn resource(&self) -> Resource {
        let attributes = self.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        Resource::builder_empty().with_attributes(attributes).build()
    }

    /// Returns the certificates that the collector's is held against, as PEM.
    fn certificate(&self) -> Result<Option<Vec<u8>>> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| wrong(format!("the file `{}` cannot be read: {error}", path.display())))
        };
        self.certificate.as_ref().map(read).transpose()
    }
}

/// An error of the configuration.
fn wrong(text: impl std::fmt::Display) -> Error {
    Error::new(500, "otlp_configuration", format!("telemetry cannot be sent: {text}"))
}

/// An exporter, with what is counted of it.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    account: Arc<Account>,
    /// What gRPC runs on. It is driven by whoever exports.
    #[cfg(feature = "otlp-grpc")]
    runtime: Option<tokio::runtime::Runtime>,
}

impl<E> Counted<E> {
    /// Waits for an export, on the thread of the SDK.
    async fn wait<T>(&self, export: impl Future<Output = T>) -> T {
        #[cfg(feature = "otlp-grpc")]
        if let Some(runtime) = &self.runtime {
            return runtime.block_on(export);
        }
        export.await
    }
}

/// Makes an exporter of either kind: `$Kind` is `SpanExporter` or `LogExporter`.
macro_rules! exporter {
    ($Kind:ident, $settings:expr, $account:expr) => {{
        use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
        let settings: &$crate::observe::otlp::Settings = $settings;
        match settings.protocol {
            $crate::observe::otlp::Protocol::Http => {
                let exporter = opentelemetry_otlp::$Kind::builder()
                    .with_http()
                    .with_http_client($crate::observe::otlp::Client::new(settings)?)
                    .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                    .with_endpoint(settings.endpoint.clone())
                    .with_timeout(settings.timeout)
                    .build()
                    .map_err($crate::observe::otlp::wrong)?;
                $crate::observe::otlp::Counted {
                    exporter,
                    account: $account,
                    #[cfg(feature = "otlp-grpc")]
                    runtime: None,
                }
            }
            #[cfg(not(feature = "otlp-grpc"))]
            $crate::observe::otlp::Protocol::Grpc => {
                return Err($crate::observe::otlp::wrong(
                    "this program is built without the cargo feature `otlp-grpc`",
                ));
            }
            #[cfg(feature = "otlp-grpc")]
            $crate::observe::otlp::Protocol::Grpc => {
                use opentelemetry_otlp::WithTonicConfig as _;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                // The channel spawns its tasks there.
                let entered = runtime.enter();
                let mut builder = opentelemetry_otlp::$Kind::builder()
                    .with_tonic()
                    .with_endpoint(settings.endpoint.clone())
                    .with_timeout(settings.timeout)
                    .with_interceptor($crate::observe::otlp::client::GrpcHeaders::new(settings)?);
                if let Some(tls) = $crate::observe::otlp::client::tls(settings)? {
                    builder = builder.with_tls_config(tls);
                }
                let exporter = builder.build().map_err($crate::observe::otlp::wrong)?;
                drop(entered);
                $crate::observe::otlp::Counted { exporter, account: $account, runtime: Some(runtime) }
            }
        }
    }};
}
use exporter;
