//! Traces and logs for a collector, as the configuration says.

use crate::{
    Result,
    config::Config,
    observe::{Metrics, trace::Tracer},
};
#[cfg(feature = "otlp")]
use crate::{
    config::{Headers, OtlpProtocol, TraceSampler},
    observe::{
        otlp::{self, LogExport, Protocol, Settings, SpanExport},
        trace::Sampler,
    },
    service,
};

/// What sends the spans of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    #[cfg(feature = "otlp")]
    spans: Option<std::sync::Arc<SpanExport>>,
    #[cfg(feature = "otlp")]
    patience: std::time::Duration,
    tracer: Tracer,
}

impl Telemetry {
    /// Starts what the configuration asks for. The collector is not contacted yet.
    ///
    /// # Errors
    /// 500 when an address, a header or a certificate is none.
    #[cfg(feature = "otlp")]
    pub(crate) fn start(config: &Config) -> Result<Self> {
        if !config.tracing.enabled || config.otlp.disabled {
            return Ok(Self::default());
        }
        let tracing = &config.tracing;
        let spans = SpanExport::start(&Settings {
            endpoint: endpoint(config, &tracing.endpoint, tracing.protocol, "v1/traces"),
            protocol: protocol(tracing.protocol),
            headers: headers(&tracing.headers),
            timeout: tracing.timeout,
            certificate: file(&tracing.certificate),
            batch_size: tracing.batch_size,
            interval: tracing.interval,
            queue_size: tracing.queue_size,
            resource: resource(config),
        })?;
        let ratio = tracing.sampling_ratio;
        let sampler = match tracing.sampler {
            TraceSampler::AlwaysOn => Sampler::new(1.0, false),
            TraceSampler::AlwaysOff => Sampler::new(0.0, false),
            TraceSampler::Ratio => Sampler::new(ratio, false),
            TraceSampler::ParentOn => Sampler::new(1.0, true),
            TraceSampler::ParentOff => Sampler::new(0.0, true),
            TraceSampler::ParentRatio => Sampler::new(ratio, true),
        };
        let tracer = Tracer::new(sampler, spans.clone());
        Ok(Self { spans: Some(spans), tracer, patience: config.otlp.flush_timeout })
    }

    /// Says what is missing, where something is asked for.
    ///
    /// # Errors
    /// 500 where it is.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn start(config: &Config) -> Result<Self> {
        if config.tracing.enabled && !config.otlp.disabled {
            let text = "`tracing.enabled` is true, and this program is built without bunbase's cargo feature `otlp`";
            return Err(crate::Error::new(500, "otlp_configuration", text));
        }
        Ok(Self::default())
    }

    /// Returns what begins spans.
    pub(crate) fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }

    /// Registers what becomes of spans and log lines.
    #[cfg(feature = "otlp")]
    pub(crate) fn measure(&self, metrics: &Metrics) {
        otlp::measure(metrics, self.spans.as_deref(), super::logging::exported());
    }

    /// Registers nothing.
    #[cfg(not(feature = "otlp"))]
    #[expect(clippy::unused_self, reason = "with the feature `otlp` it has something to tell")]
    pub(crate) fn measure(&self, _metrics: &Metrics) {}

    /// Sends the spans that are left. They are those of all that has ended by now.
    #[cfg(feature = "otlp")]
    pub(crate) async fn stop(self) {
        if let Some(spans) = self.spans {
            blocking(move || spans.stop(self.patience)).await;
        }
    }

    /// Sends nothing.
    #[cfg(not(feature = "otlp"))]
    #[expect(clippy::unused_self, reason = "as with the feature `otlp`")]
    pub(crate) fn stop(self) -> std::future::Ready<()> {
        std::future::ready(())
    }
}

/// Does what blocks, beside the runtime.
#[cfg(feature = "otlp")]
pub(super) async fn blocking(work: impl FnOnce() + Send + 'static) {
    if tokio::task::spawn_blocking(work).await.is_err() {
        tracing::warn!("what was left for the collector is lost");
    }
}

/// Starts what sends log lines, where the configuration asks for it.
///
/// # Errors
/// As for spans.
#[cfg(feature = "otlp")]
pub(super) fn logs(config: &Config) -> Result<Option<LogExport>> {
    let log = &config.log;
    if !log.otlp || config.otlp.disabled {
        return Ok(None);
    }
    let settings = Settings {
        endpoint: endpoint(config, &log.otlp_endpoint, log.otlp_protocol, "v1/logs"),
        protocol: protocol(log.otlp_protocol),
        headers: headers(&log.otlp_headers),
        timeout: log.otlp_timeout,
        certificate: file(&log.otlp_certificate),
        batch_size: log.otlp_batch_size,
        interval: log.otlp_interval,
        queue_size: log.otlp_queue_size,
        resource: resource(config),
    };
    LogExport::start(&settings).map(Some)
}

/// Returns the address of one kind of telemetry: its own, or below the one for all.
#[cfg(feature = "otlp")]
fn endpoint(config: &Config, own: &str, protocol: OtlpProtocol, path: &str) -> String {
    let base = config.otlp.endpoint.trim_end_matches('/');
    match (own, base, protocol) {
        ("", "", OtlpProtocol::Grpc) => "http://localhost:4317".to_owned(),
        ("", "", _) => format!("http://localhost:4318/{path}"),
        ("", base, OtlpProtocol::Grpc) => base.to_owned(),
        ("", base, _) => format!("{base}/{path}"),
        (own, ..) => own.to_owned(),
    }
}

#[cfg(feature = "otlp")]
fn protocol(protocol: OtlpProtocol) -> Protocol {
    match protocol {
        OtlpProtocol::Http => Protocol::Http,
        OtlpProtocol::Grpc => Protocol::Grpc,
    }
}

#[cfg(feature = "otlp")]
fn headers(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(feature = "otlp")]
fn file(path: &str) -> Option<std::path::PathBuf> {
    (!path.is_empty()).then(|| path.into())
}

/// Returns what is said of this process. What the configuration says counts more.
#[cfg(feature = "otlp")]
fn resource(config: &Config) -> Vec<(String, String)> {
    let own = [
        ("service.name", config.otlp.service_name.clone()),
        ("service.version", config.app.version.clone()),
        ("service.instance.id", service::process_name()),
        ("telemetry.sdk.name", "opentelemetry".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
        ("telemetry.distro.name", "bunbase".to_owned()),
        ("telemetry.distro.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let said: Vec<_> = config
        .otlp
        .resource_attributes
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
            (name.trim().to_owned(), value)
        })
        // The name has a key of its own, which counts more where it is set.
        .filter(|(name, _)| name != "service.name" || !config.sources().contains_key("otlp.service_name"))
        .collect();
    let is_said = |name: &str| said.iter().any(|(other, _)| other == name);
    let own: Vec<_> =
        own.into_iter().filter(|(name, _)| !is_said(name)).map(|(name, value)| (name.to_owned(), value)).collect();
    own.into_iter().chain(said).collect()
}
