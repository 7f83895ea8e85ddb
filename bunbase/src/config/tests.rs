//! The loader as a whole: the order of the sources, and every mistake at once.

use std::time::Duration;

use proptest::prelude::*;

use super::{table::KEYS, *};

fn shown(loader: Loader) -> Vec<String> {
    match loader.load() {
        Ok(_) => Vec::new(),
        Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn each_source_counts_more_than_those_before_it() {
    let mut loader = Loader::new();
    let port = |loader: &Loader| loader.clone().load().unwrap().http.port;
    assert_eq!(port(&loader), 3000);
    loader = loader.file("http.port = 1");
    assert_eq!(port(&loader), 1);
    loader = loader.dot_env("PORT=2");
    assert_eq!(port(&loader), 2);
    loader = loader.dot_env("PORT=2\nBUNBASE__HTTP__PORT=3");
    assert_eq!(port(&loader), 3);
    loader = loader.variables([("PORT", "4")]);
    assert_eq!(port(&loader), 4);
    loader = loader.variables([("PORT", "4"), ("BUNBASE__HTTP__PORT", "5")]);
    assert_eq!(port(&loader), 5);
    loader = loader.argument("--port", "http.port", "7");
    assert_eq!(port(&loader), 7);
    loader = loader.set("http.port", 6);
    assert_eq!(port(&loader), 7);
}

#[test]
fn code_counts_more_than_the_environment() {
    let loader = Loader::new().variables([("PORT", "4")]).set("http.port", 6);
    assert_eq!(loader.load().unwrap().http.port, 6);
}

#[test]
fn the_source_of_every_value_is_known() {
    let config = Loader::new()
        .file("[http]\nworkers = 2\n")
        .dot_env("BUNBASE__LOG__LEVEL=warn")
        .variables([("PORT", "4"), ("BUNBASE__APPLICATION__X", "1")])
        .set("app.name", "shop")
        .load()
        .unwrap();
    let sources: Vec<_> = config.sources().iter().map(|(key, source)| format!("{key} {source}")).collect();
    let expected = [
        "app.name code",
        "application.x BUNBASE__APPLICATION__X",
        "http.port PORT",
        "http.workers bunbase.toml:1",
        "log.level BUNBASE__LOG__LEVEL in .env",
    ];
    assert_eq!(sources, expected.map(|line| line.replace("toml:1", "toml:2")));
}

#[test]
fn every_problem_of_every_source_is_listed_at_once() {
    let loader = Loader::new()
        .file("[http]\nprot = 1\nhost = 7\nrequest_timeout = 30\n[database]\nmaxConnections = 20\n[nonsense]\nx = 1\n")
        .dot_env("BUNBASE__LOG__FORMAT=xml")
        .variables([("PORT", "high"), ("BUNBASE__HTTP__WROKERS", "1"), ("BUNBASE_ENV", "prod")])
        .set("cors.origins", "https://a.example")
        .argument("--port", "http.port", "70000");
    assert_eq!(
        shown(loader),
        [
            "BUNBASE_ENV: must be `development` or `production`, and is `prod`; unset it to let bunbase decide",
            "bunbase.toml:2: `http.prot` is not a key; did you mean `http.port`?",
            "bunbase.toml:3: `http.host` must be a string, not `7`",
            "bunbase.toml:4: `http.request_timeout` needs a unit: write \"30s\" for seconds or \"30ms\" for milliseconds",
            "bunbase.toml:6: `database.maxConnections` is the reference guide's spelling; write `database.max_connections`",
            "bunbase.toml:8: `nonsense.x` is not a key; the sections are app, http, security, tls, admin, multipart, cors, database, queue, \
             schedule, events, idempotency, redis, kv, lock, cache, rate_limit, session, password, tenants, webhook, mcp, persistence, openapi, docs, \
             log, otlp, tracing, metrics, debug, health, and `application` for settings of your own",
            "BUNBASE__LOG__FORMAT in .env: `log.format` must be one of `pretty` `json`, not `xml`",
            "PORT: `http.port` must be a whole number from 0 to 65535, not `high`",
            "BUNBASE__HTTP__WROKERS: `http.wrokers` is not a key; did you mean `BUNBASE__HTTP__WORKERS`?",
            "code: `cors.origins` must be a list: put brackets around a string",
            "--port: `http.port` must be a whole number from 0 to 65535, not `70000`",
        ]
    );
}

#[test]
fn the_guides_configuration_is_answered_with_ours() {
    let guide = "maxRequestBodySize = 10485760\n[database]\nidleTimeout = 30000\n[cors]\norigin = 'https://a.example'\n\
                 maxAge = 86400\n[observability.logging]\nlevel = 'info'\n[redis]\nidleTimeout = 30000\n";
    assert_eq!(
        shown(Loader::new().file(guide)),
        [
            "bunbase.toml:1: `maxRequestBodySize` is the reference guide's spelling; write `http.max_body_size = \"10MiB\"`",
            "bunbase.toml:3: `database.idleTimeout` is the reference guide's spelling; write `database.idle_timeout = \"30s\"`",
            "bunbase.toml:5: `cors.origin` is the reference guide's spelling; write `cors.origins`",
            "bunbase.toml:6: `cors.maxAge` is the reference guide's spelling; write `cors.max_age = \"1d\"`",
            "bunbase.toml:8: `observability.logging.level` is the reference guide's spelling; write `log.level`",
            "bunbase.toml:10: `redis.idleTimeout` is the reference guide's spelling; write `redis.idle_timeout = \"30s\"`",
        ]
    );
}

#[test]
fn a_list_of_problems_reads_well() {
    let errors = Loader::new().file("http.prot = 1\nhttp.port = ''").load().unwrap_err();
    assert_eq!(errors.problems()[0].suggestion.as_deref(), Some("http.port"));
    assert_eq!(
        errors.to_string(),
        "the configuration has 2 problems:\n  bunbase.toml:1: `http.prot` is not a key; did you mean `http.port`?\n  \
         bunbase.toml:2: `http.port` must be a whole number from 0 to 65535, not the string \"\""
    );
    assert!(crate::Error::from(errors).to_string().contains("did you mean"));
}

#[test]
fn a_wrong_value_is_reported_even_where_another_source_counts_more() {
    assert_eq!(shown(Loader::new().file("http.port = 'x'").set("http.port", 1)).len(), 1);
}

#[test]
fn every_default_passes_its_own_rules() {
    for is_debug in [true, false] {
        let defaults = Loader::new().debug_build(is_debug);
        let config = defaults.clone().load().unwrap();
        for key in keys() {
            let text = (key.show)(&config);
            let loader = defaults.clone().file(format!("{} = {text}", key.name));
            assert_eq!(shown(loader), Vec::<String>::new(), "{}", key.name);
        }
    }
}

#[test]
fn defaults_differ_between_development_and_production_where_the_table_says_so() {
    let development = Loader::new().debug_build(true).load().unwrap();
    assert_eq!(development.environment, Environment::Development);
    assert_eq!((development.http.host.as_str(), development.log.format), ("127.0.0.1", LogFormat::Pretty));
    let production = Loader::new().load().unwrap();
    assert_eq!(production.environment, Environment::Production);
    assert_eq!((production.http.host.as_str(), production.log.format), ("0.0.0.0", LogFormat::Json));
}

#[test]
fn a_debug_build_that_others_can_reach_has_the_defaults_of_production() {
    let config = Loader::new().debug_build(true).variables([("BUNBASE__HTTP__HOST", "0.0.0.0")]).load().unwrap();
    assert_eq!((config.environment, config.log.format), (Environment::Production, LogFormat::Json));
    assert!(config.environment_reason.contains("0.0.0.0"), "{}", config.environment_reason);
}

#[test]
fn the_environment_may_be_named_in_the_env_file_and_the_process_counts_more() {
    let loader = Loader::new().dot_env("BUNBASE_ENV=development");
    assert_eq!(loader.clone().load().unwrap().environment, Environment::Development);
    let loader = loader.variables([("BUNBASE_ENV", "production")]).development();
    assert_eq!(loader.load().unwrap().environment, Environment::Production);
}

#[test]
fn the_program_is_the_default_name_and_the_document_follows_it() {
    let config = Loader::new().program("shop", "1.2.3").load().unwrap();
    assert_eq!((config.openapi.title.as_str(), config.openapi.version.as_str()), ("shop", "1.2.3"));
    let config =
        Loader::new().program("shop", "1.2.3").set("app.name", "Shop").set("openapi.version", "2").load().unwrap();
    assert_eq!((config.openapi.title.as_str(), config.openapi.version.as_str()), ("Shop", "2"));
    assert_eq!(Config::default().openapi.title, "bunbase app");
}

#[test]
fn without_the_document_there_is_no_page_unless_it_is_asked_for() {
    let config = Loader::new().set("openapi.access", "off").load().unwrap();
    assert_eq!(config.docs.access, Access::Off);
    for (document, page) in [("off", "public"), ("off", "token"), ("token", "public"), ("admin", "token")] {
        let file = format!("admin.addr = '127.0.0.1:9090'\nopenapi.access = '{document}'\ndocs.access = '{page}'");
        let problems = shown(Loader::new().file(file));
        assert_eq!(problems.len(), 1);
        let start = format!("bunbase.toml:3: `docs.access` cannot be `{page}` while `openapi.access` is `{document}`");
        assert!(problems[0].starts_with(&start), "{problems:?}");
    }
}

#[test]
fn what_is_built_in_is_for_everybody_in_development_only() {
    let accesses = |config: &Config| {
        let Config { openapi, docs, metrics, health, mcp, .. } = config;
        [openapi.access, docs.access, metrics.access, health.access, mcp.access]
    };
    assert_eq!(accesses(&Loader::new().debug_build(true).load().unwrap()), [Access::Public; 5]);
    assert_eq!(accesses(&Loader::new().load().unwrap()), [Access::Token; 5]);
}

#[test]
fn what_is_only_at_an_address_that_is_not_set_is_a_mistake() {
    let problems = shown(Loader::new().file("metrics.access = 'admin'"));
    assert_eq!(
        problems,
        ["bunbase.toml:1: `metrics.access` is `admin`, and `admin.addr` is not set: it would be nowhere"]
    );
    assert_eq!(shown(Loader::new().file("metrics.access = 'admin'\nadmin.addr = '[::1]:9090'")), Vec::<String>::new());
    let wrong = shown(Loader::new().file("admin.addr = '9090'"));
    assert_eq!(wrong, ["bunbase.toml:1: `admin.addr` must be a host and a port, like `127.0.0.1:9090`"]);
}

#[test]
fn an_address_that_others_reach_needs_the_token() {
    let token = "admin.token = 'a token of at least 32 bytes, for all of it'";
    for local in ["127.0.0.1:9090", "127.8.0.1:9090", "[::1]:9090", "localhost:9090"] {
        assert_eq!(shown(Loader::new().file(format!("admin.addr = '{local}'"))), Vec::<String>::new(), "{local}");
    }
    for open in ["0.0.0.0:9090", "[::]:9090", "10.0.0.7:9090", "[::ffff:127.0.0.1]:9090", "operators.example:9090"] {
        let address = format!("admin.addr = '{open}'");
        let refused = "bunbase.toml:1: `admin.addr` is an address that others may reach, where openapi, docs, metrics, health, mcp would ask \
                       for `admin.token`, and there is none: set one, or listen on 127.0.0.1";
        assert_eq!(shown(Loader::new().file(address.clone())), [refused], "{open}");
        assert_eq!(shown(Loader::new().file(format!("{address}\n{token}"))), Vec::<String>::new(), "{open}");
        let debugged = format!("{address}\ndebug.access = 'admin'");
        assert!(shown(Loader::new().file(debugged))[0].contains("health, mcp, debug would"), "{open}");
        // What is for everybody anyway needs none.
        assert_eq!(shown(Loader::new().file(address).debug_build(true)), Vec::<String>::new(), "{open}");
    }
}

#[test]
fn a_certificate_needs_its_key() {
    let problems = shown(Loader::new().file("tls.key = 'key.pem'"));
    assert_eq!(problems, ["bunbase.toml:1: `tls.certificate` and `tls.key` need each other: set both or neither"]);
}

#[test]
fn the_token_of_metrics_is_that_of_all_unless_it_has_its_own() {
    let (all, own) = ("a token of at least 32 bytes, for all of it", "a token of at least 32 bytes, for metrics");
    let config = Loader::new().variables([("BUNBASE_ADMIN_TOKEN", all)]).load().unwrap();
    assert_eq!(config.metrics.token.expose(), all);
    let loader = Loader::new().variables([("BUNBASE_ADMIN_TOKEN", all), ("BUNBASE_METRICS_TOKEN", own)]);
    assert_eq!(loader.load().unwrap().metrics.token.expose(), own);
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let file = "[database]\nmin_connections = 30\n[cors]\norigins = ['*']\ncredentials = true\n\
                [docs]\npath = '/openapi.json'\n";
    let problems = shown(Loader::new().file(file));
    let starts = [
        "bunbase.toml:2: `database.min_connections` is 30, more than",
        "bunbase.toml:5: `cors.credentials` cannot be true",
        "bunbase.toml:7: `docs.path` serves /openapi.json, as does `openapi.path`",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn paths_that_collide_name_both_keys() {
    for (file, message) in [
        ("docs.path = '/_health'", "`docs.path` serves /_health, which is a health endpoint"),
        ("mcp.path = '/_health/live/'", "`mcp.path` serves /_health/live, which is a health endpoint"),
        ("mcp.path = '/docs'", "`mcp.path` serves /docs, as does `docs.path`"),
        ("openapi.path = '/docs/'", "`docs.path` serves /docs, as does `openapi.path`"),
        ("openapi.path = '/docs/boot.js'", "`docs.path` serves /docs/boot.js, as does `openapi.path`"),
    ] {
        let problems = shown(Loader::new().file(file));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("bunbase.toml:1: {message}")), "{problems:?}");
    }
    for file in ["docs.path = '/mcp'\nmcp.access = 'off'", "openapi.access = 'off'\nmcp.path = '/openapi.json'"] {
        assert_eq!(shown(Loader::new().file(file)), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn a_misspelt_key_is_not_blamed_a_second_time() {
    let problems = shown(Loader::new().file("[database]\nminConnection = 500\nmax_connections = 200"));
    assert_eq!(
        problems,
        ["bunbase.toml:2: `database.minConnection` is not a key; did you mean `database.min_connections`?"]
    );
}

#[test]
fn no_password_is_in_any_output() {
    let url = "postgres://me:hunter2@db/app";
    let loader = Loader::new().variables([("DATABASE_URL", url)]).set("database.url", url);
    assert!(!format!("{loader:?}").contains("hunter2"));
    let config = loader.load().unwrap();
    assert!(!format!("{config:?} {config:#?}").contains("hunter2"));
    assert_eq!(config.database.url.expose(), url);
    let wrong = [
        Loader::new().file(format!("database.ulr = '{url}'")),
        Loader::new().file(format!("http.port = '{url}'")),
        Loader::new().file(format!("database.url = '{url}")),
        Loader::new().file("database.url = 'mysql://me:hunter2@db/app'"),
        Loader::new().dot_env(format!("DATABASE_URL = a b {url}")),
        Loader::new().variables([("PORT", url)]),
    ];
    for loader in wrong {
        let errors = loader.load().unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains("hunter2"), "{errors}");
    }
}

#[test]
fn a_key_in_a_section_of_ones_own_is_sent_to_application() {
    let problems = shown(Loader::new().file("[app]\ngreeting_text = 'hi'"));
    assert!(problems[0].ends_with("settings of your own go into the section `application`"), "{problems:?}");
    let problems = shown(Loader::new().file("environment = 'production'"));
    assert!(problems[0].contains("BUNBASE_ENV"), "{problems:?}");
}

#[test]
fn files_are_read_from_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let loader = Loader::new().directory(directory.path());
    assert_eq!(loader.clone().load().unwrap().http.port, 3000);

    std::fs::write(directory.path().join("bunbase.toml"), "http.workers = 2").unwrap();
    std::fs::write(directory.path().join(".env"), "PORT=8081\nBUNBASE_CONFIG=other.toml").unwrap();
    let problems = shown(loader.clone());
    let start = "BUNBASE_CONFIG in .env: the configuration file other.toml cannot be read: ";
    assert!(problems[0].starts_with(start), "{problems:?}");
    std::fs::write(directory.path().join("other.toml"), "http.workers = 3").unwrap();
    let config = loader.clone().load().unwrap();
    assert_eq!((config.http.port, config.http.workers), (8081, 3));

    let absolute = directory.path().join("bunbase.toml");
    let config = loader.clone().variables([("BUNBASE_CONFIG", &absolute)]).load().unwrap();
    assert_eq!(config.http.workers, 2);
    assert_eq!(loader.path("bunbase.toml").load().unwrap().http.workers, 2);
    assert_eq!(Loader::new().path(absolute).load().unwrap().http.workers, 2);
    assert_eq!(shown(Loader::new().path("no/such/file.toml")).len(), 1);
}

#[test]
fn the_process_is_read() {
    let loader = Loader::new().from_process();
    // Whatever the machine that runs the tests has set: only that it is read and does not fail in another way.
    let _ = loader.clone().load();
    let named = loader.variables(Vec::<(String, String)>::new()).directory("no/such/folder").load().unwrap();
    assert!(named.app.name.starts_with("bunbase"), "{}", named.app.name);
    assert!(named.environment.is_development());
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("bunbase.toml")).unwrap();
    let problems = shown(Loader::new().directory(directory.path()));
    assert!(problems[0].starts_with("bunbase.toml cannot be read: "), "{problems:?}");
}

#[test]
fn durations_and_sizes_are_typed() {
    let file = "[http]\nrequest_timeout = 0\nmax_body_size = '1MB'\n[database]\nidle_timeout = '2m'\n";
    let config = Loader::new().file(file).load().unwrap();
    assert_eq!(config.http.request_timeout, None);
    assert_eq!(config.http.max_body_size.as_u64(), 1_000_000);
    assert_eq!(config.database.idle_timeout, Some(Duration::from_mins(2)));
}

proptest! {
    #[test]
    fn no_input_makes_it_panic(file: String, dot_env: String, name: String, value: String) {
        let loader = Loader::new().file(file).dot_env(dot_env).set(&name, value.clone());
        let _ = loader.variables([(format!("BUNBASE__{name}"), value)]).argument("--x", &name, name.clone()).load();
    }

    #[test]
    fn no_text_for_any_key_makes_it_panic(text: String, index in 0..KEYS.len()) {
        let key = KEYS[index].name;
        let _ = Loader::new().set(key, text.clone()).argument("--x", key, text).load();
    }
}

#[test]
fn the_variables_of_opentelemetry_are_read_as_it_says() {
    let config = Loader::new()
        .variables([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", ""),
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,team=a%20b"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_BSP_SCHEDULE_DELAY", "500"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("BUNBASE__TRACING__SAMPLING_RATIO", "0.5"),
        ])
        .load()
        .unwrap();
    assert!(config.tracing.enabled && config.log.otlp);
    assert_eq!(config.tracing.headers.iter().collect::<Vec<_>>(), [("authorization", "Bearer hunter2")]);
    assert_eq!(config.tracing.timeout, Duration::from_millis(1500));
    assert_eq!(config.log.otlp_timeout, Duration::from_millis(250));
    assert_eq!((config.tracing.interval, config.tracing.queue_size), (Duration::from_millis(500), 100));
    assert_eq!(config.otlp.service_name, "shop");
    // What is said to bunbase alone counts more.
    assert_eq!(config.tracing.sampling_ratio.to_string(), "0.5");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn telemetry_is_off_where_nobody_names_a_collector_and_can_be_kept_off() {
    let config = Loader::new().load().unwrap();
    assert!(!config.tracing.enabled && !config.log.otlp);
    let config = Loader::new().file("otlp.endpoint = 'http://c:4318'\ntracing.enabled = false").load().unwrap();
    assert!(!config.tracing.enabled && config.log.otlp);
    let config = Loader::new().file("tracing.endpoint = 'http://c:4318/v1/traces'").load().unwrap();
    assert!(config.tracing.enabled && !config.log.otlp);
}

#[test]
fn what_is_wrong_with_a_collector_is_told_with_what_to_write() {
    let file = "[otlp]\nendpoint = 'localhost:4318'\nprotocol = 'http/json'\nheaders = ['hunter2']\n[tracing]\nsampler = 'always'\n\
                sampling_ratio = 2\nendpoint = 'http://ann:hunter2@c/'\nqueue_size = 0\n";
    assert_eq!(
        shown(Loader::new().file(file)),
        [
            "bunbase.toml:2: `otlp.endpoint` must be the address of a collector, like `http://localhost:4318`",
            "bunbase.toml:3: `otlp.protocol` must be one of `http/protobuf` `grpc`, not the string \"http/json\"",
            "bunbase.toml:4: `otlp.headers` must be headers as `name=value`, with commas between them in a variable; one of them is not",
            "bunbase.toml:6: `tracing.sampler` must be one of `always_on` `always_off` `traceidratio` `parentbased_always_on` \
             `parentbased_always_off` `parentbased_traceidratio`, not the string \"always\"",
            "bunbase.toml:7: `tracing.sampling_ratio` must be from 0 to 1",
            "bunbase.toml:8: `tracing.endpoint` must not have a name or a password in it; they go into the headers",
            "bunbase.toml:9: `tracing.queue_size` must be more than zero",
        ]
    );
}

#[test]
fn the_console_of_tokio_is_refused_where_it_would_see_nothing_or_be_seen_by_others() {
    let problems = shown(Loader::new().file("[debug]\nconsole = true\nconsole_addr = '0.0.0.0:6669'"));
    let wanted = match (cfg!(feature = "tokio-console"), cfg!(tokio_unstable)) {
        (false, _) => Some("the cargo feature `tokio-console`"),
        (true, false) => Some("build it with `RUSTFLAGS=\"--cfg tokio_unstable\"`"),
        (true, true) => None,
    };
    let says = |part: &str| problems.iter().any(|problem| problem.contains(part));
    assert!(wanted.is_none_or(says), "{problems:?}");
    assert_eq!(problems.iter().filter(|problem| problem.contains("`debug.console` ")).count(), wanted.iter().count());
    assert!(says("`debug.console_addr` must be an address of this machine alone"), "{problems:?}");
}
