//! Requests and answers of a test.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use actix_web::http::{
    Method,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{TestApp, thread::Work};
use crate::openapi;

/// A request to a [`TestApp`].
#[must_use = "a request is sent by `send().await`"]
pub struct TestRequest<'a> {
    app: &'a TestApp,
    method: String,
    uri: String,
    peer: IpAddr,
    headers: HeaderMap,
    body: Bytes,
}

impl<'a> TestRequest<'a> {
    pub(super) fn new(app: &'a TestApp, method: &str, uri: &str) -> Self {
        let (method, uri) = (method.to_owned(), uri.to_owned());
        Self { app, method, uri, peer: Ipv4Addr::LOCALHOST.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When HTTP cannot carry it.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap_or_else(|_| panic!("`{name}` is not the name of a header"));
        let value = HeaderValue::from_str(value).unwrap_or_else(|_| panic!("`{value}` is not the value of a header"));
        self.headers.append(name, value);
        self
    }

    /// Adds a header whose value is not text.
    ///
    /// # Panics
    /// When HTTP cannot carry it.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        let name = HeaderName::try_from(name).unwrap_or_else(|_| panic!("`{name}` is not the name of a header"));
        let value = HeaderValue::from_bytes(value).unwrap_or_else(|_| panic!("{value:?} is not the value of a header"));
        self.headers.append(name, value);
        self
    }

    /// Sends a token of a session, as [`TestApp::sign_in`] answers it, or another one.
    ///
    /// # Panics
    /// When HTTP cannot carry it.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends a cookie.
    ///
    /// # Panics
    /// When HTTP cannot carry it.
    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.header("cookie", &format!("{name}={value}"))
    }

    /// Says from which address it comes; 127.0.0.1 unless said.
    pub fn peer(mut self, peer: impl Into<IpAddr>) -> Self {
        self.peer = peer.into();
        self
    }

    /// Sends JSON.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_else(|error| panic!("not JSON: {error}"));
        self.header("content-type", "application/json").body(body)
    }

    /// Sends bytes, without a content type.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request and, unless checks are off, holds the answer against the document.
    ///
    /// # Panics
    /// When the answer is not what the document says; the message lists every deviation.
    pub async fn send(self) -> TestResponse {
        let Self { app, method, uri, peer, mut headers, body } = self;
        let parsed: Method = method.parse().unwrap_or_else(|_| panic!("`{method}` is not a method"));
        if !body.is_empty()
            && let Ok(length) = HeaderValue::from_str(&body.len().to_string())
        {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        let (sender, receiver) = oneshot::channel();
        let work = Work { method: parsed, uri: uri.clone(), peer, headers, body, answer: sender };
        let response = app.http().send(work, receiver).await;
        if app.checked {
            let headers: Vec<_> = response
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
                .collect();
            hold(app.document(), &method, &uri, response.status, &headers, response.bytes());
        }
        response
    }
}

/// Holds an answer against the document.
pub(super) fn hold(document: &Value, method: &str, uri: &str, status: u16, headers: &[(String, String)], body: &[u8]) {
    let path = uri.split('?').next().unwrap_or_default();
    let deviations = openapi::validate::response(document, method, path, status, headers, body);
    assert!(
        deviations.is_empty(),
        "{method} {uri} answered {status} and deviates from the document:\n  {}\nbody: {}",
        deviations.join("\n  "),
        String::from_utf8_lossy(body)
    );
}

impl fmt::Debug for TestRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestRequest({} {})", self.method, self.uri)
    }
}

/// The answer to a [`TestRequest`].
#[derive(Clone, Debug)]
pub struct TestResponse {
    status: u16,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl TestResponse {
    pub(super) fn new(status: u16, headers: HeaderMap, body: Option<Bytes>) -> Self {
        Self { status, headers, body }
    }

    /// Returns the status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Asserts the status.
    ///
    /// # Panics
    /// When it is another one; the message shows the body.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "often it is all that a test asserts")]
    pub fn assert_status(self, expected: u16) -> Self {
        assert_eq!(self.status, expected, "the body is: {self}");
        self
    }

    /// Returns the first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all values of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).filter_map(|value| value.to_str().ok()).collect()
    }

    /// Returns the value of a cookie that the answer sets; empty where it takes the cookie away.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers("set-cookie").into_iter().filter_map(|cookie| cookie.split_once('='));
        // Of several the last counts.
        let (_, rest) = cookies.rev().find(|(known, _)| *known == name)?;
        Some(rest.split(';').next().unwrap_or_default())
    }

    /// Returns the body.
    ///
    /// # Panics
    /// When the server aborted it.
    #[track_caller]
    pub fn bytes(&self) -> &Bytes {
        self.body.as_ref().unwrap_or_else(|| panic!("the server aborted the body"))
    }

    /// Returns whether the server aborted the body.
    pub fn is_aborted(&self) -> bool {
        self.body.is_none()
    }

    /// Reads the body as JSON into a type.
    ///
    /// # Panics
    /// When it is not that; the message shows the body.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(self.bytes()).unwrap_or_else(|error| panic!("{error}; the body is: {self}"))
    }

    /// Returns the body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the `code` of a problem, empty for other answers.
    pub fn code(&self) -> String {
        self.json::<Value>()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Some(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            None => f.write_str("(aborted)"),
        }
    }
}
