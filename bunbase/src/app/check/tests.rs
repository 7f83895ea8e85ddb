//! Answers by facts alone; `examples/tests/cli/ready.rs` has real servers.

use std::{collections::BTreeSet, path::Path, time::Duration};

use chrono::{TimeZone, Utc};

use super::{
    facts::{Actions, Database, Facts, Machine, Run, Tables},
    node::Node,
    report::{Answer, Change, Line, Report},
    *,
};
use crate::{
    config::{Environment, Loader, keys},
    db::operate::{Address, Scanned, Server, Unindexed, Unused},
    queue::QueueStats,
};

fn config(file: &str) -> Config {
    Loader::new().program("shop", "1.2.3").file(file).production().load().unwrap()
}

const GOOD: &str = r#"
[app]
secret = "a-secret-of-thirty-two-bytes-or-more"
[http]
allowed_hosts = ["app.example.com"]
trusted_proxies = ["10.0.1.2"]
[cors]
origins = ["https://app.example.com"]
[database]
url = "postgres://me:hunter2@db.example/shop?sslmode=verify-full"
read_replica_url = ["postgres://me:hunter2@replica.example/shop"]
statement_timeout = "30s"
[redis]
url = "rediss+sentinel://:hunter3@a.example:26379,b.example:26379/main/0"
[metrics]
token = "a-token-of-thirty-two-bytes-or-more!"
[otlp]
endpoint = "http://collector:4318"
[tracing]
sampling_ratio = 0.01
"#;

const BAD: &str = r#"
[http]
max_body_size = "1GiB"
shutdown_delay = "0s"
[cors]
origins = ["*"]
[log]
level = "info,my_app=debug"
requests = "all"
[persistence]
flush_interval_ms = 1
inputs = true
retention = 0
[session]
secure = false
lifetime = "365d"
[queue]
concurrency = 1000
[database]
url = "postgres://me:hunter2@db.example/shop"
slow_query = 0
transaction_timeout = 0
migrate_on_start = false
max_connections = 40
[redis]
url = "redis://redis.example:6379"
[kv]
backend = "sql"
[lock]
backend = "sql"
[cache]
backend = "memory"
[rate_limit]
backend = "memory"
[metrics]
access = "off"
[health]
access = "public"
[debug]
access = "public"
"#;

fn address(must_encrypt: bool) -> Address {
    let ssl_mode = if must_encrypt { "verify-full" } else { "prefer" };
    Address { host: "db.example".to_owned(), is_local: false, ssl_mode, must_encrypt }
}

fn good(config: &Config) -> Facts<'_> {
    let settings = [
        ("archive_mode", "on", None),
        ("autovacuum", "on", None),
        ("fsync", "on", None),
        ("full_page_writes", "on", None),
        ("log_min_duration_statement", "100", Some("ms")),
        ("max_connections", "100", None),
        ("shared_buffers", "524288", Some("8kB")),
        ("superuser_reserved_connections", "3", None),
        ("synchronous_commit", "on", None),
        ("work_mem", "16384", Some("kB")),
    ];
    let server =
        Server { last_archived: Some(Utc.with_ymd_and_hms(2026, 11, 29, 6, 0, 0).unwrap()), ..Server::of(&settings) };
    let queue = QueueStats {
        queue: "default".to_owned(),
        waiting: [0, 3, 0, 0],
        running: 1,
        oldest_due: Some(Duration::from_secs(2)),
        dead_letters: 0,
    };
    let node = Node {
        version: "7.0.15".to_owned(),
        used_memory_bytes: 10 << 20,
        max_memory_bytes: 1 << 30,
        policy: "allkeys-lru".to_owned(),
        appends: true,
        replicas: 1,
        ..Node::default()
    };
    Facts {
        config,
        run: Run {
            environment: Some((Environment::Production, "a release build".to_owned())),
            is_said: false,
            is_debug_build: false,
        },
        actions: Actions {
            count: 20,
            queued: 4,
            cached: 2,
            uploads: 0,
            limited: 1,
            needs_secret: Some("guards ask who is signed in"),
            asks_for_sessions: true,
        },
        machine: Machine { cores: 4, memory_bytes: Some(8 << 30) },
        database: Database::Postgres {
            address: Some(address(true)),
            server: Ok(Box::new(server)),
            tables: Ok(Tables { migrations: Vec::new(), queues: Some(vec![queue]) }),
        },
        redis: Some(Ok(vec![node])),
        arguments: CheckArguments {
            production: true,
            instances: Some(3),
            database_memory: Some(ByteSize::from_mib(16 << 10)),
            ..CheckArguments::default()
        },
    }
}

