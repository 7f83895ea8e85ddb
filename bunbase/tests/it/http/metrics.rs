//! The metrics. Who may read them is in `pages`.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use bunbase::{
    Error,
    guard::{MINUTE, rate_limit},
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use super::soon;

bunbase::module!(name = "measured", prefix = "/t/metrics");

/// Counts up.
#[action(post = "/count")]
async fn count_up(ctx: Ctx) -> Result<i64> {
    ctx.sql("SELECT CAST(1 AS BIGINT)").scalar().await
}

/// Says how it went.
#[action(get = "/things/{id}", retry(attempts = 3, base = "1ms"))]
async fn thing(ctx: Ctx, id: u32) -> Result<u32> {
    match id {
        0 => Err(Error::not_found("there is no such thing")),
        1 if ctx.attempt() < 3 => Err(Error::new(503, "not_yet", "not yet")),
        2 => panic!("the handler has a mistake"),
        id => Ok(id),
    }
}

/// Lets one call through.
#[action(get = "/limited", guards = [rate_limit(1).per(MINUTE)])]
async fn limited() -> Result<()> {
    Ok(())
}

/// Waits until it is told to go on.
#[action(get = "/waits")]
async fn waits(ctx: Ctx) -> Result<()> {
    let gate = ctx.state::<Gate>()?;
    gate.begun.notify_one();
    gate.go.notified().await;
    Ok(())
}

#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

/// Is done later, at the second attempt unless it never is.
#[action(queue = "measured", retry(attempts = 2, base = "1ms"))]
async fn later(ctx: Ctx, never: bool) -> Result<()> {
    if never || ctx.attempt() == 1 { Err(Error::new(503, "not_yet", "not yet")) } else { Ok(()) }
}

/// Has things done later.
#[action(post = "/later")]
async fn enqueue(ctx: Ctx) -> Result<()> {
    ctx.enqueue(Later::new(false)).await?;
    ctx.enqueue(Later::new(true)).await?;
    Ok(())
}

/// Sells something.
#[action(post = "/sales")]
async fn sell(ctx: Ctx) -> Result<()> {
    ctx.metrics().counter("shop_sold", "Things that were sold").inc(&[("kind", "book")]);
    Ok(())
}

/// The lines of a text of metrics.
struct Text(String);

impl Text {
    async fn of(app: &TestApp) -> Self {
        Self(app.get("/_metrics").send().await.assert_status(200).text().to_owned())
    }

    async fn at(app: &ListeningApp) -> Self {
        Self(reqwest::get(app.url("/_metrics")).await.unwrap().text().await.unwrap())
    }

