//! The lines on what stands around the application.

use super::{
    facts::Facts,
    monitoring,
    report::{Line, Question, line, required, size},
};
use crate::config::is_loopback;

const HTTPS: Question = required("infrastructure.https", "Use HTTPS (SSL/TLS) for all traffic");
const HTTP2: Question = line("infrastructure.http2", "Enable HTTP/2 or HTTP/3 for better performance");
const BALANCER: Question = line("infrastructure.load_balancer", "Set up load balancer with health checks");
const SCALING: Question = line("infrastructure.autoscaling", "Configure autoscaling based on CPU/memory");
const CDN: Question = line("infrastructure.cdn", "Use CDN for static assets and API caching");
const DDOS: Question = line("infrastructure.ddos", "Enable DDoS protection (Cloudflare, AWS Shield)");
const ALERTING: Question = line("infrastructure.monitoring", "Set up monitoring and alerting (Prometheus, Grafana)");

/// What stands before the server, as far as its configuration says.
enum Front {
    /// It encrypts itself.
    Itself,
    /// A proxy that it trusts.
    Proxy,
    /// Only this machine reaches it.
    Machine,
    /// Nobody: it is reached without encryption.
    Nobody,
}

fn front(facts: &Facts<'_>) -> Front {
    let http = &facts.config.http;
    if !facts.config.tls.certificate.is_empty() {
        Front::Itself
    } else if !http.trusted_proxies.is_empty() {
        Front::Proxy
    } else if is_loopback(&http.host) {
        Front::Machine
    } else {
        Front::Nobody
    }
}

pub(super) fn lines(facts: &Facts<'_>) -> Vec<Line> {
    vec![https(facts), http2(facts), balancer(facts), scaling(facts), cdn(facts), ddos(facts), alerting(facts)]
}

fn https(facts: &Facts<'_>) -> Line {
    let http = &facts.config.http;
    let line = match front(facts) {
        Front::Itself => HTTPS.yes("`tls.certificate` and `tls.key` are set: the server encrypts"),
        Front::Proxy => HTTPS.unknown(format!(
            "`http.trusted_proxies` = {}: the proxy has the certificate",
            http.trusted_proxies.join(", ")
        )),
        Front::Machine => HTTPS.unknown(format!("`http.host` = {}: only this machine reaches it", http.host)),
        Front::Nobody => HTTPS.no(format!(
            "`http.host` = {}, without `tls.certificate` and without `http.trusted_proxies`: requests come unencrypted",
            http.host
        )),
    };
    line.key("http.trusted_proxies", "[\"10.0.1.2\"], the proxy's address")
        .key("tls.certificate", "a file")
        .key("tls.key", "a file")
        .file("docs/ops/nginx/bunbase.conf")
}

fn http2(facts: &Facts<'_>) -> Line {
    let has_feature = cfg!(feature = "http2");
    let feature = if has_feature { "built with the feature `http2`" } else { "built without the feature `http2`" };
    let line = match front(facts) {
        Front::Itself => HTTP2.yes_unless(!has_feature, format!("the server encrypts itself, {feature}")),
        Front::Proxy | Front::Machine => HTTP2.unknown("whoever stands before the server speaks with browsers"),
        Front::Nobody => HTTP2.no("browsers speak HTTP/2 over TLS alone"),
    };
    line.key("tls.certificate", "a file, and bunbase's cargo feature `http2`").file("docs/ops/nginx/bunbase.conf")
}

fn balancer(facts: &Facts<'_>) -> Line {
    let delay = facts.config.http.shutdown_delay;
    let ready = "`/_health/ready` says whether it takes requests";
    if delay.is_zero() {
        return BALANCER
            .no(format!(
                "`http.shutdown_delay` = 0: a balancer cannot notice that an instance is about to stop; {ready}"
            ))
            .key("http.shutdown_delay", "\"5s\", longer than two of its checks")
            .file("docs/ops/haproxy/haproxy.cfg");
    }
    let fact = match front(facts) {
        Front::Proxy => format!(
            "a proxy is trusted; {ready}, and `http.shutdown_delay` = {delay:?}; whether it asks is not known here"
        ),
        _ => format!("{ready}, and `http.shutdown_delay` = {delay:?}; who asks is not known here"),
    };
    BALANCER
        .unknown(fact)
        .file("docs/ops/nginx/bunbase.conf")
        .file("docs/ops/haproxy/haproxy.cfg")
        .file("docs/ops/kubernetes/http.yaml")
}

fn scaling(facts: &Facts<'_>) -> Line {
    let (instances, how) = facts.instances();
    let line = if facts.is_sqlite() {
        SCALING.no("SQLite: one machine").key("database.url", "postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full")
    } else {
        SCALING.unknown(format!("instances: {instances} ({how}); who adds more is not known here"))
    };
    line.file("docs/ops/kubernetes/autoscaler.yaml")
}

fn cdn(facts: &Facts<'_>) -> Line {
    CDN.unknown(format!(
        "{} of {} actions have `cache(…)`, and so `Cache-Control` and `ETag`; who keeps answers in front is not known here",
        facts.actions.cached, facts.actions.count
    ))
    .words("`#[action(get = \"/catalog\", cache(ttl = \"5m\"))]`: what is public is kept by browsers and CDNs")
    .file("docs/ops/nginx/cache.conf")
}

fn ddos(facts: &Facts<'_>) -> Line {
    let http = &facts.config.http;
    let limit = |time: Option<std::time::Duration>| time.map_or("none".to_owned(), |time| format!("{time:?}"));
    DDOS.unknown(format!(
        "nothing here sees what stands before the network; the server's own limits: bodies of {}, heads in {}, bodies in {}, \
         answers taken in {}, {} of {} actions with a rate limit",
        size(http.max_body_size.as_u64()),
        limit(http.client_request_timeout),
        limit(http.body_timeout),
        limit(http.send_timeout),
        facts.actions.limited,
        facts.actions.count
    ))
    .words("`#[action(guards = [rate_limit(100).per(MINUTE).by_ip()])]`, and a provider in front")
    .key("http.client_request_timeout", "\"5s\"")
    .key("http.body_timeout", "\"20s\"")
    .key("http.send_timeout", "\"1m\"")
}

fn alerting(facts: &Facts<'_>) -> Line {
    let line = if monitoring::is_served(facts.config) {
        ALERTING.unknown("metrics are served; who scrapes them is not known here")
    } else {
        ALERTING
            .no("metrics are not served")
            .key("metrics.access", "\"token\"")
            .key("metrics.token", "by BUNBASE_METRICS_TOKEN")
    };
    line.file("docs/ops/prometheus/prometheus.yml").file("docs/ops/prometheus/alerts.rules.yml")
}
