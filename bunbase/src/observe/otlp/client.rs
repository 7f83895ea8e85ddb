//! The way to the collector.

use std::sync::Arc;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls::crypto::ring;
use sea_orm::prelude::async_trait::async_trait;
#[cfg(feature = "otlp-grpc")]
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use ureq::{
    Agent,
    http::{HeaderName, HeaderValue},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::{Settings, wrong};
use crate::Result;

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A client that blocks: the SDK's thread has no runtime.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("bunbase/", env!("CARGO_PKG_VERSION")));
        if settings.endpoint.starts_with("https:") {
            let tls = TlsConfig::builder()
                .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
                .root_certs(roots(settings)?);
            config = config.tls_config(tls.build());
        }
        let header = |(name, value): &(String, String)| {
            let mut value = HeaderValue::from_str(value).map_err(wrong)?;
            value.set_sensitive(true);
            Ok((HeaderName::from_bytes(name.as_bytes()).map_err(wrong)?, value))
        };
        let headers = settings.headers.iter().map(header).collect::<Result<_>>()?;
        Ok(Self { agent: config.build().into(), headers })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        // The exporter has put those of the environment there already; the configuration counts more.
        for (name, value) in &self.headers {
            parts.headers.insert(name, value.clone());
        }
        let answer = self.agent.run(Request::from_parts(parts, body.as_ref()))?;
        let (parts, mut body) = answer.into_parts();
        let bytes = body.with_config().limit(LONGEST).read_to_vec()?;
        Ok(Response::from_parts(parts, bytes.into()))
    }
}

fn roots(settings: &Settings) -> Result<RootCerts> {
    let certificates: Vec<Certificate<'static>> = if let Some(pem) = settings.certificate()? {
        let items = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        items.collect()
    } else {
        let system = rustls_native_certs::load_native_certs();
        system.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
    };
    if certificates.is_empty() {
        return Err(wrong("there are no certificates to hold the collector's against; see `otlp.certificate`"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Puts headers into the requests of gRPC, over those that the exporter takes from the environment.
#[cfg(feature = "otlp-grpc")]
#[derive(Clone)]
pub(super) struct GrpcHeaders(Vec<(AsciiMetadataKey, AsciiMetadataValue)>);

#[cfg(feature = "otlp-grpc")]
impl GrpcHeaders {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let header = |(name, value): &(String, String)| {
            let mut value = AsciiMetadataValue::try_from(value.as_str()).map_err(wrong)?;
            value.set_sensitive(true);
            Ok((name.parse().map_err(wrong)?, value))
        };
        settings.headers.iter().map(header).collect::<Result<_>>().map(Self)
    }
}

#[cfg(feature = "otlp-grpc")]
impl tonic::service::Interceptor for GrpcHeaders {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        for (name, value) in &self.0 {
            request.metadata_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

/// Says how the collector's certificate is checked, where there is one.
#[cfg(feature = "otlp-grpc")]
pub(super) fn tls(settings: &Settings) -> Result<Option<opentelemetry_otlp::tonic_types::transport::ClientTlsConfig>> {
    use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
    if !settings.endpoint.starts_with("https:") {
        return Ok(None);
    }
    let config = ClientTlsConfig::new();
    Ok(Some(match settings.certificate()? {
        Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
        None => config.with_native_roots(),
    }))
}
