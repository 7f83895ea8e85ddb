//! What the HTTP door is told by the configuration: at the server's own address, and at `admin.addr`.

use crate::{
    Error, Result,
    config::{self, Config, FrameOptions, TenantIsolation, TenantSource},
    http,
    seal::PageKeys,
};

/// Returns the names that a server answers to which listens on this host.
fn hosts(config: &Config, listens_on: &str) -> http::Hosts {
    let mut names = config.http.allowed_hosts.clone();
    let is_development = config.environment.is_development();
    if names.is_empty() && !(is_development && config::is_loopback(listens_on)) {
        return http::Hosts::All;
    }
    // What says elsewhere which names there are.
    if config.tenants.isolation != TenantIsolation::Off && config.tenants.from == TenantSource::Subdomain {
        names.extend([config.tenants.domain.clone(), format!("*.{}", config.tenants.domain)]);
    }
    names.extend(config.mcp.hosts.iter().cloned());
    http::Hosts::listed(names, is_development)
}

/// Returns whether the server answers only to names that are listed.
pub(super) fn lists_hosts(config: &Config) -> bool {
    !matches!(hosts(config, &config.http.host), http::Hosts::All)
}

/// Says which pages may make requests that change something.
fn csrf(config: &Config, keys: &PageKeys) -> http::Csrf {
    if !config.security.csrf {
        return http::Csrf::default();
    }
    let (cors, exempt) = (&config.cors, config.security.csrf_exempt.clone());
    let (origins, credentials) = (cors.origins.clone(), cors.credentials);
    http::Csrf::new(origins, credentials, exempt, &config.session.cookie, keys.clone())
}

/// Returns where the certificate is, if there is one.
fn tls(config: &Config) -> Option<http::TlsFiles> {
    let config::TlsConfig { certificate, key, reload_interval } = &config.tls;
    let files =
        || http::TlsFiles { certificate: certificate.into(), key: key.into(), reload_interval: *reload_interval };
    (!certificate.is_empty()).then(files)
}

/// Says how what is built in is served at its own address: to nobody's pages but its own, by few.
pub(super) fn admin_settings(config: &Config, keys: &PageKeys) -> Result<http::Settings> {
    let address = &config.admin.addr;
    let (host, port) = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .ok_or_else(|| Error::internal(format!("`admin.addr` is `{address}`, which is no host and port")))?;
    Ok(http::Settings {
        host: host.to_owned(),
        port,
        workers: 1,
        cors: http::Cors::default(),
        tls: None,
        hosts: if config::is_loopback(host.trim_matches(['[', ']'])) {
            http::Hosts::listed(&config.http.allowed_hosts, true)
        } else {
            http::Hosts::All
        },
        ..settings(config, keys)?
    })
}

fn answers(config: &Config) -> http::AnswerHeaders {
    let security = &config.security;
    if !security.headers {
        return http::AnswerHeaders::least();
    }
    let frame = match security.frame_options {
        FrameOptions::Deny => Some("DENY"),
        FrameOptions::SameOrigin => Some("SAMEORIGIN"),
        FrameOptions::Off => None,
    };
    http::AnswerHeaders::new(&http::Policies {
        frame,
        referrer: &security.referrer_policy,
        resource: security.resource_policy.as_str(),
        hsts: security.hsts,
    })
}

/// Says how the application is served.
pub(super) fn settings(config: &Config, keys: &PageKeys) -> Result<http::Settings> {
    let http = &config.http;
    Ok(http::Settings {
        host: http.host.clone(),
        port: http.port,
        workers: http.workers,
        max_body_bytes: http.max_body_size.as_u64(),
        request_timeout: http.request_timeout.unwrap_or_default(),
        max_uri_bytes: http.max_uri_size.as_u64(),
        head_timeout: http.client_request_timeout.unwrap_or_default(),
        body_timeout: http.body_timeout.unwrap_or_default(),
        send_timeout: http.send_timeout.unwrap_or_default(),
        keep_alive: http.keep_alive.unwrap_or_default(),
        shutdown_delay: http.shutdown_delay,
        shutdown_timeout: http.shutdown_timeout,
        cancel_on_disconnect: match http.cancel_on_disconnect {
            config::CancelOnDisconnect::Safe => http::CancelOnDisconnect::Safe,
            config::CancelOnDisconnect::Always => http::CancelOnDisconnect::Always,
            config::CancelOnDisconnect::Never => http::CancelOnDisconnect::Never,
        },
        compression: http.compression,
        compression_min_bytes: http.compression_min_size.as_u64(),
        multipart: http::MultipartLimits {
            max_files: config.multipart.max_files,
            max_fields: config.multipart.max_fields,
            max_file_bytes: config.multipart.max_file_size.as_u64(),
            memory_limit_bytes: config.multipart.memory_limit.as_u64(),
        },
        cors: http::Cors {
            origins: config.cors.origins.clone(),
            credentials: config.cors.credentials,
            methods: config.cors.methods.clone(),
            headers: config.cors.headers.clone(),
            exposed_headers: config.cors.exposed_headers.clone(),
            max_age: config.cors.max_age,
        },
        proxies: http::Proxies::new(&http.trusted_proxies, &http.client_ip_header)?,
        tls: tls(config),
        hosts: hosts(config, &http.host),
        csrf: csrf(config, keys),
        answers: answers(config),
        logs_all: config.log.requests == config::RequestLog::All,
    })
}