fn bad(config: &Config) -> Facts<'_> {
    let settings = [
        ("archive_mode", "on", None),
        ("autovacuum", "off", None),
        ("fsync", "off", None),
        ("full_page_writes", "on", None),
        ("log_min_duration_statement", "-1", Some("ms")),
        ("max_connections", "100", None),
        ("shared_buffers", "16384", Some("8kB")),
        ("superuser_reserved_connections", "3", None),
        ("synchronous_commit", "off", None),
        ("work_mem", "4194304", Some("kB")),
    ];
    let server = Server {
        is_encrypted: false,
        counts_statements: false,
        temp_files: 7000,
        temp_bytes: 9 << 30,
        unindexed: vec![Unindexed { name: "orders".to_owned(), columns: "customer_id".to_owned() }],
        scanned: vec![Scanned { name: "orders".to_owned(), rows: 50_000, scans: 900, by_index: 3 }],
        unused: vec![Unused { name: "old".to_owned(), table_name: "orders".to_owned(), size_bytes: 64 << 20 }],
        ..Server::of(&settings)
    };
    let pending = crate::db::migrate::Migration::pending("m0001_orders");
    Facts {
        run: Run {
            environment: Some((Environment::Development, "BUNBASE_ENV is set to development".to_owned())),
            is_said: true,
            is_debug_build: true,
        },
        database: Database::Postgres {
            address: Some(address(false)),
            server: Ok(Box::new(server)),
            tables: Ok(Tables { migrations: vec![pending], queues: None }),
        },
        redis: Some(Ok(vec![Node {
            policy: "noeviction".to_owned(),
            snapshots: Some(String::new()),
            ..Node::default()
        }])),
        ..good(config)
    }
}

fn with(answer: Answer, report: &Report) -> Vec<&'static str> {
    let lines = report.sections.iter().flat_map(|section| &section.lines);
    lines.filter(|line| line.answer == answer).map(|line| line.id).collect()
}

/// Every kind of facts that lines answer differently by.
fn reports() -> Vec<Report> {
    let (good_config, bad_config, bare) = (config(GOOD), config(BAD), config(""));
    let away = || Err("refused".to_owned());
    let postgres_away = Facts {
        database: Database::Postgres {
            address: Some(address(false)),
            server: Err("refused".to_owned()),
            tables: away(),
        },
        redis: Some(Err("refused".to_owned())),
        ..bad(&bad_config)
    };
    let sqlite = |unindexed, is_file| Facts {
        database: Database::Sqlite { is_file, unindexed, tables: away() },
        redis: None,
        ..bad(&bare)
    };
    let key = Unindexed { name: "orders".to_owned(), columns: "customer_id".to_owned() };
    let unmeasured = Facts { arguments: CheckArguments::default(), ..bad(&bad_config) };
    [
        good(&good_config),
        bad(&bad_config),
        postgres_away,
        unmeasured,
        sqlite(Ok(vec![key]), true),
        sqlite(Err("there is no such file yet".to_owned()), false),
    ]
    .iter()
    .map(report)
    .collect()
}

