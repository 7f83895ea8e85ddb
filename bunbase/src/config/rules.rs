//! Rules between keys, and the values that keys take from each other.

use super::{
    Access, Config, DEBUG_ENDS, HEALTH_PATHS, LongSecret, OtlpProtocol, Problem, SameSite, Source, is_loopback,
    table::KEYS,
};

impl Config {
    /// Gives every key that is not set, and is like another, the other's value.
    pub(super) fn inherit(&mut self) {
        for key in KEYS.iter().filter(|key| key.like.is_some()) {
            if !self.sources.contains_key(key.name) {
                (key.inherit)(self);
            }
        }
        // Whoever names a collector wants it to have something.
        let is_set = |key: &str| self.sources.contains_key(key);
        if !is_set("tracing.enabled") {
            self.tracing.enabled = !self.otlp.endpoint.is_empty() || !self.tracing.endpoint.is_empty();
        }
        if !is_set("log.otlp") {
            self.log.otlp = !self.otlp.endpoint.is_empty() || !self.log.otlp_endpoint.is_empty();
        }
    }
}

/// Returns whether nobody but this machine reaches an address.
fn is_local(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, _)| is_loopback(host.trim_matches(['[', ']'])))
}

impl Config {
    /// Returns whether nobody but this machine reaches `admin.addr`, as where there is none.
    pub(crate) fn is_admin_local(&self) -> bool {
        self.admin.addr.is_empty() || is_local(&self.admin.addr)
    }

    /// Returns what asks for a token at `admin.addr` that there is not.
    fn closed_at_admin(&self) -> Vec<&'static str> {
        if self.is_admin_local() {
            return Vec::new();
        }
        let all = &self.admin.token;
        let pages = [
            ("openapi", self.openapi.access, all),
            ("docs", self.docs.access, all),
            // That of `admin.token` where it has none of its own.
            ("metrics", self.metrics.access, &self.metrics.token),
            ("health", self.health.access, all),
            ("mcp", self.mcp.access, all),
            ("debug", self.debug.access, all),
        ];
        let is_closed =
            |access: Access, token: &LongSecret| matches!(access, Access::Token | Access::Admin) && token.is_empty();
        pages.into_iter().filter(|(_, access, token)| is_closed(*access, token)).map(|(name, ..)| name).collect()
    }

    /// Returns every path that is served besides those of actions, each with the key that moves it.
    pub(crate) fn served_paths(&self) -> Vec<(Option<&'static str>, String)> {
        let mut paths: Vec<_> = HEALTH_PATHS.iter().map(|path| (None, (*path).to_owned())).collect();
        // A slash at the end makes no other path, but for the root.
        let mut serve = |key, path: &str| {
            let path = path.trim_end_matches('/');
            paths.push((Some(key), if path.is_empty() { "/".to_owned() } else { path.to_owned() }));
        };
        let is_served = |access: Access| access != Access::Off;
        let has_docs = is_served(self.openapi.access) && is_served(self.docs.access);
        if is_served(self.openapi.access) {
            serve("openapi.path", &self.openapi.path);
        }
        if has_docs {
            let docs = self.docs.path.trim_end_matches('/');
            serve("docs.path", docs);
            serve("docs.path", &format!("{docs}/reference.js"));
            serve("docs.path", &format!("{docs}/boot.js"));
        }
        if is_served(self.metrics.access) {
            serve("metrics.path", &self.metrics.path);
        }
        if is_served(self.mcp.access) {
            serve("mcp.path", &self.mcp.path);
        }
        if is_served(self.debug.access) {
            let path = self.debug.path.trim_end_matches('/');
            for end in DEBUG_ENDS {
                serve("debug.path", &format!("{path}/{end}"));
            }
        }
        if has_docs {
            // Whoever adds the slash is sent to the page.
            paths.push((Some("docs.path"), format!("{}/", self.docs.path.trim_end_matches('/'))));
        }
        paths
    }
}

