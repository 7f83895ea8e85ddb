//! What an action may answer, and what the document says about it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    hash::BuildHasher,
    pin::Pin,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use schemars::schema::{InstanceType, Schema as Node, SchemaObject};

use super::{Body, Reply};
use crate::{
    Error,
    schema::{Generator, Schema, Wire},
};

/// What an action answers. `#[schema]` implements it on structs and enums.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of an action",
    label = "not an output",
    note = "an output is a type with `#[schema]`, a number, a string, a list or a map of them, `()`, `Created<T>`, `Redirect`, \
            `Bytes`, `Text`, `Html`, `Sse<T>` or `ByteStream`"
)]
pub trait Output: Send + Sized + 'static {
    /// Whether the content type is free to choose: bytes and text, not JSON.
    const RAW: bool = false;

    /// Whether it comes over time, so that only a response can carry it: no job, no event, no tool answers it.
    const STREAM: bool = false;

    /// Describes the answer of a success.
    fn describe(generator: &mut Generator) -> OutputDoc;

    /// Makes the answer.
    ///
    /// # Errors
    /// When the value cannot be written.
    fn reply(self) -> Result<Reply, Error>;
}

/// What the document says about the answer of a success.
#[derive(Clone, Debug)]
pub struct OutputDoc {
    /// The status.
    pub status: u16,
    /// What the status means.
    pub description: Cow<'static, str>,
    /// The content type and its schema; `None` for no body.
    pub content: Option<(Cow<'static, str>, Node)>,
    /// Headers that the answer carries; cookies are among them as `Set-Cookie`.
    pub headers: Vec<HeaderDoc>,
}

/// One header of an answer.
#[derive(Clone, Debug)]
pub struct HeaderDoc {
    /// The name in Train-Case.
    pub name: Cow<'static, str>,
    /// What it says.
    pub description: Cow<'static, str>,
    /// Whether it is always there.
    pub required: bool,
    /// The schema of its value.
    pub schema: Node,
}

impl OutputDoc {
    /// JSON of a type.
    pub fn json(schema: Node) -> Self {
        Self {
            status: 200,
            description: "The answer.".into(),
            content: Some(("application/json".into(), schema)),
            headers: Vec::new(),
        }
    }

    /// Nothing.
    pub fn empty(status: u16, description: &'static str) -> Self {
        Self { status, description: description.into(), content: None, headers: Vec::new() }
    }

