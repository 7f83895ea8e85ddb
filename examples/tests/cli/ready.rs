//! `check`: whether the application is ready for production, by its configuration and by servers that answer or do not.

use std::{fs, process::Command};

use bunbase::{db::testing::PostgresServer, redis::testing::RedisServer};
use serde_json::Value;

use crate::process::{Place, Said, command, run};

/// A line and its answer.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    id: String,
    answer: String,
    how: Vec<Value>,
    fact: String,
}

/// Returns all answers of a report.
fn answers(said: &Said) -> Vec<Answer> {
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let sections = report["sections"].as_array().expect("sections").clone();
    let lines = sections.iter().flat_map(|section| section["lines"].as_array().expect("lines").clone());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    lines
        .map(|line| Answer {
            id: text(&line["id"]),
            answer: text(&line["answer"]),
            how: line["how"].as_array().expect("how").clone(),
            fact: text(&line["fact"]),
        })
        .collect()
}

fn with<'a>(answer: &str, answers: &'a [Answer]) -> Vec<&'a str> {
    answers.iter().filter(|one| one.answer == answer).map(|one| one.id.as_str()).collect()
}

fn one<'a>(id: &str, answers: &'a [Answer]) -> &'a Answer {
    answers.iter().find(|one| one.id == id).unwrap_or_else(|| panic!("no line is called {id}"))
}

/// The checklist, without a database unless it is given.
fn check(place: &Place, more: &[&str], variables: &[(&str, &str)]) -> Said {
    let arguments = [&["check", "--production"], more].concat();
    let mut command = command(place, &arguments);
    command.env_remove("DATABASE_URL").envs(variables.iter().copied());
    run(&mut command)
}

#[test]
fn a_bare_application_is_told_what_it_lacks_and_nothing_is_made() {
    let place = Place::new();
    let said = check(&place, &["--json"], &[]);
    assert!(!said.ok, "{said:?}");
    assert!(said.err.contains("not ready for production: infrastructure.https"), "{}", said.err);
    let answers = answers(&said);
    assert_eq!(
        with("no", &answers),
        [
            "database.instances",
            "redis.enabled",
            "application.build",
            "application.hosts",
            "infrastructure.https",
            "infrastructure.http2",
            "infrastructure.autoscaling",
            "infrastructure.monitoring",
            "monitoring.endpoint",
            "monitoring.dashboards",
            "monitoring.log_export",
            "monitoring.pool",
            "monitoring.latency",
            "monitoring.errors",
            "monitoring.queue",
            "monitoring.memory",
        ]
    );
    assert!(one("database.migrations", &answers).fact.contains("no such file yet"));
    assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 0, "nothing is made");
    let text = check(&place, &[], &[]);
    assert!(!text.ok && text.out.contains("NO, and required: Use HTTPS"), "{text:?}");
    assert!(text.out.contains("how: `http.trusted_proxies` ="), "{text:?}");
    assert_eq!(check(&place, &["--json"], &[]).out, said.out, "the same twice");
}

#[test]
fn without_production_it_says_whether_things_are_in_order() {
    let place = Place::new();
    let said = run(&mut command(&place, &["check"]));
    assert!(said.ok && said.out.contains("5 actions with 2 routes are in order"), "{said:?}");
    for wrong in [&["check", "--json"][..], &["check", "--production", "--instances", "0"]] {
        assert!(!run(&mut command(&place, wrong)).ok, "{wrong:?}");
    }
    fs::write(place.path().join("bunbase.toml"), "[http]\nporrt = 1\n").expect("written");
    let said = run(&mut command(&place, &["check"]));
    assert!(!said.ok && said.err.contains("http.porrt"), "{said:?}");
}

