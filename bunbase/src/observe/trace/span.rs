//! One span: what happened, from when to when, as part of what.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{Parent, Sink, SpanId, TraceId};

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Neither.
    Internal,
    /// It answers somebody.
    Server,
    /// It waits for somebody's answer.
    Client,
    /// It leaves a message for later.
    Producer,
    /// It takes a message.
    Consumer,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(Cow<'static, str>),
    Number(i64),
}

/// A span that has ended, or will.
#[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "nobody sends it"))]
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) parent_is_remote: bool,
    pub(crate) state: Option<Arc<str>>,
    pub(crate) kind: Kind,
    pub(crate) name: Cow<'static, str>,
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    /// A span that it belongs to besides its parent.
    pub(crate) link: Option<Parent>,
    /// What went wrong, where something has.
    pub(crate) error: Option<Cow<'static, str>>,
}

impl Record {
    /// Adds an attribute.
    pub(crate) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push((key, value.into()));
    }

    /// Says that it ended with a refusal or a failure. Only what is the server's fault is an error of a span.
    pub(crate) fn refused(&mut self, status: u16, code: &str) {
        self.set("bunbase.error_code", code.to_owned());
        if status >= 500 {
            self.failed(code.to_owned());
        }
    }

    /// Says that it failed, and how, in a word that stays the same (`error.type`).
    pub(crate) fn failed(&mut self, how: impl Into<Cow<'static, str>>) {
        let how = how.into();
        self.set("error.type", how.clone());
        self.error = Some(how);
    }
}

/// A span that goes on until it is dropped; or nothing, where the trace is not recorded.
#[must_use = "a span ends when it is dropped"]
pub(crate) struct Span(pub(super) Option<Box<Open>>);

pub(super) struct Open {
    pub(super) record: Record,
    pub(super) started: Instant,
    pub(super) sink: Arc<dyn Sink>,
}

impl Span {
    /// No span.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Has it begun so long ago.
    pub(crate) fn since(mut self, ago: Duration) -> Self {
        if let Some(open) = &mut self.0 {
            open.started = open.started.checked_sub(ago).unwrap_or(open.started);
            open.record.began = open.record.began.checked_sub(ago).unwrap_or(open.record.began);
        }
        self
    }

    /// Writes something into it, where there is one.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Record)) {
        if let Some(open) = &mut self.0 {
            write(&mut open.record);
        }
    }

    /// Returns the place below it, where there is a span.
    pub(crate) fn below(&self) -> Option<Parent> {
        let record = &self.0.as_ref()?.record;
        Some(Parent {
            trace: record.trace,
            span: Some(record.span),
            sampled: true,
            state: record.state.clone(),
            is_remote: false,
        })
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            let Open { mut record, started, sink } = *open;
            record.took = started.elapsed();
            sink.take(record);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(&self.0.as_ref().map(|open| &open.record)).finish()
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

macro_rules! numbers {
    ($($number:ty)+) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }
    )+};
}
numbers!(u16 u32 u64 usize);