/// Adds what contradicts itself. A key that already has a problem is left alone: its value is not what the user wrote.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let keys = |problem: &Problem| [Some(problem.key.clone()), problem.suggestion.clone()];
    let wrong: Vec<String> = problems.iter().flat_map(keys).flatten().collect();
    let source = |key: &str| -> Option<Source> { config.sources.get(key).cloned() };
    let mut rule = |broken: bool, key: &str, other: &str, message: String| {
        if broken && !wrong.iter().any(|name| name == key || name == other) {
            // The rule concerns both; whichever was set is what the user can change.
            problems.push(Problem::new(key, source(key).or_else(|| source(other)), message));
        }
    };
    let (least, most) = (config.database.min_connections, config.database.max_connections);
    rule(
        least > most,
        "database.min_connections",
        "database.max_connections",
        format!("is {least}, more than `database.max_connections`, which is {most}"),
    );
    rule(
        config.cors.credentials && config.cors.origins.iter().any(|origin| origin == "*"),
        "cors.credentials",
        "cors.origins",
        "cannot be true while `cors.origins` has `*`: any page could act as your user; list the origins".to_owned(),
    );
    let (page, document) = (config.docs.access, config.openapi.access);
    rule(
        (page as u8) < document as u8,
        "docs.access",
        "openapi.access",
        format!(
            "cannot be `{}` while `openapi.access` is `{}`: the page shows the document",
            page.as_str(),
            document.as_str()
        ),
    );
    for (key, access) in [
        ("openapi.access", document),
        ("docs.access", page),
        ("metrics.access", config.metrics.access),
        ("health.access", config.health.access),
        ("mcp.access", config.mcp.access),
        ("debug.access", config.debug.access),
    ] {
        rule(
            access == Access::Admin && config.admin.addr.is_empty() && config.sources.contains_key(key),
            key,
            "admin.addr",
            "is `admin`, and `admin.addr` is not set: it would be nowhere".to_owned(),
        );
    }
    let closed = config.closed_at_admin();
    rule(
        !closed.is_empty(),
        "admin.addr",
        "admin.token",
        format!(
            "is an address that others may reach, where {} would ask for `admin.token`, and there is none: set one, or listen on 127.0.0.1",
            closed.join(", ")
        ),
    );
    for (key, protocol, is_on) in [
        ("tracing.protocol", config.tracing.protocol, config.tracing.enabled),
        ("log.otlp_protocol", config.log.otlp_protocol, config.log.otlp),
    ] {
        rule(
            is_on && protocol == OtlpProtocol::Grpc && !cfg!(feature = "otlp-grpc"),
            key,
            "otlp.protocol",
            "is `grpc`, which this program is built without: give bunbase the cargo feature `otlp-grpc`, or write \
             `http/protobuf`"
                .to_owned(),
        );
    }
    let debug = &config.debug;
    rule(
        debug.console && !cfg!(feature = "tokio-console"),
        "debug.console",
        "debug.console",
        "is true, and this program is built without it: give bunbase the cargo feature `tokio-console`".to_owned(),
    );
    rule(
        debug.console && cfg!(feature = "tokio-console") && !cfg!(tokio_unstable),
        "debug.console",
        "debug.console",
        "is true, and tokio tells nothing of its tasks in this program: build it with `RUSTFLAGS=\"--cfg tokio_unstable\"`".to_owned(),
    );
    rule(
        debug.console && !is_local(&debug.console_addr),
        "debug.console_addr",
        "debug.console",
        "must be an address of this machine alone, like `127.0.0.1:6669`: whoever reaches it is asked for nothing"
            .to_owned(),
    );
    rule(
        config.tls.certificate.is_empty() != config.tls.key.is_empty(),
        "tls.certificate",
        "tls.key",
        "and `tls.key` need each other: set both or neither".to_owned(),
    );
    rule(
        config.session.same_site == SameSite::None && !config.session.secure,
        "session.same_site",
        "session.secure",
        "cannot be `none` while `session.secure` is false: browsers refuse such a cookie".to_owned(),
    );
    let paths = config.served_paths();
    for (index, (key, path)) in paths.iter().enumerate() {
        let Some(key) = key else { continue };
        let taken = paths[..index].iter().find(|(other, taken)| taken == path && *other != Some(key));
        if let Some((Some(other), _)) = taken {
            rule(true, key, other, format!("serves {path}, as does `{other}`; one of them needs another path"));
        } else if taken.is_some() {
            rule(true, key, key, format!("serves {path}, which is a health endpoint; choose another path"));
        }
    }
}