    fn value(&self, series: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    #[track_caller]
    fn assert(&self, series: &str, value: f64) {
        assert_eq!(self.value(series), Some(value), "{series} in\n{}", self.0);
    }

    fn series(&self) -> usize {
        self.0.lines().filter(|line| !line.starts_with('#')).count()
    }
}

#[tokio::test]
async fn what_an_action_asks_of_the_database_is_in_the_metrics() {
    let app = TestApp::start(App::new()).await;
    app.post("/t/metrics/count").send().await.assert_status(200);
    let text = Text::of(&app).await;
    assert!(text.value("bunbase_db_query_duration_ms_count{operation=\"select\",target=\"primary\"}").unwrap() >= 1.0);
    assert!(text.value("bunbase_db_pool_connections{state=\"idle\"}").is_some(), "{}", text.0);
    assert!(text.value("bunbase_run_records_total{result=\"written\"}").is_some(), "{}", text.0);
}

#[tokio::test]
async fn the_format_is_the_one_that_is_asked_for() {
    let app = TestApp::start(App::new()).await;
    let plain = app.get("/_metrics").send().await.assert_status(200);
    assert_eq!(
        (plain.header("content-type"), plain.header("cache-control"), plain.header("vary")),
        (Some("text/plain; version=0.0.4; charset=utf-8"), Some("no-store"), Some("Accept"))
    );
    assert!(!plain.text().contains("# EOF"));
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = app.get("/_metrics").header("accept", accept).send().await.assert_status(200);
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn they_have_their_own_path_or_none() {
    let moved = TestApp::start(App::new().config("metrics.path", "/internal/metrics")).await;
    moved.get("/internal/metrics").send().await.assert_status(200);
    moved.get("/_metrics").send().await.assert_status(404);
    let off = TestApp::start(App::new().config("metrics.access", "off")).await;
    assert_eq!(off.get("/_metrics").send().await.assert_status(404).code(), "no_route");
    off.post("/t/metrics/sales").send().await.assert_status(204);
    let bare = TestApp::start(App::new().config("metrics.include_default_metrics", false)).await;
    let text = Text::of(&bare).await;
    assert!(!text.0.contains("process_") && text.0.contains("bunbase_build_info{"), "{}", text.0);
}

#[tokio::test]
async fn requests_are_counted_by_the_template_of_their_path() {
    let app = TestApp::start(App::new()).await;
    for id in 10..15 {
        app.get(&format!("/t/metrics/things/{id}?secret=hunter2")).send().await.assert_status(200);
    }
    app.get("/t/metrics/things/0").send().await.assert_status(404);
    app.request("HEAD", "/t/metrics/things/10").send().await.assert_status(200);
    app.post("/t/metrics/things/10").send().await.assert_status(405);
    app.request("PROPFIND", "/t/metrics/things/10").send().await.assert_status(405);
    app.get("/t/metrics/hunter2").send().await.assert_status(404);
    app.get("/_health/live").send().await.assert_status(200);
    let text = Text::of(&app).await;
    let requests = |method: &str, path: &str, status: u16| {
        format!("bunbase_http_requests_total{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}}")
    };
    text.assert(&requests("GET", "/t/metrics/things/{id}", 200), 5.0);
    text.assert(&requests("GET", "/t/metrics/things/{id}", 404), 1.0);
    text.assert(&requests("HEAD", "/t/metrics/things/{id}", 200), 1.0);
    text.assert(&requests("POST", "/t/metrics/things/{id}", 405), 1.0);
    text.assert(&requests("other", "/t/metrics/things/{id}", 405), 1.0);
    text.assert(&requests("GET", "unmatched", 404), 1.0);
    text.assert(&requests("GET", "/_health/live", 200), 1.0);
    let durations = "bunbase_http_request_duration_ms_count{method=\"GET\",path=\"/t/metrics/things/{id}\"}";
    text.assert(durations, 6.0);
    text.assert("bunbase_http_requests_in_flight", 1.0);
    text.assert("bunbase_errors_total{code=\"no_route\"}", 1.0);
    text.assert("bunbase_errors_total{code=\"method_not_allowed\"}", 2.0);
    text.assert("bunbase_errors_total{code=\"not_found\"}", 1.0);
    assert!(!text.0.contains("hunter2"), "{}", text.0);
}

#[tokio::test]
async fn mounted_services_are_counted_by_their_pattern() {
    let mounted = App::new().configure(|config| {
        config.service(
            web::scope("/t/metrics/mounted").route("/{name}", web::get().to(async || HttpResponse::Ok().body("fine"))),
        );
    });
    let app = TestApp::start(mounted).await;
    for name in ["a", "b"] {
        app.get(&format!("/t/metrics/mounted/{name}")).send().await.assert_status(200);
    }
    app.get("/t/metrics/limited").send().await.assert_status(204);
    let text = Text::of(&app).await;
    let requests = |path: &str, status: u16| {
        format!("bunbase_http_requests_total{{method=\"GET\",path=\"{path}\",status=\"{status}\"}}")
    };
    text.assert(&requests("/t/metrics/mounted/{name}", 200), 2.0);
    text.assert(&requests("/t/metrics/limited", 204), 1.0);
}

#[tokio::test]
async fn runs_are_counted_by_how_they_end() {
    let app = TestApp::start(App::new()).await;
    for (id, status) in [(7, 200), (1, 200), (0, 404), (2, 500)] {
        app.get(&format!("/t/metrics/things/{id}")).send().await.assert_status(status);
    }
    for status in [204, 429, 429] {
        app.get("/t/metrics/limited").send().await.assert_status(status);
    }
    let _ = app.call(Thing::new(8)).await.unwrap();
    let text = Text::of(&app).await;
    let runs =
        |status: &str| format!("bunbase_action_executions_total{{action=\"measured.thing\",status=\"{status}\"}}");
    text.assert(&runs("succeeded"), 3.0);
    text.assert(&runs("failed"), 1.0);
    text.assert(&runs("panicked"), 1.0);
    text.assert("bunbase_action_duration_ms_count{action=\"measured.thing\"}", 5.0);
    text.assert("bunbase_action_retries_total{action=\"measured.thing\"}", 4.0);
    text.assert("bunbase_action_in_flight{action=\"measured.thing\"}", 0.0);
    text.assert("bunbase_guard_refusals_total{action=\"measured.limited\",status=\"429\"}", 2.0);
    text.assert("bunbase_rate_limit_refusals_total", 2.0);
    text.assert("bunbase_errors_total{code=\"rate_limited\"}", 2.0);
    text.assert("bunbase_errors_total{code=\"internal\"}", 1.0);
}

#[bunbase::test]
async fn what_goes_on_is_counted_while_it_does() {
    let gate = Gate::default();
    let app = ListeningApp::start(App::new().state(gate.clone())).await;
    let idle = TcpStream::connect(app.address()).await.unwrap();
    let url = app.url("/t/metrics/waits");
    let waiting = tokio::spawn(async move { reqwest::get(url).await.unwrap().status() });
    soon("the run", gate.begun.notified()).await;
    let text = Text::at(&app).await;
    text.assert("bunbase_action_in_flight{action=\"measured.waits\"}", 1.0);
    text.assert("bunbase_http_requests_in_flight", 2.0);
    text.assert("bunbase_active_connections", 3.0);
    gate.go.notify_one();
    assert_eq!(waiting.await.unwrap(), 204);
    drop(idle);
    let quiet = async {
        while Text::at(&app).await.value("bunbase_active_connections") != Some(1.0) {
            tokio::task::yield_now().await;
        }
    };
    soon("the connections end", quiet).await;
    Text::at(&app).await.assert("bunbase_action_in_flight{action=\"measured.waits\"}", 0.0);
}

#[bunbase::test]
async fn jobs_are_counted_from_the_queue_to_their_ends() {
    let app = ListeningApp::start(App::new()).await;
    let text = Text::at(&app).await;
    for priority in ["low", "normal", "high", "critical"] {
        text.assert(&format!("bunbase_queue_depth{{queue=\"measured\",priority=\"{priority}\"}}"), 0.0);
    }
    for name in ["bunbase_outbox_pending", "bunbase_outbox_oldest_seconds", "bunbase_outbox_parked"] {
        text.assert(name, 0.0);
    }
    text.assert("bunbase_queue_dead_letters{queue=\"measured\"}", 0.0);
    text.assert("bunbase_queue_oldest_pending_seconds{queue=\"measured\"}", 0.0);
    let answer = reqwest::Client::new().post(app.url("/t/metrics/later")).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let ended = async {
        loop {
            let text = Text::at(&app).await;
            let of = |status| text.value(&format!("bunbase_jobs_total{{queue=\"measured\",status=\"{status}\"}}"));
            if (of("succeeded"), of("dead")) == (Some(1.0), Some(1.0)) {
                return text;
            }
            tokio::task::yield_now().await;
        }
    };
    let text = soon("the jobs", ended).await;
    text.assert("bunbase_jobs_total{queue=\"measured\",status=\"retried\"}", 2.0);
    text.assert("bunbase_job_wait_ms_count{queue=\"measured\"}", 4.0);
    text.assert("bunbase_job_duration_ms_count{queue=\"measured\"}", 4.0);
    assert!(text.value("bunbase_job_wait_ms_sum{queue=\"measured\"}").unwrap() < 60_000.0, "{}", text.0);
}

#[tokio::test]
async fn an_application_measures_by_itself() {
    let app = TestApp::start(App::new()).await;
    for _ in 0..3 {
        app.post("/t/metrics/sales").send().await.assert_status(204);
    }
    Text::of(&app).await.assert("shop_sold_total{kind=\"book\"}", 3.0);
}

#[cfg(feature = "otlp")]
#[tokio::test]
async fn a_time_names_a_trace_that_is_recorded() {
    let parent = |flag| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flag}");
    let traced = App::new().config("tracing.enabled", true).config("tracing.endpoint", "http://127.0.0.1:9/v1/traces");
    let app = TestApp::start(traced).await;
    let text = async |flag| {
        app.get("/t/metrics/things/7").header("traceparent", &parent(flag)).send().await.assert_status(200);
        let accept = "application/openmetrics-text";
        app.get("/_metrics").header("accept", accept).send().await.text().to_owned()
    };
    let exemplar = "# {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"}";
    assert!(!text("00").await.contains(exemplar), "nobody has recorded it");
    let text = text("01").await;
    for name in ["bunbase_http_request_duration_ms_bucket", "bunbase_action_duration_ms_bucket"] {
        let is_named = |line: &str| line.starts_with(name) && line.contains("thing") && line.contains(exemplar);
        assert!(text.lines().any(is_named), "{name}\n{text}");
    }
}

