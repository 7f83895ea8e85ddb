//! The lines on the application's own settings.

use std::time::Duration;

use super::{
    database::queues,
    facts::Facts,
    report::{Line, Question, line, required, size},
};
use crate::config::{Access, RequestLog};

/// A body that a server with uploads may take.
const LARGE_BODY: u64 = 100 << 20;

/// What is enough where nothing is uploaded; the default.
const PLAIN_BODY: u64 = 10 << 20;

const BODY: Question = line("application.body_limit", "Set appropriate request body size limit (`maxRequestBodySize`)");
const BUFFER: Question =
    line("application.write_buffer", "Configure write buffer for high throughput (`flushIntervalMs`, `maxBufferSize`)");
const OBSERVABILITY: Question =
    line("application.observability", "Tune observability settings (disable unnecessary metrics)");
const LEVEL: Question = line("application.log_level", "Use production log level (`info` or `warn`)");
const CORS: Question = required("application.cors", "Enable CORS with specific origins (not `*`)");
const SESSIONS: Question = required("application.sessions", "Set session expiry appropriate for use case");
const WORKERS: Question = line("application.workers", "Configure queue workers based on workload");
// Beyond the guide.
const ENVIRONMENT: Question = required("application.environment", "It runs in production");
const BUILD: Question = line("application.build", "It is built for release");
const SECRET: Question = required("application.secret", "Sessions and sealed fields have a secret");
const PAGES: Question = required("application.pages", "What is built in is not open to everybody");
const HOSTS: Question = line("application.hosts", "It answers to its own names alone");
const RECORDS: Question = line("application.records", "What is kept does not grow for ever");

pub(super) fn lines(facts: &Facts<'_>) -> Vec<Line> {
    vec![
        body(facts),
        buffer(facts),
        observability(facts),
        level(facts),
        cors(facts),
        sessions(facts),
        workers(facts),
        environment(facts),
        BUILD
            .yes_unless(
                facts.run.is_debug_build,
                if facts.run.is_debug_build { "a debug build" } else { "a release build" },
            )
            .command("cargo build --release"),
        secret(facts),
        pages(facts),
        hosts(facts),
        records(facts),
    ]
}

fn body(facts: &Facts<'_>) -> Line {
    let limit = facts.config.http.max_body_size.as_u64();
    let uploads = facts.actions.uploads;
    let most = if uploads == 0 { PLAIN_BODY } else { LARGE_BODY };
    let fact = format!("`http.max_body_size` = {}; {uploads} actions take files", size(limit));
    BODY.yes_unless(limit > most, fact)
        .key("http.max_body_size", format!("\"{}MiB\"", if uploads == 0 { 1 } else { 50 }))
        .words("for one action that takes more: `#[action(body_limit = \"50MiB\")]`")
}

fn buffer(facts: &Facts<'_>) -> Line {
    let persistence = &facts.config.persistence;
    if !persistence.enabled {
        return BUFFER
            .yes("nothing to do: `persistence.enabled` = false, so runs are not recorded")
            .key("persistence.enabled", "true");
    }
    let (flush_ms, records) = (persistence.flush_interval_ms, persistence.max_buffer_size);
    let bytes = persistence.max_buffered_bytes.as_u64();
    // Shorter or smaller is a statement for a handful of rows; longer is what a crash loses.
    let is_wrong = !(200..=30_000).contains(&flush_ms) || !(100..=10_000).contains(&records) || bytes < 1 << 20;
    let fact = format!(
        "`persistence.flush_interval_ms` = {flush_ms}, `persistence.max_buffer_size` = {records}, \
         `persistence.max_buffered_bytes` = {}: a crash loses what was not written, {flush_ms} ms at most",
        size(bytes)
    );
    BUFFER
        .yes_unless(is_wrong, fact)
        .key("persistence.flush_interval_ms", "2000")
        .key("persistence.max_buffer_size", "500, with much traffic 2000")
        .key("persistence.max_buffered_bytes", "\"16MiB\"")
}

