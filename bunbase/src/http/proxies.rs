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

    /// Returns the address of the client: the last one on the way to this server that is no proxy of ours. Who is not trusted could
    /// have written what comes before.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.to_canonical();
        if self.trusted.is_empty() || !self.trusts(client) {
            return Some(client);
        }
        let lines: Vec<&str> = headers.get_all(&self.header).filter_map(|line| line.to_str().ok()).collect();
        for element in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let node = if self.header.as_str() == "forwarded" { forwarded_for(element) } else { Some(element) };
            let Some(address) = node.and_then(address) else { break };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        Some(client)
    }
}

/// Returns the `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
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
        proxies.client(peer.parse().ok(), &headers).map_or_else(|| "nobody".to_owned(), |address| address.to_string())
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

    proptest! {
        #[test]
        fn no_header_makes_it_panic(line in "[ -~]{0,40}") {
            let _ = client("x-forwarded-for", "10.0.0.1", &[&line]);
            let _ = client("forwarded", "10.0.0.1", &[&line]);
        }
    }
}
