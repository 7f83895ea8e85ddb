//! The lines on what is watched. The application does its part, and cannot know whether anybody looks.

use super::{
    database::queues,
    facts::Facts,
    report::{Line, Question, line},
};
use crate::{
    app::pages,
    config::{Access, Config},
};

const ALERTS: &str = "docs/ops/prometheus/alerts.rules.yml";
const DASHBOARD: &str = "docs/ops/grafana/dashboard.json";

const ENDPOINT: Question = line("monitoring.endpoint", "Enable Prometheus metrics endpoint (`/_metrics`)");
const DASHBOARDS: Question = line("monitoring.dashboards", "Set up Grafana dashboards for key metrics");
const EXPORT: Question = line("monitoring.log_export", "Configure OTLP log export for centralized logging");
const POOL: Question = line("monitoring.pool", "Monitor database connection pool utilization");
const LATENCY: Question = line("monitoring.latency", "Track action execution latencies (p50, p95, p99)");
const ERRORS: Question = line("monitoring.errors", "Alert on high error rates (>1% 5xx errors)");
const QUEUE: Question = line("monitoring.queue", "Monitor queue depth (should stay near zero)");
const MEMORY: Question = line("monitoring.memory", "Track memory usage and set up OOM alerts");

/// Returns whether somebody can read the metrics: with a token, at `admin.addr`, or everybody.
pub(super) fn is_served(config: &Config) -> bool {
    config.metrics.access != Access::Off && (pages::is_on_main(config, "metrics") || !config.admin.addr.is_empty())
}

pub(super) fn lines(facts: &Facts<'_>) -> Vec<Line> {
    vec![
        endpoint(facts.config),
        outside(facts.config, DASHBOARDS, "metrics are served; what shows them is not known here", DASHBOARD),
        export(facts.config),
        measured(
            facts.config,
            POOL,
            "`bunbase_db_pool_connections`, `bunbase_db_acquire_wait_ms`; alert BunbasePoolExhausted",
        ),
        latency(facts.config),
        outside(
            facts.config,
            ERRORS,
            "`bunbase_http_requests_total` has the status; alert BunbaseServerErrors; who is told is not known here",
            ALERTS,
        ),
        queue(facts),
        memory(facts.config),
    ]
}

fn endpoint(config: &Config) -> Line {
    let path = &config.metrics.path;
    let fact = match config.metrics.access {
        Access::Off => "`metrics.access` = \"off\": nothing is measured".to_owned(),
        Access::Public => format!("{path}, open to everybody"),
        _ if pages::is_on_main(config, "metrics") => format!("{path}, with a token"),
        _ if !config.admin.addr.is_empty() => format!("{path} at `admin.addr` = {}", config.admin.addr),
        access => format!(
            "`metrics.access` = \"{}\", and neither `metrics.token` nor `admin.addr` is set: it is nowhere",
            access.as_str()
        ),
    };
    ENDPOINT
        .yes_unless(!is_served(config), fact)
        .key("metrics.token", "by the variable BUNBASE_METRICS_TOKEN, or BUNBASE_METRICS_TOKEN_FILE")
        .key("metrics.access", "\"token\"")
        .key("admin.addr", "\"127.0.0.1:9090\"")
}

/// Answers a line for which the application measures something, and that is all there is to it.
fn measured(config: &Config, question: Question, metrics: &str) -> Line {
    let fact = if is_served(config) { metrics.to_owned() } else { format!("metrics are not served: {metrics}") };
    question.yes_unless(!is_served(config), fact).key("metrics.access", "\"token\"").file(DASHBOARD).file(ALERTS)
}

/// Answers a line for which somebody else has to do something.
fn outside(config: &Config, question: Question, fact: &str, file: &'static str) -> Line {
    if is_served(config) { question.unknown(fact) } else { question.no("metrics are not served") }
        .key("metrics.access", "\"token\"")
        .file(file)
}

fn export(config: &Config) -> Line {
    let is_built = cfg!(feature = "otlp");
    let is_on = config.log.otlp && !config.otlp.disabled && is_built;
    let fact = match (is_built, is_on) {
        (false, _) => "built without the feature `otlp`".to_owned(),
        (true, true) => "`log.otlp` = true: lines go to the collector".to_owned(),
        (true, false) if config.otlp.disabled => "`otlp.disabled` = true: nothing is sent".to_owned(),
        (true, false) => {
            "`log.otlp` = false: lines go to standard error alone, for whoever collects them there".to_owned()
        }
    };
    EXPORT
        .yes_unless(!is_on, fact)
        .key("otlp.endpoint", "\"http://collector:4318\", or OTEL_EXPORTER_OTLP_ENDPOINT")
        .key("log.otlp", "true")
        .file("docs/ops/otel-collector.yaml")
}

fn latency(config: &Config) -> Line {
    let buckets = &config.metrics.latency_buckets;
    let bounds = buckets.first().zip(buckets.last());
    let fact = bounds.map_or("`metrics.latency_buckets` is empty".to_owned(), |(first, last)| {
        format!("`bunbase_action_duration_ms`, in {} buckets from {first} to {last} ms", buckets.len())
    });
    measured(config, LATENCY, &fact).key("metrics.latency_buckets", "more of them where answers usually are")
}

fn queue(facts: &Facts<'_>) -> Line {
    let now = queues(facts.database.tables()).map_or(String::new(), |(waiting, oldest, dead)| {
        format!("; now {waiting} wait, the oldest that is due for {oldest:.0?}, {dead} dead letters")
    });
    let text = format!(
        "`bunbase_queue_depth`, `bunbase_queue_oldest_pending_seconds`; alerts BunbaseQueueDeep, BunbaseOldestJob{now}"
    );
    measured(facts.config, QUEUE, &text).command("APP jobs stats")
}

fn memory(config: &Config) -> Line {
    let is_measured = is_served(config) && config.metrics.include_default_metrics;
    let fact = if is_measured {
        "`process_resident_memory_bytes`; alerts BunbaseMemoryNearLimit, BunbaseMemoryGrowing; who is told is not known here"
    } else {
        "`metrics.include_default_metrics` = false, or metrics are not served: the process does not measure itself"
    };
    let line = if is_measured { MEMORY.unknown(fact) } else { MEMORY.no(fact) };
    line.key("metrics.include_default_metrics", "true").file("docs/ops/prometheus/recording.rules.yml").file(ALERTS)
}
