//! The lines on Redis.

use super::{
    facts::Facts,
    node::Node,
    report::{Line, Question, line, required, size},
};
use crate::{
    app::data,
    config::{Config, DataBackend},
};

const ENABLED: Question = line("redis.enabled", "Enable Redis for rate limiting and KV store");
const MEMORY: Question = line("redis.memory", "Configure `maxmemory` and eviction policy (`allkeys-lru`)");
const PERSISTENCE: Question = line("redis.persistence", "Enable persistence (RDB or AOF)");
const REPLICATION: Question = line("redis.replication", "Set up replication for high availability");
const MONITORED: Question = line("redis.monitoring", "Monitor memory usage and key expiration");
// Beyond the guide.
const ACCESS: Question = required("redis.access", "Only the application reaches it");

pub(super) fn lines(facts: &Facts<'_>) -> Vec<Line> {
    let config = facts.config;
    let Some(asked) = &facts.redis else {
        let none = |question: Question| {
            question.unknown("there is no Redis to look at: `redis.url` is not set").key("redis.url", URL)
        };
        return vec![enabled(facts), none(MEMORY), none(PERSISTENCE), none(REPLICATION), none(MONITORED), none(ACCESS)];
    };
    let (memory, persistence, replication) = match asked {
        Ok(nodes) => (memory(config, nodes), persistence(nodes), replication(config, nodes)),
        Err(why) => {
            let away = |question: Question| question.unknown(format!("Redis did not answer: {why}"));
            (
                away(MEMORY).redis("CONFIG SET maxmemory 1gb"),
                away(PERSISTENCE).redis("CONFIG SET appendonly yes"),
                if is_replicated(config) {
                    replication(config, &[])
                } else {
                    away(REPLICATION).key("redis.url", SENTINEL)
                },
            )
        }
    };
    let nodes = asked.as_ref().map_or(&[][..], Vec::as_slice);
    vec![enabled(facts), memory, persistence, replication, monitored(config, nodes), access(config)]
}

const URL: &str = "rediss://:PASSWORD@HOST:6379/0";
const SENTINEL: &str = "redis+sentinel://A:26379,B:26379/MASTER/0";

fn enabled(facts: &Facts<'_>) -> Line {
    let config = facts.config;
    let place = |backend: DataBackend, elsewhere: &'static str| match backend {
        DataBackend::Redis => "Redis",
        DataBackend::Sql => "the database",
        DataBackend::Memory => "the memory of each process",
        DataBackend::Auto if facts.redis.is_some() => "Redis",
        DataBackend::Auto => elsewhere,
    };
    let shared = if facts.is_sqlite() { "the memory of each process" } else { "the database" };
    let places = [
        ("kv", place(config.kv.backend, "the database")),
        ("lock", place(config.lock.backend, "the database")),
        ("cache", place(config.cache.backend, shared)),
        ("rate_limit", place(config.rate_limit.backend, shared)),
    ];
    let all = places.map(|(name, place)| format!("{name} in {place}")).join(", ");
    let in_memory: Vec<_> = data::per_process(config).collect();
    let (instances, _) = facts.instances();
    let alone = match in_memory.as_slice() {
        [] => String::new(),
        names if instances > 1 => format!("; {instances} instances each have their own {}", names.join(", ")),
        names => format!("; a second instance would have its own {}", names.join(", ")),
    };
    let fact = match facts.redis {
        Some(_) => format!("`redis.url` is set: {all}{alone}"),
        None => format!("`redis.url` is not set: {all}{alone}"),
    };
    let is_used = places.iter().any(|(_, place)| *place == "Redis");
    ENABLED
        .yes_unless(!is_used, fact)
        .key("redis.url", URL)
        .key("rate_limit.backend", "\"auto\"")
        .key("kv.backend", "\"auto\"")
}

fn memory(config: &Config, nodes: &[Node]) -> Line {
    let told = |node: &Node| {
        let most = if node.max_memory_bytes == 0 { "no limit".to_owned() } else { size(node.max_memory_bytes) };
        format!("{} in use, maxmemory: {most}, maxmemory-policy: {}", size(node.used_memory_bytes), node.policy)
    };
    let fact = nodes.iter().map(told).collect::<Vec<_>>().join("; ");
    let is_unbounded = nodes.iter().any(|node| node.max_memory_bytes == 0);
    let is_there = |backend: DataBackend| matches!(backend, DataBackend::Auto | DataBackend::Redis);
    // What is cached grows until there is no room; then, without a policy that evicts, nobody can write.
    let fills_up = is_there(config.cache.backend) && nodes.iter().any(|node| node.policy == "noeviction");
    let drops_values = is_there(config.kv.backend) && nodes.iter().any(|node| node.policy.starts_with("allkeys"));
    let fact = if drops_values {
        format!("{fact}; values of `kv` without an expiry may go too: under `volatile-lru` they stay")
    } else {
        fact
    };
    MEMORY
        .yes_unless(is_unbounded || fills_up || nodes.is_empty(), fact)
        .redis("CONFIG SET maxmemory 1gb")
        .redis("CONFIG SET maxmemory-policy allkeys-lru")
        .words("`volatile-lru` instead, where values of `kv` must stay; then CONFIG REWRITE")
}

