//! The headers that tell browsers to be careful with an answer.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::context::TraceId;

/// The header that says which trace an answer belongs to.
pub(crate) const TRACE_HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// What an answer that is data may load and be shown in: nothing.
const DATA_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The headers of all answers, made once. One that an answer has already is left as it is.
#[derive(Clone, Debug)]
pub struct AnswerHeaders {
    always: Vec<(HeaderName, HeaderValue)>,
    /// Of pages.
    page: Option<HeaderValue>,
    /// Of JSON.
    data: Option<HeaderValue>,
    /// Of answers over HTTPS.
    hsts: Option<HeaderValue>,
}

/// What they say.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// `X-Frame-Options`; `None` is without it.
    pub frame: Option<&'a str>,
    /// `Referrer-Policy`.
    pub referrer: &'a str,
    /// `Cross-Origin-Resource-Policy`.
    pub resource: &'a str,
    /// How long browsers remember that the server is reached by HTTPS only.
    pub hsts: Option<Duration>,
}

impl AnswerHeaders {
    /// Says only that no content is to be taken for another.
    pub fn least() -> Self {
        // A body that may be anything is never to be taken for a script.
        let always = vec![(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))];
        Self { always, page: None, data: None, hsts: None }
    }

    /// Says all of it.
    pub fn new(policies: &Policies<'_>) -> Self {
        let Self { mut always, .. } = Self::least();
        let texts = [
            (header::X_FRAME_OPTIONS, policies.frame),
            (header::REFERRER_POLICY, Some(policies.referrer)),
            (CORP, Some(policies.resource)),
        ];
        // The configuration has let nothing through that HTTP cannot carry.
        always.extend(texts.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::from_str(text?).ok()?))));
        let hsts = policies.hsts.map(|age| format!("max-age={}", age.as_secs()));
        Self {
            always,
            page: Some(HeaderValue::from_static("same-origin")),
            data: Some(DATA_POLICY),
            hsts: hsts.and_then(|text| HeaderValue::from_str(&text).ok()),
        }
    }

    /// Adds them to an answer, and the trace that it belongs to.
    pub(crate) fn dress(&self, headers: &mut HeaderMap, trace: TraceId, is_secure: bool) {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let is_page = kind.starts_with(b"text/html");
        let is_data = kind.starts_with(b"application/json") || kind.starts_with(b"application/problem+json");
        // Most have nothing else, and then there is nothing to look for.
        let is_bare = headers.len_keys() == usize::from(!kind.is_empty());
        if !is_bare {
            headers.remove(TRACE_HEADER);
        }
        if let Ok(value) = HeaderValue::from_bytes(&trace.to_hex()) {
            headers.append(TRACE_HEADER, value);
        }
        // By `append`: `insert` hands out what it has replaced, which is large.
        let mut add = |name: HeaderName, value: &HeaderValue| {
            if is_bare || !headers.contains_key(&name) {
                headers.append(name, value.clone());
            }
        };
        for (name, value) in &self.always {
            add(name.clone(), value);
        }
        if let Some(policy) = self.page.as_ref().filter(|_| is_page) {
            add(COOP, policy);
        }
        if let Some(policy) = self.data.as_ref().filter(|_| is_data) {
            add(header::CONTENT_SECURITY_POLICY, policy);
        }
        if let Some(hsts) = self.hsts.as_ref().filter(|_| is_secure) {
            add(header::STRICT_TRANSPORT_SECURITY, hsts);
        }
    }
}

impl Default for AnswerHeaders {
    fn default() -> Self {
        Self::new(&Policies {
            frame: Some("DENY"),
            referrer: "strict-origin-when-cross-origin",
            resource: "same-origin",
            hsts: None,
        })
    }
}
