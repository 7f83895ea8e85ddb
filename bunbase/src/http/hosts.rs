//! The names that the server answers to.

use std::net::IpAddr;

/// The names that a request may be sent to.
///
/// A page whose name is made to lead to this machine ("DNS rebinding") is, to the browser, of one origin with the server; the name
/// in its requests is all that tells. It also is what applications make links of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// Every name.
    #[default]
    All,
    /// Some names.
    Some(Listed),
}

/// Names that are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    names: Vec<Name>,
    /// Whether `localhost`, names below it, and all addresses belong to them. No name leads to an address, so none can be made to.
    local: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Exact(String),
    /// All names that end so; it begins with a dot.
    Below(String),
}

impl Hosts {
    /// Accepts names such as `app.example.com` and `*.example.com`; with `local` also `localhost`, names below it, and addresses.
    pub fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>, local: bool) -> Self {
        let name = |name: S| {
            let name = bare(name.as_ref()).to_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(below) => Name::Below(below.to_owned()),
                None => Name::Exact(name),
            }
        };
        Self::Some(Listed { names: names.into_iter().map(name).collect(), local })
    }

    /// Returns whether every name is welcome.
    pub(crate) fn welcome_all(&self) -> bool {
        *self == Self::All
    }

    /// Returns whether a request that says this host, with or without a port, may come in. One that says none is sent to no name.
    pub(crate) fn welcomes(&self, host: Option<&str>) -> bool {
        let Self::Some(listed) = self else { return true };
        let Some(host) = host.map(bare).filter(|host| !host.is_empty()) else { return listed.local };
        listed.names.iter().any(|name| name.is(host)) || listed.local && is_local(host)
    }
}

impl Name {
    fn is(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Below(end) => ends_with(host, end),
        }
    }
}

/// Returns whether a name ends so, with something before it.
fn ends_with(host: &str, end: &str) -> bool {
    let at = host.len().checked_sub(end.len()).filter(|at| *at > 0);
    at.and_then(|at| host.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ends_with(host, ".localhost") || host.parse::<IpAddr>().is_ok()
}

/// Cuts the port off a host, the brackets of an IPv6 address, and the dot that a full name may end with.
fn bare(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_listed_name_is_welcome_whatever_its_port_and_case() {
        let hosts = Hosts::listed(["App.example.com", "*.example.org"], false);
        for host in
            ["app.example.com", "APP.EXAMPLE.COM:8443", "app.example.com.", "a.example.org", "a.b.example.org:1"]
        {
            assert!(hosts.welcomes(Some(host)), "{host}");
        }
        for host in [
            "example.com",
            "app.example.com.evil.test",
            "evil-app.example.com",
            "example.org",
            ".example.org",
            "evilexample.org",
            "app.example.com:80:80",
            "app.example.com@evil.test",
            "localhost",
            "127.0.0.1",
            "",
        ] {
            assert!(!hosts.welcomes(Some(host)), "{host}");
        }
        assert!(!hosts.welcomes(None));
    }

    #[test]
    fn names_of_this_machine_and_addresses_are_no_names_of_somebody_else() {
        let hosts = Hosts::listed(["app.test"], true);
        for host in
            ["localhost", "LOCALHOST:3000", "acme.localhost", "127.0.0.1:3000", "[::1]:3000", "192.0.2.7", "app.test"]
        {
            assert!(hosts.welcomes(Some(host)), "{host}");
        }
        for host in ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", ".localhost.evil", "xlocalhost"] {
            assert!(!hosts.welcomes(Some(host)), "{host}");
        }
        assert!(hosts.welcomes(None));
        assert!(Hosts::All.welcomes(Some("evil.test")));
    }

    proptest! {
        #[test]
        fn no_host_makes_it_panic(host: String) {
            let _ = Hosts::listed(["*.example.org", "é.test"], true).welcomes(Some(&host));
        }
    }
}
