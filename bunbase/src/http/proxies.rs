//! Who the client is, behind proxies.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::{Error, Result};

/// The proxies whose word is taken, and the header in which they say it.
#[derive(Clone, Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: HeaderName,
}

/// What is known of the way that a request came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The address of the client.
    pub(crate) client: Option<IpAddr>,
    /// Whether the client's connection was encrypted.
    pub(crate) is_secure: bool,
    /// The host that the client named, where a proxy of ours says it.
    pub(crate) host: Option<Box<str>>,
}

impl Default for Proxies {
    /// Trusts nobody.
    fn default() -> Self {
        Self { trusted: Vec::new(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

impl Proxies {
    /// Trusts these networks and single addresses, which say where a request came from in this header: a list, the latest last, as in
    /// `X-Forwarded-For` and in `Forwarded` (RFC 7239), or one address.
    ///
    /// # Errors
    /// 500 when one of them is none.
    pub fn new(trusted: &[String], header: &str) -> Result<Self> {
        let network = |text: &String| {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|error| Error::internal(format!("`{text}` is no address: {error}")))
        };
        let header = HeaderName::from_bytes(header.as_bytes()).map_err(Error::internal)?;
        Ok(Self { trusted: trusted.iter().map(network).collect::<Result<_>>()?, header })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Returns what is known of the way that a request came. The client is the last address on it that is no proxy of ours: who is not
    /// trusted could have written what comes before. `is_secure` says whether the connection to this server is encrypted.
    pub(crate) fn way(&self, peer: Option<IpAddr>, is_secure: bool, headers: &HeaderMap) -> Way {
        let peer = peer.map(|peer| peer.to_canonical());
        let mut way = Way { client: peer, is_secure, host: None };
        let Some(mut client) = peer.filter(|peer| !self.trusted.is_empty() && self.trusts(*peer)) else { return way };
        let is_standard = self.header.as_str() == "forwarded";
        let lines: Vec<&str> = headers.get_all(&self.header).filter_map(|line| line.to_str().ok()).collect();
        // What the last proxy of ours says of who called it, and how many have said something.
        let (mut said, mut hops) = (None, 0);
        for element in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let node = if is_standard { forwarded(element, "for") } else { Some(element) };
            said = Some(element);
            hops += 1;
            let Some(address) = node.and_then(address) else { break };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        way.client = Some(client);
        let (proto, host) = if is_standard {
            let said = |name| said.and_then(|element| forwarded(element, name));
            (said("proto"), said("host"))
        } else {
            (said_at(headers, "x-forwarded-proto", hops), said_at(headers, "x-forwarded-host", hops))
        };
        match proto {
            Some(proto) if proto.eq_ignore_ascii_case("https") => way.is_secure = true,
            Some(proto) if proto.eq_ignore_ascii_case("http") => way.is_secure = false,
            _ => {}
        }
        way.host = host.map(Into::into);
        way
    }
}

/// Returns what proxy `hop`, counted from this server and from 1, says in a header of its own. One that has fewer entries is passed on
/// by the proxies behind the one that wrote it.
fn said_at<'h>(headers: &'h HeaderMap, name: &'static str, hop: usize) -> Option<&'h str> {
    let lines: Vec<&str> = headers.get_all(name).filter_map(|line| line.to_str().ok()).collect();
    let said = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim).filter(|text| !text.is_empty());
    said.take(hop.max(1)).last()
}

/// Returns a parameter of one element of `Forwarded`.
fn forwarded<'e>(element: &'e str, parameter: &str) -> Option<&'e str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(parameter));
    named.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some((address, _)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse().ok();
    }
    text.split_once(':').and_then(|(address, _)| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn client(header: &str, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".to_owned(), "::1".to_owned(), "192.0.2.1".to_owned()];
        let proxies = Proxies::new(&trusted, header).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_bytes(header.as_bytes()).unwrap(), HeaderValue::from_str(line).unwrap());
        }
        let way = proxies.way(peer.parse().ok(), false, &headers);
        way.client.map_or_else(|| "nobody".to_owned(), |address| address.to_string())
    }

    /// Returns the scheme and the host that a client used who is called to come by way of `peer`.
    fn target(header: &str, peer: &str, lines: &[(&'static str, &str)]) -> (bool, Option<String>) {
        let proxies = Proxies::new(&["10.0.0.0/8".to_owned()], header).unwrap();
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(line).unwrap());
        }
        let way = proxies.way(peer.parse().ok(), false, &headers);
        (way.is_secure, way.host.map(Into::into))
    }

    #[test]
    fn what_a_stranger_says_of_itself_is_not_taken() {
        assert_eq!(client("x-forwarded-for", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        let spoofed = ["1.2.3.4, 203.0.113.9", "10.1.1.1"];
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &spoofed), "203.0.113.9");
    }

    #[test]
    fn the_last_address_before_our_own_proxies_is_the_clients() {
        assert_eq!(client("x-forwarded-for", "::1", &["203.0.113.9:4711, 192.0.2.1"]), "203.0.113.9");
        assert_eq!(client("x-forwarded-for", "::ffff:10.0.0.1", &["[2001:db8::7]:80"]), "2001:db8::7");
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("x-real-ip", "10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        let standard = ["for=1.2.3.4;proto=http, For=\"[2001:db8::7]:4711\";by=10.0.0.1", "for=10.2.2.2"];
        assert_eq!(client("forwarded", "10.0.0.1", &standard), "2001:db8::7");
    }

    #[test]
    fn the_scheme_and_the_host_are_those_that_the_last_proxy_of_ours_saw() {
        let (none, app) = (None, Some("app.example".to_owned()));
        let (proto, host, by) = ("x-forwarded-proto", "x-forwarded-host", "x-forwarded-for");
        let said = [(proto, "https"), (host, "app.example")];
        assert_eq!(target(by, "203.0.113.9", &said), (false, none.clone()));
        assert_eq!(target(by, "10.0.0.1", &said), (true, app.clone()));
        assert_eq!(target(by, "10.0.0.1", &[(proto, "ftp")]), (false, none.clone()));
        assert_eq!(target(by, "10.0.0.1", &[]), (false, none.clone()));
        // The client wrote the first one; our only proxy has added the second.
        let spoofed = [(by, "203.0.113.9"), (proto, "https, http"), (host, "evil.example, app.example")];
        assert_eq!(target(by, "10.0.0.1", &spoofed), (false, app.clone()));
        let chain = [(by, "203.0.113.9, 10.0.0.2"), (proto, "http, https, http")];
        assert_eq!(target(by, "10.0.0.1", &chain), (true, none.clone()));
        let passed_on = [(by, "203.0.113.9, 10.0.0.2"), (proto, "https")];
        assert_eq!(target(by, "10.0.0.1", &passed_on), (true, none.clone()));
        let standard = "for=1.2.3.4;proto=http;host=evil.example, for=203.0.113.9;proto=https;host=\"app.example\", for=10.0.0.2;proto=http";
        assert_eq!(target("forwarded", "10.0.0.1", &[("forwarded", standard)]), (true, app));
        assert_eq!(target("forwarded", "10.0.0.1", &[(proto, "https")]), (false, none));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(line in "[ -~]{0,40}") {
            let _ = client("x-forwarded-for", "10.0.0.1", &[&line]);
            let _ = client("forwarded", "10.0.0.1", &[&line]);
        }
    }
}
