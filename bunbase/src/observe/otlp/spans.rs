//! Spans on their way to the collector.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    InstrumentationScope, KeyValue, Value as OtelValue,
    trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _},
};

use super::{Account, Counted, Settings, exporter};
use crate::{
    Result,
    observe::trace::{Kind, Record, Sink, Value},
};

/// What sends spans.
#[derive(Debug)]
pub(crate) struct SpanExport {
    processor: BatchSpanProcessor,
    account: Arc<Account>,
    scope: InstrumentationScope,
}

impl SpanExport {
    /// Starts what sends spans.
    ///
    /// # Errors
    /// 500 when the address, a header or the certificate is none.
    pub(crate) fn start(settings: &Settings) -> Result<Arc<Self>> {
        let account = Account::new("traces", settings.queue_size);
        let exporter = exporter!(SpanExporter, settings, account.clone());
        let batch_size = settings.batch_size.min(settings.queue_size);
        let config = BatchConfigBuilder::default()
            // Those of the batch that is being sent have left our queue and not yet its own; ours is always the smaller one.
            .with_max_queue_size(settings.queue_size + batch_size)
            .with_max_export_batch_size(batch_size)
            .with_scheduled_delay(settings.interval)
            .build();
        let mut processor = BatchSpanProcessor::new(exporter, config);
        processor.set_resource(&settings.resource());
        let scope = InstrumentationScope::builder("bunbase").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Arc::new(Self { processor, account, scope }))
    }

    pub(super) fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    /// Sends what is left, for at most so long; blocks. What comes afterwards is dropped.
    pub(crate) fn stop(&self, patience: Duration) {
        // Why it failed was told and counted.
        let _ = self.processor.shutdown_with_timeout(patience);
        self.account.close();
    }
}

impl Sink for SpanExport {
    fn take(&self, span: Record) {
        if self.account.admit() {
            self.processor.on_end(data(span, &self.scope));
        }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Counted<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.account.leave(batch.len());
        let result = self.wait(self.exporter.export(batch)).await;
        self.account.ended(&result);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

fn data(span: Record, scope: &InstrumentationScope) -> SpanData {
    let state = span.state.as_deref().and_then(|state| state.parse().ok()).unwrap_or(TraceState::NONE);
    let trace = TraceId::from_bytes(span.trace.to_bytes());
    let mut attributes = Vec::with_capacity(span.attributes.len());
    attributes.extend(span.attributes.into_iter().map(|(key, value)| KeyValue::new(key, value_of(value))));
    let mut links = SpanLinks::default();
    if let Some((parent, span)) = span.link.and_then(|parent| Some((parent.trace, parent.span?))) {
        let (trace, span) = (TraceId::from_bytes(parent.to_bytes()), SpanId::from_bytes(span.to_bytes()));
        let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
        links.links.push(Link::new(context, Vec::new(), 0));
    }
    SpanData {
        span_context: SpanContext::new(
            trace,
            SpanId::from_bytes(span.span.to_bytes()),
            TraceFlags::SAMPLED,
            false,
            state,
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_bytes())),
        parent_span_is_remote: span.parent_is_remote,
        span_kind: match span.kind {
            Kind::Internal => SpanKind::Internal,
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
        },
        name: span.name,
        start_time: span.began,
        end_time: span.began + span.took,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn value_of(value: Value) -> OtelValue {
    match value {
        Value::Text(text) => OtelValue::String(text.into()),
        Value::Number(number) => OtelValue::I64(number),
    }
}
