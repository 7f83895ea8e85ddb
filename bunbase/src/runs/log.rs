//! What `tracing` logs inside a run goes to its record.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{LogLine, Notes};
use crate::{
    error::chain,
    observe::{redact, trace::with_current},
};

/// A layer of `tracing-subscriber` that gives each event to the run that it happens in; those outside of any run are not its business.
///
/// [`App`](crate::App) sets it up by itself, with the levels of `persistence.log_level`, unless the application has a subscriber of its own; then
/// it is added there:
///
/// ```no_run
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(bunbase::runs::RunLog::new());
/// # let _ = subscriber;
/// ```
///
/// What a task logs that a run has spawned is not part of the run.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RunLog;

impl RunLog {
    /// Makes the layer.
    pub const fn new() -> Self {
        Self
    }
}

impl<S: Subscriber> Layer<S> for RunLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        with_current(|run| run.keep(event));
    }
}

impl Notes {
    /// Keeps what a run logs at this time.
    pub(crate) fn keep(&self, event: &Event<'_>, logged_at: DateTime<Utc>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let fields = (!text.fields.is_empty()).then(|| Value::Object(text.fields).to_string());
        self.log(LogLine {
            logged_at,
            level: *metadata.level(),
            target: text.target.map_or_else(|| metadata.target().into(), Into::into),
            message: text.message,
            fields,
        });
    }
}

/// The message and the fields of an event.
#[derive(Default)]
struct Text {
    message: String,
    fields: Map<String, Value>,
    /// Of an event that came by way of the crate `log`.
    target: Option<String>,
}

impl Text {
    fn text(&mut self, field: &Field, text: String) {
        let text = redact::cut(text);
        match field.name() {
            "log.target" => self.target = Some(text),
            name if name.starts_with("log.") => {}
            "message" => self.message = redact::text(text),
            _ => self.add(field, Value::String(redact::text(text))),
        }
    }

    fn add(&mut self, field: &Field, value: Value) {
        let value = if redact::is_secret(field.name()) { redact::LEFT_OUT.into() } else { value };
        if !field.name().starts_with("log.") {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Text {
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
        self.add(field, value.into());
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::observe::trace::{Kind, Run, Trace, Tracer, sync_within};

    struct Logged(Notes, Trace);

    impl Run for Logged {
        fn action(&self) -> &'static str {
            "test"
        }

        fn trace(&self) -> &Trace {
            &self.1
        }

        fn keep(&self, event: &Event<'_>) {
            self.0.keep(event, DateTime::UNIX_EPOCH);
        }
    }

    /// Returns what `work` logs inside of a run.
    fn lines(work: impl FnOnce()) -> Vec<LogLine> {
        let tracer = Tracer::off();
        let trace = Trace::begin(&tracer, tracer.decide(None), Kind::Internal, "test");
        let run = Arc::new(Logged(Notes::default(), trace));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(RunLog::new()), || {
            tracing::error!("outside of it");
            sync_within(Some(run.clone()), work);
            tracing::error!("outside of it");
        });
        run.0.take().map(|details| details.lines).unwrap_or_default()
    }

    #[test]
    fn an_event_keeps_its_level_target_and_fields() {
        let lines = lines(|| {
            tracing::info!(count = 3, share = 0.5, is_new = true, name = "ann", who = ?Some("bob"), "a {}", "message");
            tracing::debug!(target: "elsewhere", "b");
        });
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].level, lines[0].message.as_str()), (tracing::Level::INFO, "a message"));
        assert_eq!(lines[0].target, "bunbase::runs::log::tests");
        let fields: Value = serde_json::from_str(lines[0].fields.as_deref().unwrap()).unwrap();
        let expected =
            serde_json::json!({ "count": 3, "share": 0.5, "is_new": true, "name": "ann", "who": "Some(\"bob\")" });
        assert_eq!(fields, expected);
        assert_eq!((&*lines[1].target, &lines[1].fields), ("elsewhere", &None));
    }

    #[test]
    fn an_error_brings_its_causes() {
        let error = crate::Error::internal("the disk is full");
        let lines = lines(|| tracing::error!(error = &error as &dyn std::error::Error, "it failed"));
        assert!(lines[0].fields.as_ref().unwrap().contains("the disk is full"), "{:?}", lines[0].fields);
    }

    #[test]
    fn secrets_are_left_out() {
        let lines = lines(|| {
            tracing::info!(authorization = "Bearer hunter2hunter2", token = 12345, "sent Authorization: Basic hunter2");
            tracing::info!(
                headers = r#"{"cookie": "session=hunter2", "accept": "text/html"}"#,
                "Bearer hunter2hunter2"
            );
        });
        let all = format!("{lines:?}");
        assert!(!all.contains("hunter2") && !all.contains("12345"), "{all}");
        assert!(all.contains("text/html"), "{all}");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let lines = lines(|| tracing::info!("{}", "ä".repeat(redact::LONGEST)));
        assert!(lines[0].message.len() <= redact::LONGEST + 3 && lines[0].message.ends_with('…'));
    }
}