#[test]
fn a_good_configuration_has_no_no() {
    let config = config(GOOD);
    let report = report(&good(&config));
    assert_eq!(with(Answer::No, &report), [""; 0], "{}", report.text());
    let elsewhere = [
        "infrastructure.https",
        "infrastructure.http2",
        "infrastructure.load_balancer",
        "infrastructure.autoscaling",
        "infrastructure.cdn",
        "infrastructure.ddos",
        "infrastructure.monitoring",
        "monitoring.dashboards",
        "monitoring.errors",
        "monitoring.memory",
    ];
    assert_eq!(with(Answer::Unknown, &report), elsewhere);
    assert!(report.ok && report.failing().is_empty());
    insta::assert_snapshot!("text", report.text());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn a_bad_configuration_has_every_no_there_is() {
    let config = config(BAD);
    let report = report(&bad(&config));
    // A database that several instances share, and what nobody here can see.
    let not_no = ["database.instances", "infrastructure.autoscaling", "infrastructure.cdn", "infrastructure.ddos"];
    let all: Vec<_> = report.sections.iter().flat_map(|section| &section.lines).map(|line| line.id).collect();
    let expected: Vec<_> = all.iter().copied().filter(|id| !not_no.contains(id)).collect();
    assert_eq!(with(Answer::No, &report), expected, "{}", report.text());
    assert!(!report.ok);
    assert_eq!(
        report.failing(),
        [
            "database.connections",
            "database.tls",
            "database.migrations",
            "database.durability",
            "redis.access",
            "application.cors",
            "application.sessions",
            "application.environment",
            "application.secret",
            "application.pages",
            "infrastructure.https",
        ]
    );
}

#[test]
fn every_no_says_how_and_names_what_exists() {
    let keys: BTreeSet<_> = keys().iter().map(|key| key.name).collect();
    let sections: BTreeSet<_> = keys.iter().filter_map(|key| key.split('.').next()).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = BTreeSet::new();
    let exists = |line: &Line, key: &str| assert!(keys.contains(key), "{}: `{key}` is no key", line.id);
    for report in reports() {
        for line in report.sections.iter().flat_map(|section| &section.lines) {
            assert!(!line.fact.is_empty() && !line.text.is_empty(), "{}", line.id);
            assert!(line.answer != Answer::No || !line.how.is_empty(), "{} does not say how", line.id);
            let mut words = vec![line.fact.as_str()];
            for change in &line.how {
                match change {
                    Change::Key { key, value } => {
                        exists(line, key);
                        assert!(!value.is_empty(), "{}", line.id);
                    }
                    Change::File { file } => assert!(root.join(file).is_file(), "{}: there is no {file}", line.id),
                    Change::Words { words: text } => words.push(text),
                    Change::Sql { .. } | Change::Redis { .. } | Change::Command { .. } => {}
                }
            }
            for quoted in words.iter().flat_map(|text| text.split('`').skip(1).step_by(2)) {
                let is_key = |(section, key): (&str, &str)| {
                    sections.contains(section) && key.bytes().all(|sign| sign.is_ascii_lowercase() || sign == b'_')
                };
                if quoted.split_once('.').is_some_and(is_key) {
                    exists(line, quoted);
                }
            }
            if line.answer == Answer::No {
                seen.insert(line.id);
            }
        }
    }
    // All but what is nobody's to see from here.
    let lines: BTreeSet<_> =
        reports()[0].sections.iter().flat_map(|section| &section.lines).map(|line| line.id).collect();
    let never: Vec<_> = lines.difference(&seen).copied().collect();
    assert_eq!(never, ["infrastructure.cdn", "infrastructure.ddos"]);
}

#[test]
fn the_guides_lines_are_all_there_in_its_order() {
    const GUIDE: &str = "indexes slow_queries connections tls shared_buffers work_mem statements backups replicas / \
        enabled memory persistence replication monitoring / \
        body_limit write_buffer observability log_level cors sessions workers / \
        https http2 load_balancer autoscaling cdn ddos monitoring / \
        endpoint dashboards log_export pool latency errors queue memory";
    for report in reports() {
        for (section, guide) in report.sections.iter().zip(GUIDE.split(" / ")) {
            let guide: Vec<_> =
                guide.split_whitespace().map(|name| format!("{}.{name}", section.name.to_lowercase())).collect();
            let ids: Vec<_> = section.lines.iter().map(|line| line.id).collect();
            assert_eq!(ids[..guide.len()], guide, "{}", section.name);
        }
        let ids: Vec<_> = report.sections.iter().flat_map(|section| &section.lines).map(|line| line.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}

/// docs/performance.md has a row for each line.
#[test]
fn the_page_explains_every_line() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md")).unwrap();
    for line in reports()[0].sections.iter().flat_map(|section| &section.lines) {
        let row = page.lines().find(|row| row.contains(&format!("| `{}` |", line.id)));
        let row = row.unwrap_or_else(|| panic!("the page has no row for {}", line.id));
        assert_eq!(row.contains("**required**"), line.required, "{row}");
    }
}

#[test]
fn nothing_secret_is_said() {
    for report in reports() {
        for text in [report.text(), serde_json::to_string(&report).unwrap()] {
            for secret in ["hunter", "thirty-two"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[test]
fn sizes_are_written_with_a_number_before_the_point() {
    let texts = [0, 1023, 1024, 1536, 128 << 20, (3 << 30) + (1 << 29)].map(super::report::size);
    assert_eq!(texts, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "128 MiB", "3.5 GiB"]);
}
