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

/// Makes the endpoint of the tools, where there are tools.
pub(super) fn endpoint(server: &Server, config: &Config) -> Option<Builtin> {
    server.names().next()?;
    let endpoint = Endpoint::new(server, &hosts(config), &config.cors.origins, config.http.max_body_size.as_u64());
    Some(builtin::pass(move |passage| {
        let endpoint = endpoint.clone();
        let Passage { request, headers, body, trace, running } = passage;
        Box::pin(async move { endpoint.answer(Exchange { request, headers, body, trace, running }).await })
    }))
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
