//! A line of the log as one JSON object, with the run that it belongs to and without credentials.

use std::{cell::RefCell, fmt, io};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::{
    error::chain,
    observe::{redact, trace::with_current},
};

/// Writes `{"timestamp": …, "level": …, …, "target": …, "action": …, "trace_id": …, "span_id": …, "run_id": …}`. The fields of the event come
/// between; those that say which run it is count more than the run that it is logged in.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        out.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut out)?;
        write!(out, "\",\"level\":\"{}\"", metadata.level())?;
        let mut fields = Fields { out: &mut out, target: None, result: Ok(()) };
        event.record(&mut fields);
        let Fields { target, result, .. } = fields;
        result?;
        out.write_str(",\"target\":")?;
        string(&mut out, target.as_deref().unwrap_or(metadata.target()))?;
        let has = |name: &str| metadata.fields().field(name).is_some();
        with_current(|run| {
            let trace = run.trace();
            if !has("action") {
                out.write_str(",\"action\":")?;
                string(&mut out, run.action())?;
            }
            if !has("trace_id") {
                write!(out, ",\"trace_id\":\"{}\"", trace.id())?;
            }
            write!(out, ",\"span_id\":\"{}\",\"run_id\":\"{}\"", trace.active(), trace.span_id())
        })
        .unwrap_or(Ok(()))?;
        out.write_str("}\n")
    }
}

struct Fields<'a, 'w> {
    out: &'a mut Writer<'w>,
    /// Of an event that came by way of the crate `log`.
    target: Option<String>,
    result: fmt::Result,
}

thread_local! {
    /// What values are written into that have no text of their own.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Fields<'_, '_> {
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let name = field.name();
        if name.starts_with("log.") || self.result.is_err() {
            return;
        }
        self.result = (|| {
            self.out.write_char(',')?;
            string(self.out, name)?;
            self.out.write_char(':')?;
            if redact::is_secret(name) { string(self.out, redact::LEFT_OUT) } else { write(self.out) }
        })();
    }

    fn text(&mut self, field: &Field, text: &str) {
        if field.name() == "log.target" {
            self.target = Some(text.to_owned());
        }
        self.put(field, |out| string(out, &redact::cleaned(text)));
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut text) => {
                text.clear();
                // Writing to a `String` cannot fail; a value that does is cut off there.
                let _ = fmt::write(&mut *text, format_args!("{value:?}"));
                self.text(field, &text);
            }
            // A value that logs while it is written.
            Err(_) => self.text(field, &format!("{value:?}")),
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |out| write!(out, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |out| write!(out, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |out| if value.is_finite() { write!(out, "{value}") } else { out.write_str("null") });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |out| write!(out, "{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &chain(value));
    }
}

/// Writes a text as a string of JSON.
fn string(out: &mut Writer<'_>, text: &str) -> fmt::Result {
    serde_json::to_writer(Bytes(out), text).map_err(|_| fmt::Error)
}

/// Takes the pieces of a text as bytes.
struct Bytes<'a, 'w>(&'a mut Writer<'w>);

impl io::Write for Bytes<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

    use super::*;
    use crate::observe::trace::{Kind, Run, Trace, Tracer, sync_within};

    struct Here(Trace);

    impl Run for Here {
        fn action(&self) -> &'static str {
            "tasks.create"
        }

        fn trace(&self) -> &Trace {
            &self.0
        }

        fn keep(&self, _event: &Event<'_>) {}
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// Returns what is logged, a value for each line, and the trace of the run that it is logged in.
    fn lines(work: impl FnOnce()) -> (Vec<Value>, String) {
        let lines = Lines::default();
        let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_ansi(false).event_format(JsonLine);
        let tracer = Tracer::off();
        let trace = Trace::begin(&tracer, tracer.decide(None), Kind::Internal, "tasks.create");
        let id = trace.id().to_string();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!("outside of it");
            sync_within(Some(Arc::new(Here(trace))), work);
        });
        let text = String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), id)
    }

    #[test]
    fn a_line_says_which_run_it_belongs_to() {
        let (lines, trace) = lines(|| {
            tracing::info!(count = 3, share = 0.5, is_new = true, name = "a\"\n", who = ?Some("bob"), "a {}", "message");
        });
        assert_eq!(lines[0]["message"], "outside of it");
        assert_eq!(lines[0].get("trace_id"), None);
        let line = &lines[1];
        for (key, value) in [
            ("level", json!("INFO")),
            ("message", json!("a message")),
            ("count", json!(3)),
            ("share", json!(0.5)),
            ("is_new", json!(true)),
            ("name", json!("a\"\n")),
            ("who", json!("Some(\"bob\")")),
            ("target", json!("bunbase::app::log_line::tests")),
            ("action", json!("tasks.create")),
            ("trace_id", json!(trace)),
        ] {
            assert_eq!(line[key], value, "{key}");
        }
        assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
        assert_eq!(line["span_id"], line["run_id"]);
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn no_key_is_there_twice() {
        let (lines, _) = lines(|| tracing::error!(action = "other", trace_id = "t", "it failed"));
        assert_eq!((&lines[1]["action"], &lines[1]["trace_id"]), (&json!("other"), &json!("t")));
    }

    #[test]
    fn credentials_are_left_out() {
        let (lines, _) = lines(|| {
            tracing::info!(authorization = "Bearer hunter2hunter2", token = 12345, "sent Authorization: Basic hunter2");
        });
        let all = lines[1].to_string();
        assert!(!all.contains("hunter2") && !all.contains("12345"), "{all}");
    }
}
