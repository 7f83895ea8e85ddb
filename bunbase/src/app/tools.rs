//! The tools of an application, joined with the web server that they are served by.

use std::{net::IpAddr, sync::Arc};

use crate::{
    config::Config,
    context::Services,
    http::builtin::{self, Builtin, Passage},
    mcp::{About, Endpoint, Exchange, Server},
    registry::Registry,
};

/// Describes the tools of a registry.
pub(super) fn server(
    registry: &Registry,
    services: &Arc<Services>,
    config: &Config,
    description: Option<String>,
) -> Server {
    let about = About { name: config.app.name.clone(), version: config.app.version.clone(), instructions: description };
    Server::new(registry, services, about)
}

/// Adds the endpoint of the tools to those of the web server, where there are tools and they are to be served.
pub(super) fn served(server: &Server, config: &Config, mut builtins: Vec<(String, Builtin)>) -> Vec<(String, Builtin)> {
    if config.mcp.enabled && server.names().next().is_some() {
        let endpoint = Endpoint::new(server, &hosts(config), &config.cors.origins, config.http.max_body_size.as_u64());
        builtins.push((
            config.mcp.path.clone(),
            builtin::pass(move |passage| {
                let endpoint = endpoint.clone();
                let Passage { request, headers, body, trace, running } = passage;
                Box::pin(async move { endpoint.answer(Exchange { request, headers, body, trace, running }).await })
            }),
        ));
    }
    builtins
}

/// Returns the names that the server may be called by; none for all.
fn hosts(config: &Config) -> Vec<String> {
    let mut hosts = config.mcp.hosts.clone();
    let own = &config.http.host;
    let is_anything = own.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
    if !hosts.is_empty() && !is_anything && !hosts.contains(own) {
        hosts.push(own.clone());
    }
    hosts
}
