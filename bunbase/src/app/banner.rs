//! What a person sees when the server starts.

use std::{fmt::Write as _, net::SocketAddr};

use super::{data, pages};
use crate::{
    config::Config,
    registry::{Registered, Registry},
};

/// Says what runs, where to look, and why it is what it is.
pub(super) fn text(config: &Config, registry: &Registry, addresses: &[SocketAddr], admin: &[SocketAddr]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    if let Some(address) = addresses.first() {
        let scheme = if config.tls.certificate.is_empty() { "http" } else { "https" };
        let base = base(scheme, *address);
        line("listening", &base);
        if pages::is_on_main(config, "docs") {
            line("docs", &format!("{base}{}", config.docs.path));
        }
        if pages::is_on_main(config, "document") {
            line("document", &format!("{base}{}", config.openapi.path));
        }
        line("health", &format!("{base}/_health"));
        let tools = registry.actions().iter().flat_map(Registered::tools).count();
        if cfg!(feature = "mcp") && pages::is_on_main(config, "mcp") && tools > 0 {
            line("mcp", &format!("{base}{} ({tools} tools)", config.mcp.path));
        }
    }
    if let Some(address) = admin.first() {
        line("admin", &base("http", *address));
    }
    let closed = pages::closed(config);
    if !closed.is_empty() {
        line("not served", &format!("{}: set `admin.token` or `admin.addr`, or their `access`", closed.join(", ")));
    }
    line("roles", &config.app.roles.join(", "));
    line("database", &config.database.url.to_string());
    if config.redis.url.expose().is_some() {
        line("redis", &config.redis.url.to_string());
    }
    for name in data::per_process(config) {
        line(name, "in the memory of this process, which others do not see");
    }
    line("environment", &format!("{} ({})", config.environment, config.environment_reason));
    let routes: usize = registry.actions().iter().map(|action| action.routes.len()).sum();
    line("actions", &format!("{} with {routes} routes", registry.actions().len()));
    format!("{} {}\n{text}", config.app.name, config.app.version)
}

fn base(scheme: &str, address: SocketAddr) -> String {
    let address = match address {
        address if address.ip().is_unspecified() => format!("localhost:{}", address.port()),
        address => address.to_string(),
    };
    format!("{scheme}://{address}")
}
