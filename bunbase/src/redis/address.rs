//! The address of Redis: one server, a cluster, or sentinels that know one.

/// What an address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// One server.
    One(String),
    /// Some nodes of a cluster.
    Cluster(Vec<String>),
    /// Sentinels, the name of the master that they watch, and how to reach that.
    Sentinel {
        sentinels: Vec<String>,
        master: String,
        tls: bool,
        user: Option<String>,
        password: Option<String>,
        db: i64,
    },
}

impl Address {
    /// Reads an address; an error says what to write instead and does not repeat it.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("must be a URL like `redis://host:6379/0`".to_owned());
        };
        let (tls, kind) = match scheme {
            "redis" | "valkey" => (false, ""),
            "rediss" | "valkeys" => (true, ""),
            "unix" | "redis+unix" => return Ok(Self::One(format!("redis+unix://{rest}"))),
            "redis+cluster" => (false, "cluster"),
            "rediss+cluster" => (true, "cluster"),
            "redis+sentinel" => (false, "sentinel"),
            "rediss+sentinel" => (true, "sentinel"),
            _ => {
                return Err(
                    "must begin with `redis://`, `rediss://`, `unix://`, `redis+cluster://` or `redis+sentinel://` \
                            (`rediss+…` with TLS)"
                        .to_owned(),
                );
            }
        };
        let plain = if tls { "rediss" } else { "redis" };
        if kind.is_empty() {
            return Ok(Self::One(format!("{plain}://{rest}")));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(login, hosts)| (Some(login), hosts));
        let hosts: Vec<&str> = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        if hosts.is_empty() {
            return Err("names no host".to_owned());
        }
        if kind == "cluster" {
            let login = login.map(|login| format!("{login}@")).unwrap_or_default();
            return Ok(Self::Cluster(hosts.iter().map(|host| format!("{plain}://{login}{host}")).collect()));
        }
        let (master, db) = path.split_once('/').unwrap_or((path, "0"));
        if master.is_empty() {
            return Err("names no master: write `redis+sentinel://host:26379/NAME`".to_owned());
        }
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            None => (None, None),
            Some((user, password)) => (Some(user).filter(|user| !user.is_empty()).map(decode), Some(decode(password))),
        };
        Ok(Self::Sentinel {
            sentinels: hosts.iter().map(|host| format!("{plain}://{host}")).collect(),
            master: master.to_owned(),
            tls,
            user,
            password,
            db: db.parse().map_err(|_| "has no number for the database behind the master's name".to_owned())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_address_is_read() {
        for (url, expected) in [
            ("redis://h:1/2", Address::One("redis://h:1/2".into())),
            ("valkeys://u:p@h", Address::One("rediss://u:p@h".into())),
            ("unix:///run/redis.sock", Address::One("redis+unix:///run/redis.sock".into())),
            (
                "rediss+cluster://u:p@a:1,b:2",
                Address::Cluster(vec!["rediss://u:p@a:1".into(), "rediss://u:p@b:2".into()]),
            ),
            (
                "redis+sentinel://:p%40@a:1,b:2/main/3",
                Address::Sentinel {
                    sentinels: vec!["redis://a:1".into(), "redis://b:2".into()],
                    master: "main".into(),
                    tls: false,
                    user: None,
                    password: Some("p@".into()),
                    db: 3,
                },
            ),
        ] {
            assert_eq!(Address::parse(url).unwrap(), expected, "{url}");
        }
        for url in ["h:1", "http://h", "redis+sentinel://a:1", "redis+cluster://", "redis+sentinel://a/m/x"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = Address::parse(&text);
            let _ = Address::parse(&format!("redis+sentinel://{text}"));
        }
    }
}