#[test]
fn on_sqlite_tables_are_looked_at() {
    let place = Place::new();
    fs::create_dir(place.path().join("migrations")).expect("made");
    let tables = "CREATE TABLE parent (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, UNIQUE (a, b));\n\
                  CREATE TABLE child (id INTEGER PRIMARY KEY REFERENCES parent, parent INTEGER REFERENCES parent, x INTEGER, y INTEGER,\n\
                  FOREIGN KEY (x, y) REFERENCES parent (a, b));\n\
                  CREATE INDEX child_xy ON child (y, x, id);\n";
    fs::write(place.path().join("migrations/0001_child.sql"), tables).expect("written");
    let file = [("DATABASE_URL", "sqlite://data/app.db")];
    assert!(run(command(&place, &["migrate"]).envs(file)).ok);
    let found = answers(&check(&place, &["--json"], &file));
    let indexes = one("database.indexes", &found);
    assert_eq!(
        (indexes.answer.as_str(), indexes.fact.as_str()),
        ("no", "foreign keys without an index: child (parent)")
    );
    assert!(one("database.migrations", &found).fact.contains("are applied"));
    let made = indexes.how[0]["sql"].as_str().expect("a statement");
    fs::write(place.path().join("migrations/0002_index.sql"), made).expect("written");
    let late = [file[0], ("BUNBASE__DATABASE__MIGRATE_ON_START", "false")];
    let said = check(&place, &["--json"], &late);
    let found = answers(&said);
    assert!(said.err.contains("database.migrations"), "{}", said.err);
    assert!(one("database.migrations", &found).fact.contains("1 are pending: 0002_index"));
    assert!(run(command(&place, &["migrate"]).envs(file)).ok);
    let found = answers(&check(&place, &["--json"], &late));
    assert!(["database.indexes", "database.migrations"].iter().all(|id| one(id, &found).answer == "yes"), "{found:?}");
}

#[test]
fn servers_that_are_away_are_told_and_nothing_secret_is() {
    let place = Place::new();
    let variables = [
        ("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/shop"),
        ("DATABASE_READ_URL", "postgres://me:hunter3@127.0.0.1:1/shop"),
        ("REDIS_URL", "redis://:hunter4@127.0.0.1:1/0"),
        ("BUNBASE_SECRET", "hunter5-hunter5-hunter5-hunter5-"),
        ("BUNBASE_ADMIN_TOKEN", "hunter6-hunter6-hunter6-hunter6-"),
        ("BUNBASE__OTLP__HEADERS", "authorization=hunter7"),
        ("BUNBASE__HTTP__TRUSTED_PROXIES", "10.0.1.2"),
    ];
    for more in [&["--json"][..], &[]] {
        let said = check(&place, more, &variables);
        assert!(said.ok, "what cannot be known is no `no`: {said:?}");
        for text in [&said.out, &said.err] {
            assert!(!text.contains("hunter"), "{text}");
        }
        if more.is_empty() {
            assert!(said.out.contains("cannot know from here: Enable persistence"), "{said:?}");
            continue;
        }
        let found = answers(&said);
        for (id, server) in [
            ("database.shared_buffers", "the database"),
            ("database.migrations", "the database"),
            ("redis.memory", "Redis"),
        ] {
            let line = one(id, &found);
            assert!(line.answer == "unknown" && line.fact.contains(server), "{line:?}");
        }
    }
}