/// Scanners ask for whatever comes to their mind, and callers have any number of things.
#[bunbase::test]
async fn a_hundred_thousand_paths_and_ids_add_a_handful_of_series() {
    const AT_A_TIME: u32 = 500;
    const START: &[u8] = b"HTTP/1.1 ";
    let app = App::new().config("log.level", "off").config("persistence.enabled", false);
    let app = ListeningApp::start(app).await;
    // Each path has its times, and so has its action.
    for path in ["/nothing", "/t/metrics/things/7", "/_metrics"] {
        reqwest::get(app.url(path)).await.unwrap();
    }
    let before = Text::at(&app).await.series();
    let mut connection = TcpStream::connect(app.address()).await.unwrap();
    let mut answers = Vec::new();
    for first in (10..50_010).step_by(AT_A_TIME as usize) {
        let both = |number| {
            format!(
                "GET /{number}/wp-admin.php HTTP/1.1\r\nhost: localhost\r\n\r\nGET /t/metrics/things/{number} HTTP/1.1\r\nhost: localhost\r\n\r\n"
            )
        };
        let requests: String = (first..first + AT_A_TIME).map(both).collect();
        let (mut reader, mut writer) = connection.split();
        let read = async {
            // The body of an answer is a number or a problem, so each head begins with the only line of its kind.
            let (mut heads, mut seen) = (0, 0);
            answers.clear();
            while heads < 2 * AT_A_TIME as usize {
                assert_ne!(reader.read_buf(&mut answers).await.unwrap(), 0, "the server has closed the connection");
                heads += answers[seen..].windows(START.len()).filter(|bytes| *bytes == START).count();
                seen = answers.len().saturating_sub(START.len() - 1);
            }
        };
        let (written, ()) = tokio::join!(writer.write_all(requests.as_bytes()), read);
        written.unwrap();
    }
    let after = Text::at(&app).await;
    let requests = |path: &str, status: u16| {
        format!("bunbase_http_requests_total{{method=\"GET\",path=\"{path}\",status=\"{status}\"}}")
    };
    after.assert(&requests("/t/metrics/things/{id}", 200), 50_001.0);
    after.assert(&requests("unmatched", 404), 50_001.0);
    assert!(after.series() < before + 50, "{} and then {}:\n{}", before, after.series(), after.0);
}

/// The time that a request takes is where its series says.
#[tokio::test]
async fn buckets_are_those_of_the_configuration() {
    let app = TestApp::start(App::new().config("metrics.latency_buckets", vec![1.0, 60_000.0])).await;
    let began = std::time::Instant::now();
    app.get("/t/metrics/things/7").send().await.assert_status(200);
    let took = began.elapsed();
    let text = Text::of(&app).await;
    let of = |name: &str, bucket: &str| {
        let labels = "method=\"GET\",path=\"/t/metrics/things/{id}\"";
        text.value(&format!("bunbase_http_request_duration_ms_{name}{{{labels}{bucket}}}"))
    };
    assert_eq!(of("bucket", ",le=\"60000\""), Some(1.0), "{}", text.0);
    assert_eq!(of("bucket", ",le=\"10\""), None);
    let sum = Duration::from_secs_f64(of("sum", "").unwrap() / 1000.0);
    assert!(sum > Duration::ZERO && sum <= took, "{sum:?} of {took:?}");
}
