//! The HTTP request behind a run, as guards and handlers see it.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use crate::{
    error::{FieldError, InvalidInput, Place},
    schema::FromText,
};

/// What the HTTP door tells of a request. The body is not part of it.
pub trait RequestHead: Send + Sync + 'static {
    /// The method's name.
    fn method(&self) -> &str;
    /// The path as sent, still percent-encoded.
    fn path(&self) -> &str;
    /// The query string as sent, without the question mark.
    fn query_string(&self) -> &str;
    /// The first value of a header, if it is text.
    fn header(&self, name: &str) -> Option<&str>;
    /// The decoded value of a cookie.
    fn cookie(&self, name: &str) -> Option<Cow<'_, str>>;
    /// The decoded value of a parameter of the path template.
    fn path_param(&self, name: &str) -> Option<Cow<'_, str>>;
    /// The decoded values of a query key.
    fn query_values(&self, name: &str) -> Vec<Cow<'_, str>>;
    /// The address of the peer of the connection.
    fn peer(&self) -> Option<IpAddr>;
    /// The address of the client, as far as the proxies in between are trusted.
    fn client_ip(&self) -> Option<IpAddr>;
    /// Whether the client's connection is encrypted, as far as the proxies in between are trusted.
    fn is_secure(&self) -> bool;
    /// The host that the client named, with its port if it has one, as far as the proxies in between are trusted.
    fn host(&self) -> Option<&str>;
}

/// The network of a client, as limits count it: an IPv4 address, or the first 64 bits of an IPv6 address, which is what one customer has
/// at least (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub Option<IpAddr>);

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(|address| address.to_canonical()) {
            None => f.write_str("unknown"),
            Some(IpAddr::V4(address)) => address.fmt(f),
            Some(IpAddr::V6(address)) => {
                let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
                write!(f, "{network}/64")
            }
        }
    }
}

/// The HTTP request behind a run: everything but its body.
#[derive(Clone)]
pub struct Request(Arc<dyn RequestHead>);

impl Request {
    /// Wraps what the door tells.
    pub fn new(head: Arc<dyn RequestHead>) -> Self {
        Self(head)
    }

    /// Returns the method's name, such as `POST`.
    pub fn method(&self) -> &str {
        self.0.method()
    }

    /// Returns the path as sent, still percent-encoded.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// Returns the query string as sent, without the question mark; empty when there is none.
    pub fn query_string(&self) -> &str {
        self.0.query_string()
    }

    /// Returns the first value of a header. The name's case does not matter; a value that is not text is left out.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.header(name)
    }

    /// Returns the value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.cookie(name)
    }

    /// Returns the address of the peer of the connection.
    pub fn peer(&self) -> Option<IpAddr> {
        self.0.peer()
    }

    /// Returns the address of the client: the peer's, unless that is one of `http.trusted_proxies`; then the last address that those say
    /// they were called from.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.0.client_ip()
    }

    /// Returns whether the client's connection is encrypted: the one to this server, or the one that a proxy of `http.trusted_proxies` says
    /// that it has.
    pub fn is_secure(&self) -> bool {
        self.0.is_secure()
    }

    /// Returns `https` or `http`, as [`is_secure`](Self::is_secure) says.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// Returns the host that the client named, with its port if it has one: what proxies of `http.trusted_proxies` say, otherwise that of
    /// the request itself. Everybody can name any, unless `http.allowed_hosts` is set.
    pub fn host(&self) -> Option<&str> {
        self.0.host()
    }

    /// Reads a parameter of the path template.
    ///
    /// # Errors
    /// 422 when the template has no such parameter or its text is not a `T`.
    pub fn path_param<T: FromText>(&self, name: &str) -> Result<T, InvalidInput> {
        let texts: Vec<_> = self.0.path_param(name).into_iter().collect();
        read(Place::Path, name, &texts)
    }

    /// Reads a key of the query string.
    ///
    /// # Errors
    /// 422 when the key is missing or its text is not a `T`; `Option<T>` may be missing.
    pub fn query<T: FromText + crate::schema::Schema>(&self, name: &str) -> Result<T, InvalidInput> {
        let texts = self.0.query_values(name);
        match (texts.is_empty(), T::absent()) {
            (true, Some(absent)) => Ok(absent),
            _ => read(Place::Query, name, &texts),
        }
    }
}

/// Returns the token of `Authorization: Bearer …`, whose value this is (RFC 6750 section 2.1).
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn read<T: FromText>(place: Place, name: &str, texts: &[Cow<'_, str>]) -> Result<T, InvalidInput> {
    T::from_texts(texts).map_err(|mistake| {
        let pointer = format!("/{name}");
        InvalidInput::new(vec![FieldError { place, pointer, code: mistake.code.into(), message: mistake.message }])
    })
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor the query: they carry secrets.
        write!(f, "Request({} {})", self.method(), self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_one_network() {
        let network = |text: &str| Network(text.parse().ok()).to_string();
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("nobody"), "unknown");
    }
}