/// What the application's own database lacks is told; what it says to do is done, and then it is well.
#[test]
fn what_is_said_to_be_done_makes_a_good_production_of_a_bad_one() {
    let Some(server) = PostgresServer::start(|_| String::new()).expect("it starts where it must") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let Some(redis) = runtime.block_on(RedisServer::start()).expect("it starts where it must") else { return };
    let (place, database, redis_url) = (Place::new(), server.url(), redis.url());
    let sql = |text: &str| {
        runtime.block_on(async {
            let db = bunbase::db::Db::open(&bunbase::db::Settings::new(server.url())).await.expect("opened");
            for statement in text.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                db.sql(statement).execute().await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            }
            // Its statistics are handed over when a session ends.
            db.close().await;
        });
    };
    let variables = [
        ("DATABASE_URL", database.as_str()),
        ("DATABASE_READ_URL", database.as_str()),
        ("REDIS_URL", redis_url.as_str()),
        ("BUNBASE_SECRET", "a-secret-of-thirty-two-bytes-or-more"),
        ("BUNBASE_METRICS_TOKEN", "a-token-of-thirty-two-bytes-or-more!"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
        ("BUNBASE__HTTP__TRUSTED_PROXIES", "10.0.1.2"),
        ("BUNBASE__HTTP__ALLOWED_HOSTS", "app.example.com"),
        ("BUNBASE__DATABASE__STATEMENT_TIMEOUT", "30s"),
        ("BUNBASE__DATABASE__MIGRATE_ON_START", "false"),
    ];
    let ask = |more: &[&str]| {
        let arguments = [&["--json", "--instances", "4"], more].concat();
        check(&place, &arguments, &variables)
    };

    // A database that nobody has looked after.
    sql("CREATE TABLE customer (id BIGINT PRIMARY KEY);
         CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT REFERENCES customer, note TEXT, state TEXT);
         INSERT INTO orders (id, note, state) SELECT n, md5(n::text) || md5(n::text), 'new' FROM generate_series(1, 120000) AS n;
         CREATE INDEX orders_note ON orders (note);
         ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET autovacuum = off; ALTER SYSTEM SET max_connections = 40; ALTER SYSTEM SET work_mem = '2GB'");
    server.crash().expect("it stops");
    // What was counted is lost by a crash.
    server.up().expect("it starts");
    sql("ANALYZE orders");
    sql(&"SELECT count(*) FROM orders WHERE state = 'x';".repeat(110));
    let said = ask(&["--database-memory", "16GiB"]);
    let bad = answers(&said);
    let expected = [
        "database.indexes",
        "database.connections",
        "database.shared_buffers",
        "database.work_mem",
        "database.statements",
        "database.migrations",
        "database.durability",
        "database.autovacuum",
        "database.scans",
        "database.unused_indexes",
        "redis.memory",
        "redis.persistence",
        "redis.replication",
        "application.build",
    ];
    assert_eq!(with("no", &bad), expected, "{bad:#?}");
    assert!(!said.ok);
    assert!(
        said.err.contains("not ready for production: database.connections, database.migrations, database.durability"),
        "{}",
        said.err
    );
    assert_eq!(one("database.indexes", &bad).fact, "foreign keys without an index: orders (customer_id)");
    let connections = &one("database.connections", &bad).fact;
    assert!(
        connections
            .starts_with("`database.max_connections` = 20; 4 instances × 23 = 92 of the server's max_connections = 40"),
        "{connections}"
    );
    assert!(one("database.scans", &bad).fact.contains("orders (120000 rows"), "{bad:#?}");
    assert!(one("database.unused_indexes", &bad).fact.contains("orders_note ("), "{bad:#?}");

    // All of it is done as it is written there.
    for line in bad.iter().filter(|line| line.answer == "no") {
        for change in &line.how {
            if let Some(text) = change["sql"].as_str()
                && !text.starts_with("CREATE EXTENSION")
            {
                sql(text);
            }
            if let Some(text) = change["command"].as_str().filter(|_| change["kind"] == "redis") {
                redis_cli(&redis_url, text);
            }
        }
    }
    // 4 GiB would be a quarter of a machine that this is not.
    sql("ALTER SYSTEM SET shared_buffers = '128MB'; ALTER SYSTEM SET work_mem = '1MB'");
    assert!(run(command(&place, &["migrate"]).envs(variables)).ok);
    server.crash().expect("it stops");
    server.up().expect("it starts");
    sql("CREATE EXTENSION pg_stat_statements");
    let said = ask(&["--database-memory", "512MiB"]);
    let good = answers(&said);
    assert!(said.ok, "{}", said.err);
    assert_eq!(with("no", &good), ["redis.replication", "application.build"], "{good:#?}");
    assert!(one("database.connections", &good).fact.contains("max_connections = 102"), "{good:#?}");
    let again = answers(&ask(&["--database-memory", "512MiB"]));
    let told = |answers: &[Answer]| answers.iter().map(|one| (one.id.clone(), one.answer.clone())).collect::<Vec<_>>();
    assert_eq!(told(&again), told(&good), "the same twice");
}

fn redis_cli(url: &str, text: &str) {
    let socket = url.strip_prefix("unix://").expect("a socket");
    let done = Command::new("redis-cli").args(["-s", socket]).args(text.split(' ')).output().expect("`redis-cli` runs");
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "OK", "{text}");
}