    fn raw(content_type: &'static str, binary: bool) -> Self {
        let mut schema = SchemaObject { instance_type: Some(InstanceType::String.into()), ..SchemaObject::default() };
        schema.format = binary.then(|| "binary".to_owned());
        Self { content: Some((content_type.into(), Node::Object(schema))), ..Self::empty(200, "The answer.") }
    }
}

macro_rules! json_outputs {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> Output for $type {
            fn describe(generator: &mut Generator) -> OutputDoc {
                OutputDoc::json(generator.of::<Self>())
            }

            fn reply(self) -> Result<Reply, Error> {
                Reply::json(200, &Wire(&self))
            }
        }
    )*};
}
json_outputs!(
    [] bool, [] String, [] char, [] u8, [] u16, [] u32, [] u64, [] i8, [] i16, [] i32, [] i64, [] f32, [] f64,
    [] uuid::Uuid, [] rust_decimal::Decimal, [] serde_json::Value, [] crate::schema::Base64,
    [] chrono::DateTime<chrono::Utc>, [] chrono::NaiveDate,
    [T: Schema + Send + 'static] Vec<T>,
    [T: Schema + Send + 'static] Option<T>,
    [T: Schema + Send + 'static] crate::db::page::Page<T>,
    [V: Schema + Send + 'static] BTreeMap<String, V>,
    [V: Schema + Send + 'static, S: BuildHasher + Default + Send + 'static] HashMap<String, V, S>,
    [A: Schema + Send + 'static, B: Schema + Send + 'static] (A, B),
);

impl Output for () {
    fn describe(_generator: &mut Generator) -> OutputDoc {
        OutputDoc::empty(204, "Done; there is nothing to say.")
    }

    fn reply(self) -> Result<Reply, Error> {
        Ok(Reply::empty(204))
    }
}

/// An answer without a body, whatever its status; 204 unless the action says another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoContent;

impl Output for NoContent {
    fn describe(generator: &mut Generator) -> OutputDoc {
        <()>::describe(generator)
    }

    fn reply(self) -> Result<Reply, Error> {
        ().reply()
    }
}

/// Something new: 201, where it is, and the thing itself.
#[derive(Clone, Debug)]
pub struct Created<T> {
    /// The value of `Location`, such as `/tasks/7`.
    pub location: String,
    /// The body.
    pub body: T,
}

impl<T> Created<T> {
    /// Says where the new thing is.
    pub fn at(location: impl Into<String>, body: T) -> Self {
        Self { location: location.into(), body }
    }
}

impl<T: Output> Output for Created<T> {
    const STREAM: bool = T::STREAM;

    fn describe(generator: &mut Generator) -> OutputDoc {
        let mut doc = T::describe(generator);
        doc.status = 201;
        doc.description = "Created.".into();
        doc.headers.push(HeaderDoc {
            name: "Location".into(),
            description: "Where the new thing is.".into(),
            required: true,
            schema: generator.of::<String>(),
        });
        doc
    }

    fn reply(self) -> Result<Reply, Error> {
        let mut reply = self.body.reply()?;
        reply.status = 201;
        reply.header("location", &self.location)?;
        Ok(reply)
    }
}

/// Sends the caller elsewhere: 303, "look there with GET", unless the action says `status = 307` (do the same there this
/// time) or `status = 308` (from now on).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect(String);

impl Redirect {
    /// Says where to go: a path or an absolute URL.
    pub fn to(location: impl Into<String>) -> Self {
        Self(location.into())
    }
}

impl Output for Redirect {
    fn describe(generator: &mut Generator) -> OutputDoc {
        let location = HeaderDoc {
            name: "Location".into(),
            description: "Where to go.".into(),
            required: true,
            schema: generator.of::<String>(),
        };
        OutputDoc { headers: vec![location], ..OutputDoc::empty(303, "Look elsewhere.") }
    }

    fn reply(self) -> Result<Reply, Error> {
        let mut reply = Reply::empty(303);
        reply.header("location", &self.0)?;
        Ok(reply)
    }
}

impl Output for Bytes {
    const RAW: bool = true;

    fn describe(_generator: &mut Generator) -> OutputDoc {
        OutputDoc::raw("application/octet-stream", true)
    }

    fn reply(self) -> Result<Reply, Error> {
        Ok(Reply::bytes(200, "application/octet-stream", self))
    }
}

macro_rules! text_outputs {
    ($($(#[$docs:meta])* $name:ident, $content_type:literal;)*) => {$(
        $(#[$docs])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub String);

        impl Output for $name {
            const RAW: bool = true;

            fn describe(_generator: &mut Generator) -> OutputDoc {
                OutputDoc::raw($content_type, false)
            }

            fn reply(self) -> Result<Reply, Error> {
                Ok(Reply::bytes(200, $content_type, self.0))
            }
        }

        impl<T: Into<String>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }
    )*};
}
text_outputs! {
    /// Plain text, or another kind of text by `content_type = "text/csv"` on the action.
    Text, "text/plain; charset=utf-8";
    /// A page.
    Html, "text/html; charset=utf-8";
}

/// Bytes that come over time, in chunks as they are ready.
pub struct ByteStream(Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>);

impl ByteStream {
    /// Streams chunks. An error aborts the connection, so that the caller sees that something is missing.
    pub fn new<E: Into<Error>>(stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Self {
        Self(Box::pin(stream.map(|chunk| chunk.map_err(Into::into))))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

impl Output for ByteStream {
    const RAW: bool = true;
    const STREAM: bool = true;

    fn describe(_generator: &mut Generator) -> OutputDoc {
        OutputDoc::raw("application/octet-stream", true)
    }

    fn reply(self) -> Result<Reply, Error> {
        let body = Body::Stream { content_type: "application/octet-stream".into(), stream: self.0 };
        Ok(Reply { body, ..Reply::empty(200) })
    }
}

/// One event of an [`Sse`] stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent<T> {
    /// The payload, written as JSON.
    pub data: T,
    /// The `event:` field; the browser's default is `message`.
    pub event: Option<Cow<'static, str>>,
    /// The `id:` field, which a reconnecting browser sends as `Last-Event-ID`.
    pub id: Option<String>,
}

impl<T> From<T> for SseEvent<T> {
    fn from(data: T) -> Self {
        Self { data, event: None, id: None }
    }
}

/// Server-sent events (WHATWG HTML, section 9.2): a stream of typed values, each written as JSON.
pub struct Sse<T>(Pin<Box<dyn Stream<Item = Result<SseEvent<T>, Error>> + Send>>);

impl<T> Sse<T> {
    /// Streams values or whole [`SseEvent`]s. An error aborts the connection, and the browser connects again.
    pub fn new<V: Into<SseEvent<T>>, E: Into<Error>>(
        stream: impl Stream<Item = Result<V, E>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(stream.map(|event| event.map(Into::into).map_err(Into::into))))
    }
}

impl<T> fmt::Debug for Sse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sse")
    }
}

impl<T: Schema + Send + 'static> Output for Sse<T> {
    const STREAM: bool = true;

    fn describe(generator: &mut Generator) -> OutputDoc {
        let mut doc = OutputDoc::raw("text/event-stream", false);
        if let Some((_, Node::Object(schema))) = &mut doc.content {
            // OpenAPI 3.0 has no words for a stream of events; readers that know this extension do.
            let item = serde_json::to_value(generator.of::<T>()).unwrap_or_default();
            schema.extensions.insert("x-event-schema".to_owned(), item);
        }
        doc.description = "Server-sent events; the data of each is JSON.".into();
        doc
    }

    fn reply(self) -> Result<Reply, Error> {
        let stream = Box::pin(self.0.map(|event| event.and_then(|event| frame(&event))));
        let body = Body::Stream { content_type: "text/event-stream".into(), stream };
        let mut reply = Reply { body, ..Reply::empty(200) };
        reply.header("cache-control", &"no-store")?;
        Ok(reply)
    }
}

/// Writes one event. JSON has no raw line breaks, so `data` is one line.
fn frame<T: Schema>(event: &SseEvent<T>) -> Result<Bytes, Error> {
    let line = |text: &str| text.replace(['\r', '\n'], " ");
    let mut text = String::new();
    if let Some(name) = &event.event {
        text.push_str("event: ");
        text.push_str(&line(name));
        text.push('\n');
    }
    if let Some(id) = &event.id {
        text.push_str("id: ");
        text.push_str(&line(id));
        text.push('\n');
    }
    text.push_str("data: ");
    text.push_str(&serde_json::to_string(&Wire(&event.data))?);
    text.push_str("\n\n");
    Ok(text.into())
}
