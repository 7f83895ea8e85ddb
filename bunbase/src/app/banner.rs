//! What a person sees when the server starts.

use std::{fmt::Write as _, net::SocketAddr};

use super::data;
use crate::{
    config::Config,
    registry::{Registered, Registry},
};

/// Says what runs, where to look, and why it is what it is.
pub(super) fn text(config: &Config, registry: &Registry, addresses: &[SocketAddr]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    if let Some(address) = addresses.first() {
        let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        let base = format!("http://{host}:{}", address.port());
        line("listening", &base);
        if config.openapi.enabled {
            if config.docs.enabled {
                line("docs", &format!("{base}{}", config.docs.path));
            }
            line("document", &format!("{base}{}", config.openapi.path));
        }
        line("health", &format!("{base}/_health"));
        let tools = registry.actions().iter().flat_map(Registered::tools).count();
        if cfg!(feature = "mcp") && config.mcp.enabled && tools > 0 {
            line("mcp", &format!("{base}{} ({tools} tools)", config.mcp.path));
        }
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
