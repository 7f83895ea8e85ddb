//! An answer before it is HTTP.

use std::{borrow::Cow, fmt, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;

use crate::{
    Error,
    schema::{CookieRules, Mistake, ToText},
};

/// What a run answers: status, headers, cookies and a body.
#[derive(Debug)]
pub struct Reply {
    /// The status, 200 to 399.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// Cookies to set.
    pub cookies: Vec<SetCookie>,
    /// The body.
    pub body: Body,
}

/// The body of a [`Reply`].
pub enum Body {
    /// None; with status 200 the answer is 204.
    Empty,
    /// Bytes of a content type.
    Bytes {
        /// The value of `Content-Type`.
        content_type: Cow<'static, str>,
        /// The content.
        bytes: Bytes,
    },
    /// Bytes that come over time. An error in it aborts the connection.
    Stream {
        /// The value of `Content-Type`.
        content_type: Cow<'static, str>,
        /// The content.
        stream: Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>,
    },
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes { content_type, bytes } => write!(f, "Bytes({content_type}, {} bytes)", bytes.len()),
            Self::Stream { content_type, .. } => write!(f, "Stream({content_type})"),
        }
    }
}

/// A cookie to set.
#[derive(Clone, Debug)]
pub struct SetCookie {
    /// The name.
    pub name: Cow<'static, str>,
    /// The value before percent-encoding; `None` tells the browser to forget the cookie.
    pub value: Option<String>,
    /// The attributes.
    pub rules: CookieRules,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), cookies: Vec::new(), body: Body::Empty }
    }

    /// An answer of JSON.
    ///
    /// # Errors
    /// When the value cannot be written as JSON: a map whose keys are not text, or a `Serialize` that fails.
    pub fn json<T: serde::Serialize + ?Sized>(status: u16, value: &T) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(128);
        serde_json::to_writer(&mut bytes, value)?;
        Ok(Self::bytes(status, "application/json", bytes))
    }

    /// An answer of bytes.
    pub fn bytes(status: u16, content_type: impl Into<Cow<'static, str>>, bytes: impl Into<Bytes>) -> Self {
        let body = Body::Bytes { content_type: content_type.into(), bytes: bytes.into() };
        Self { status, headers: Vec::new(), cookies: Vec::new(), body }
    }

    /// Adds a header, unless the value has no text.
    ///
    /// # Errors
    /// When there are no words for the value.
    pub fn header(&mut self, name: &'static str, value: &dyn ToText) -> Result<(), Error> {
        if let Some(text) = value.to_text().map_err(|mistake| unwritable("header", name, &mistake))? {
            self.headers.push((Cow::Borrowed(name), text.into_owned()));
        }
        Ok(())
    }

    /// Sets a cookie, or removes it when the value has no text.
    ///
    /// # Errors
    /// When there are no words for the value.
    pub fn cookie(&mut self, name: &'static str, value: &dyn ToText, rules: CookieRules) -> Result<(), Error> {
        let value = value.to_text().map_err(|mistake| unwritable("cookie", name, &mistake))?.map(Cow::into_owned);
        self.cookies.push(SetCookie { name: Cow::Borrowed(name), value, rules });
        Ok(())
    }
}

fn unwritable(part: &str, name: &str, mistake: &Mistake) -> Error {
    Error::internal(format!("the value of the {part} `{name}` {}", mistake.message))
}