fn observability(facts: &Facts<'_>) -> Line {
    let config = facts.config;
    let ratio = config.tracing.sampling_ratio;
    let traces_all = config.tracing.enabled && !config.otlp.disabled && ratio > 0.2;
    let logs_all = config.log.requests == RequestLog::All;
    let records_all = config.persistence.enabled && (config.persistence.inputs || config.persistence.outputs);
    let mut wrong = Vec::new();
    if traces_all {
        wrong.push(format!("`tracing.sampling_ratio` = {ratio}: spans are made and sent for that share of requests"));
    }
    if logs_all {
        wrong.push("`log.requests` = \"all\": a line for each request costs more than a small action".to_owned());
    }
    if records_all {
        wrong.push("`persistence.inputs` or `persistence.outputs` record what callers send or are sent".to_owned());
    }
    let fact = if wrong.is_empty() {
        let traces = if config.tracing.enabled { format!("{ratio} of traces") } else { "no traces".to_owned() };
        format!("{traces}, a line for failed requests alone, records without inputs and outputs")
    } else {
        wrong.join("; ")
    };
    OBSERVABILITY
        .yes_unless(!wrong.is_empty(), fact)
        .key("tracing.sampling_ratio", "0.01")
        .key("log.requests", "\"failed\"")
        .key("persistence.inputs", "false")
        .key("persistence.sample", "0.1, where every success need not be recorded")
}

fn level(facts: &Facts<'_>) -> Line {
    let level = facts.config.log.level.as_str();
    let words = || level.split(',').map(|part| part.rsplit('=').next().unwrap_or_default().trim().to_ascii_lowercase());
    let is_wrong = words().any(|word| word == "debug" || word == "trace") || words().all(|word| word == "off");
    LEVEL.yes_unless(is_wrong, format!("`log.level` = \"{level}\"")).key("log.level", "\"info\"")
}

fn cors(facts: &Facts<'_>) -> Line {
    let origins = &facts.config.cors.origins;
    let fact = match origins.len() {
        0 => "`cors.origins` is empty: no page of another origin may read an answer".to_owned(),
        _ => format!("`cors.origins` = {}", origins.join(", ")),
    };
    CORS.yes_unless(origins.iter().any(|origin| origin == "*"), fact)
        .key("cors.origins", "[\"https://app.example.com\"]")
        .key("cors.max_age", "\"1d\"")
}

fn sessions(facts: &Facts<'_>) -> Line {
    let session = &facts.config.session;
    let day = Duration::from_hours(24);
    let fact = format!(
        "`session.idle_timeout` = {}, `session.lifetime` = {}, `session.secure` = {}; {}",
        days(session.idle_timeout),
        days(session.lifetime),
        session.secure,
        if facts.actions.asks_for_sessions { "guards ask for sessions" } else { "no guard asks for a session" }
    );
    let is_wrong = !session.secure || session.lifetime > day * 90 || session.idle_timeout > session.lifetime;
    SESSIONS
        .yes_unless(is_wrong && facts.actions.asks_for_sessions, fact)
        .key("session.secure", "true")
        .key("session.lifetime", "\"7d\"")
        .key("session.idle_timeout", "\"1d\"")
}