fn persistence(nodes: &[Node]) -> Line {
    let told = |node: &Node| {
        let snapshots = match node.snapshots.as_deref() {
            None => "snapshots: it does not say".to_owned(),
            Some("") => "snapshots: none".to_owned(),
            Some(rule) => format!("snapshots: `save {rule}`"),
        };
        let failed = if node.save_failed { ", and the last one failed" } else { "" };
        format!("appendonly: {}, {snapshots}{failed}", if node.appends { "yes" } else { "no" })
    };
    let fact = nodes.iter().map(told).collect::<Vec<_>>().join("; ");
    let keeps = |node: &Node| {
        !node.save_failed && (node.appends || node.snapshots.as_deref().is_some_and(|rule| !rule.is_empty()))
    };
    let may_keep = |node: &Node| !node.save_failed && (node.appends || node.snapshots.is_none());
    let line = if nodes.iter().all(keeps) && !nodes.is_empty() {
        PERSISTENCE.yes(fact)
    } else if nodes.iter().all(|node| keeps(node) || may_keep(node)) {
        PERSISTENCE.unknown(fact)
    } else {
        PERSISTENCE.no(fact)
    };
    line.redis("CONFIG SET appendonly yes").words("CONFIG REWRITE keeps it in its file")
}

/// Whether the address says that there are several servers, one of which takes the place of another.
fn is_replicated(config: &Config) -> bool {
    let scheme = scheme(config);
    scheme.ends_with("+cluster") || scheme.ends_with("+sentinel")
}

fn scheme(config: &Config) -> &str {
    config.redis.url.expose().and_then(|url| url.split_once("://")).map_or("", |(scheme, _)| scheme)
}

fn replication(config: &Config, nodes: &[Node]) -> Line {
    let replicas: u64 = nodes.iter().map(|node| node.replicas).sum();
    let fact = if is_replicated(config) {
        format!(
            "`redis.url` begins with {}://, which finds the server that took over; {replicas} follow now",
            scheme(config)
        )
    } else {
        format!(
            "{replicas} servers follow it; the address names one server, and nobody else takes its place for the application"
        )
    };
    REPLICATION
        .yes_unless(!is_replicated(config) && replicas == 0, fact)
        .key("redis.url", SENTINEL)
        .key("redis.on_failure", "\"fallback\"")
}

fn monitored(config: &Config, nodes: &[Node]) -> Line {
    let is_measured = super::monitoring::is_served(config);
    let evicted: u64 = nodes.iter().map(|node| node.evicted_keys).sum();
    let expired: u64 = nodes.iter().map(|node| node.expired_keys).sum();
    let now =
        if nodes.is_empty() { String::new() } else { format!("; {evicted} keys evicted, {expired} expired until now") };
    let fact = if is_measured {
        format!(
            "`bunbase_redis_used_memory_bytes`, `bunbase_redis_evicted_keys_total` and `bunbase_redis_expired_keys_total` are in the metrics{now}"
        )
    } else {
        format!("nothing is measured{now}")
    };
    MONITORED
        .yes_unless(!is_measured, fact)
        .key("metrics.access", "\"token\"")
        .file("docs/ops/prometheus/alerts.rules.yml")
}

fn access(config: &Config) -> Line {
    let url = config.redis.url.expose().unwrap_or_default();
    let scheme = scheme(config);
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    // A password may have a slash; whatever is before the last `@` is no host.
    let (credentials, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
    let hosts = hosts.split(['/', '?']).next().unwrap_or_default();
    let is_here = |host: &str| {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        };
        crate::config::is_loopback(name.trim_matches(['[', ']']))
    };
    let is_local = scheme.contains("unix") || hosts.split(',').all(is_here);
    let is_encrypted = scheme.starts_with("rediss") || scheme.starts_with("valkeys");
    let has_password = !credentials.is_empty() || url.contains("password=");
    let fact = format!(
        "`redis.url`: {}, {}, {}",
        if is_local { "on this machine" } else { "over the network" },
        if is_encrypted { "encrypted" } else { "not encrypted" },
        if has_password { "with a password" } else { "without a password" },
    );
    ACCESS.yes_unless(!(is_local || is_encrypted && has_password), fact).key("redis.url", URL)
}
