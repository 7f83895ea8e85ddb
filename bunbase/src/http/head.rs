//! A request without its body, in a form that may leave the worker thread.

use std::{
    borrow::Cow,
    iter,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix_web::http::{
    Method, Uri, Version,
    header::{self, HeaderMap},
};
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

use crate::{context::RequestHead, schema::Mistake};

/// Where in a path its parameters are, each by its first byte and the one after its last.
pub(crate) type Places = SmallVec<[(u32, u32); 4]>;

/// Everything of a request but its body. Its headers are taken out of actix's request, not copied.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) client_ip: Option<IpAddr>,
    /// Whether the client's connection is encrypted.
    pub(crate) is_secure: bool,
    /// The host that the client named, where a proxy of ours says it.
    pub(crate) forwarded_host: Option<Box<str>>,
    /// The names of the route's parameters, in the order of the template.
    pub(crate) param_names: Arc<[String]>,
    /// Where in the path each parameter's raw value is.
    pub(crate) params: Places,
    /// Whether the future that answers it is being polled for the first time, and is polled again at once: then what has to be waited for is
    /// only known at that poll, and most of it is there. A body that has come with its head is fed by actix-http to a service that it has
    /// polled once.
    pub(crate) is_polled_again: AtomicBool,
    /// Whether the run goes on when its client leaves.
    pub(crate) goes_on: AtomicBool,
}

impl Head {
    /// Returns the raw value of parameter `index` of the template.
    pub(crate) fn raw_param(&self, index: usize) -> &str {
        let place = self.params.get(index).map(|(start, end)| *start as usize..*end as usize);
        place.and_then(|place| self.uri.path().get(place)).unwrap_or_default()
    }

    /// Says that the run goes on when its client leaves: from here on it changes something.
    pub(crate) fn go_on(&self) {
        self.goes_on.store(true, Ordering::Relaxed);
    }

    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on.load(Ordering::Relaxed)
    }

    pub(crate) fn is_polled_again(&self) -> bool {
        self.is_polled_again.load(Ordering::Relaxed)
    }

    /// Returns the raw keys and values of the query string.
    pub(crate) fn raw_query(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = self.uri.query().unwrap_or_default();
        let pairs = iter::from_fn(move || {
            let (pair, more) = (!rest.is_empty()).then(|| cut(rest, b'&').unwrap_or((rest, "")))?;
            rest = more;
            Some(pair)
        });
        pairs.filter(|pair| !pair.is_empty()).map(|pair| cut(pair, b'=').unwrap_or((pair, "")))
    }

    /// Returns what the client says that it has.
    pub(crate) fn if_none_match(&self) -> String {
        let lines = self.headers.get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
        lines.collect::<Vec<_>>().join(",")
    }

    /// Returns the raw value of the first cookie of a name.
    pub(crate) fn raw_cookie(&self, name: &str) -> Option<&str> {
        raw_cookie(&self.headers, name)
    }
}

/// Returns the raw value of the first cookie of a name, without the quotes that RFC 6265 section 4.1.1 allows around it.
pub(crate) fn raw_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    // A name with a prefix that browsers hold to rules (RFC 6265bis section 4.1.3) is that name only as it stands: they know no escapes, and
    // would let another host set `%5F%5FHost-…`.
    let is_plain = name.starts_with("__");
    let is_named = |key: &str| key == name || (!is_plain && decode_segment(key).is_ok_and(|key| key == name));
    let trimmed = |text: &'h str| text.trim_matches([' ', '\t']);
    let value = pairs.find_map(|(key, value)| is_named(trimmed(key)).then(|| trimmed(value)))?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Returns the host that a request names, with its port if it has one. One in the request line counts more than the header (RFC 9112
/// section 3.2.2).
pub(crate) fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    match uri.authority() {
        Some(authority) => authority.as_str().rsplit('@').next(),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

/// Cuts a text in two at the first of these ASCII letters. Most texts of a request are a few bytes long, and looking at one after the other is quickest.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = text.bytes().position(|byte| byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

/// Returns whether a raw key of a query string is this name.
pub(crate) fn is_named(key: &str, name: &str) -> bool {
    let has_escapes = || key.bytes().any(|byte| matches!(byte, b'%' | b'+'));
    key == name || (has_escapes() && decode_query(key).is_ok_and(|key| key == name))
}

/// Decodes percent-escapes; a text without any is borrowed.
pub(crate) fn decode_segment(raw: &str) -> Result<Cow<'_, str>, Mistake> {
    if !raw.as_bytes().contains(&b'%') {
        return Ok(Cow::Borrowed(raw));
    }
    // The decoder leaves an escape that is none as it is, and then two different texts would mean the same.
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !raw.split('%').skip(1).all(is_escape) {
        return Err(Mistake::new("encoding", "must be percent-encoded: `%` and two hexadecimal digits"));
    }
    percent_decode_str(raw).decode_utf8().map_err(|_| Mistake::new("encoding", "must be UTF-8 after percent-decoding"))
}

/// Decodes a key or value of a query string, where a plus is a space.
pub(crate) fn decode_query(raw: &str) -> Result<Cow<'_, str>, Mistake> {
    if !raw.as_bytes().contains(&b'+') {
        return decode_segment(raw);
    }
    let spaced = raw.replace('+', " ");
    decode_segment(&spaced).map(|text| Cow::Owned(text.into_owned()))
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn query_string(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn cookie(&self, name: &str) -> Option<Cow<'_, str>> {
        decode_segment(self.raw_cookie(name)?).ok()
    }

    fn path_param(&self, name: &str) -> Option<Cow<'_, str>> {
        let index = self.param_names.iter().position(|param| param == name)?;
        decode_segment(self.raw_param(index)).ok()
    }

    fn query_values(&self, name: &str) -> Vec<Cow<'_, str>> {
        let named = self.raw_query().filter(|(key, _)| is_named(key, name));
        named.filter_map(|(_, value)| decode_query(value).ok()).collect()
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip
    }

    fn is_secure(&self) -> bool {
        self.is_secure
    }

    fn host(&self) -> Option<&str> {
        self.forwarded_host.as_deref().or_else(|| host(&self.uri, &self.headers))
    }
}
