//! Log lines on their way to the collector.
//!
//! An event becomes a record here and not by the library's appender, because a record's attributes cannot be changed any more once it has
//! them, and credentials are left out before.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context as OtelContext, InstrumentationScope, SpanId, TraceFlags, TraceId,
    logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity},
};
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{BatchConfigBuilder, BatchLogProcessor, LogBatch, LogProcessor, SdkLogRecord, SdkLogger, SdkLoggerProvider},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{Account, Counted, Settings, exporter};
use crate::{
    Result,
    error::chain,
    observe::{redact, trace::with_current},
};

/// What sends log lines: a layer of `tracing-subscriber`. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct LogExport {
    logger: SdkLogger,
    provider: SdkLoggerProvider,
    account: Arc<Account>,
}

impl LogExport {
    /// Starts what sends log lines.
    ///
    /// # Errors
    /// 500 when the address, a header or the certificate is none.
    pub(crate) fn start(settings: &Settings) -> Result<Self> {
        let account = Account::new("logs", settings.queue_size);
        let exporter = exporter!(LogExporter, settings, account.clone());
        let batch_size = settings.batch_size.min(settings.queue_size);
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue_size + batch_size)
            .with_max_export_batch_size(batch_size)
            .with_scheduled_delay(settings.interval)
            .build();
        let batch = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
        let provider = SdkLoggerProvider::builder()
            .with_resource(settings.resource())
            .with_log_processor(Admitting { batch, account: account.clone() })
            .build();
        Ok(Self { logger: provider.logger("bunbase"), provider, account })
    }

    pub(super) fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    /// Sends what is left, for at most so long; blocks. What comes afterwards is dropped.
    pub(crate) fn stop(&self, patience: Duration) {
        let _ = self.provider.shutdown_with_timeout(patience);
        self.account.close();
    }
}

impl<S: Subscriber> Layer<S> for LogExport {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        // What the exporter's own thread logs would be exported, and logged again.
        if OtelContext::is_current_telemetry_suppressed() {
            return;
        }
        let metadata = event.metadata();
        let mut record = self.logger.create_log_record();
        let now = SystemTime::now();
        record.set_timestamp(now);
        record.set_observed_timestamp(now);
        record.set_severity_text(metadata.level().as_str());
        record.set_severity_number(match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Trace,
        });
        record.set_target(metadata.target());
        let mut fields = Fields { record: &mut record };
        event.record(&mut fields);
        with_current(|run| {
            let trace = run.trace();
            let flags = if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
            let (id, span) = (trace.id().to_bytes(), trace.active().to_bytes());
            record.set_trace_context(TraceId::from_bytes(id), SpanId::from_bytes(span), Some(flags));
            record.add_attribute("bunbase.action", run.action());
            record.add_attribute("bunbase.run_id", trace.span_id().to_string());
        });
        self.logger.emit(record);
    }
}

/// Lets into the queue what has room there.
#[derive(Debug)]
struct Admitting {
    batch: BatchLogProcessor,
    account: Arc<Account>,
}

impl LogProcessor for Admitting {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.account.admit() {
            self.batch.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batch.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batch.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batch.set_resource(resource);
    }
}

impl opentelemetry_sdk::logs::LogExporter for Counted<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.account.leave(batch.iter().count());
        let result = self.wait(self.exporter.export(batch)).await;
        self.account.ended(&result);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The fields of an event.
struct Fields<'a> {
    record: &'a mut SdkLogRecord,
}

impl Fields<'_> {
    fn text(&mut self, field: &Field, text: String) {
        let text = redact::cut(text);
        match field.name() {
            "log.target" => self.record.set_target(text),
            "message" => self.record.set_body(redact::text(text).into()),
            _ => self.add(field, redact::text(text).into()),
        }
    }

    fn add(&mut self, field: &Field, value: AnyValue) {
        let name = field.name();
        if !name.starts_with("log.") {
            let value = if redact::is_secret(name) { redact::LEFT_OUT.into() } else { value };
            self.record.add_attribute(name, value);
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, i64::try_from(value).map_or_else(|_| value.to_string().into(), Into::into));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, chain(value));
    }
}