fn days(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn workers(facts: &Facts<'_>) -> Line {
    let config = facts.config;
    let cores = facts.machine.cores;
    let (each, how) = match config.queue.concurrency {
        0 => (2 * cores, format!("two for each of {cores} cores")),
        said => (said as usize, "as configured".to_owned()),
    };
    let waiting = queues(facts.database.tables()).map_or(String::new(), |(waiting, oldest, dead)| {
        format!("; now {waiting} jobs wait, one of them for {oldest:.0?}, {dead} are dead letters")
    });
    let fact = format!(
        "`queue.concurrency`: {each} jobs of a queue at a time ({how}); {} actions are run by events, schedules and webhooks{waiting}",
        facts.actions.queued
    );
    if !config.app.roles.iter().any(|role| role == "worker") {
        return WORKERS
            .unknown(format!("`app.roles` = {}: another process runs jobs", config.app.roles.join(", ")))
            .command("APP check --production --roles worker");
    }
    let connections = config.database.max_connections as usize;
    let is_more_than_the_pool = !facts.is_sqlite() && each > 4 * connections;
    let fact = if is_more_than_the_pool {
        format!("{fact}; they share `database.max_connections` = {connections}")
    } else {
        fact
    };
    WORKERS
        .yes_unless(is_more_than_the_pool, fact)
        .key("queue.concurrency", format!("{cores} for work of the processor, {} for waiting", 2 * cores))
        .key("queue.queues", "[\"mail=4\"], for a queue that may not take all of it")
}

fn environment(facts: &Facts<'_>) -> Line {
    let run = &facts.run;
    let line = match &run.environment {
        None => ENVIRONMENT.unknown("the configuration is refused where nothing asks for production"),
        Some((environment, reason)) if environment.is_production() => {
            ENVIRONMENT.yes(format!("{environment}: {reason}"))
        }
        Some((environment, reason)) if run.is_said => ENVIRONMENT.no(format!("{environment}: {reason}")),
        Some((environment, reason)) => {
            ENVIRONMENT.unknown(format!("here it is {environment}: {reason}; a release build would be in production"))
        }
    };
    line.words("the variable BUNBASE_ENV=production").command("cargo build --release")
}

fn secret(facts: &Facts<'_>) -> Line {
    let is_set = !facts.config.app.secret.is_empty();
    let line = match (is_set, facts.actions.needs_secret) {
        (true, _) => SECRET.yes("`app.secret` is set, at least 32 bytes"),
        (false, Some(why)) => SECRET.no(format!("`app.secret` is not set, and {why}: the server would not start")),
        (false, None) => SECRET.yes("`app.secret` is not set, and no action needs it"),
    };
    line.key("app.secret", "by the variable BUNBASE_SECRET, or BUNBASE_SECRET_FILE").command("openssl rand -base64 32")
}

fn pages(facts: &Facts<'_>) -> Line {
    let config = facts.config;
    // The document and tools may be meant for everybody.
    let inner = [
        ("debug.access", config.debug.access),
        ("metrics.access", config.metrics.access),
        ("health.access", config.health.access),
    ];
    let open: Vec<_> = inner.iter().filter(|(_, access)| *access == Access::Public).map(|(key, _)| *key).collect();
    let document = [("openapi.access", config.openapi.access), ("mcp.access", config.mcp.access)];
    let shown = document.iter().filter(|(_, access)| *access == Access::Public).map(|(key, _)| *key);
    let also: Vec<_> = shown.collect();
    let also = if also.is_empty() {
        String::new()
    } else {
        format!("; open as well, which may be meant: {}", also.join(", "))
    };
    let fact = if open.is_empty() {
        format!("metrics, details of health and debugging ask for a token, are at `admin.addr`, or are off{also}")
    } else {
        format!("\"public\": {}{also}", open.join(", "))
    };
    let line = PAGES.yes_unless(!open.is_empty(), fact);
    inner.iter().fold(line, |line, (key, _)| line.key(key, "\"token\"")).key("admin.addr", "\"127.0.0.1:9090\"")
}

fn hosts(facts: &Facts<'_>) -> Line {
    let hosts = &facts.config.http.allowed_hosts;
    let fact = match hosts.len() {
        0 => "`http.allowed_hosts` is empty: every name in `Host` is taken".to_owned(),
        _ => format!("`http.allowed_hosts` = {}", hosts.join(", ")),
    };
    HOSTS.yes_unless(hosts.is_empty(), fact).key("http.allowed_hosts", "[\"app.example.com\"]")
}

fn records(facts: &Facts<'_>) -> Line {
    let config = facts.config;
    let kept = |key: &str, time: Option<Duration>| format!("`{key}` = {}", time.map_or("0, for ever".to_owned(), days));
    let records = Some(()).filter(|()| config.persistence.enabled).and(config.persistence.retention);
    let fact = [
        if config.persistence.enabled {
            kept("persistence.retention", records)
        } else {
            "runs are not recorded".to_owned()
        },
        kept("queue.failure_retention", config.queue.failure_retention),
    ];
    let is_wrong = config.persistence.enabled && config.persistence.retention.is_none();
    RECORDS
        .yes_unless(is_wrong, fact.join(", "))
        .key("persistence.retention", "\"30d\"")
        .key("queue.failure_retention", "\"90d\"")
}
