//! A collector that refuses, hangs or is not there: nobody waits for it, and what it did not get is counted.

use std::collections::BTreeMap;

use bunbase::{prelude::*, testing::TestApp};

use super::receiver::{Behaviour, Receiver};

const REQUESTS: u64 = 200;

/// Starts an application with room for few spans, whose collector is there.
async fn app(url: String) -> TestApp {
    let app = App::new()
        .config("otlp.endpoint", url)
        .config("log.otlp", false)
        .config("tracing.queue_size", 50)
        .config("tracing.batch_size", 10)
        .config("tracing.timeout", "200ms")
        .config("otlp.flush_timeout", "500ms");
    TestApp::start(app).await
}

async fn ask(app: &TestApp) {
    for _ in 0..REQUESTS {
        app.get("/t/telemetry/fail/404").send().await.assert_status(404);
    }
}

/// Returns what became of the spans.
async fn counts(app: &TestApp) -> BTreeMap<String, u64> {
    let answer = app.get("/_metrics").send().await;
    let text = answer.text();
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("bunbase_telemetry_items_total{signal=\"traces\",result=\""));
    let count = |line: &str| {
        let (result, count) = line.split_once("\"} ").unwrap();
        (result.to_owned(), count.parse().unwrap())
    };
    lines.map(count).collect()
}

/// How many spans a request makes: its own, decoding and an attempt.
const SPANS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_collector_that_hangs() {
    let receiver = Receiver::http(Behaviour::Hangs);
    let app = app(receiver.url()).await;
    ask(&app).await;
    receiver.asked(1).await;
    // It has not answered once, and all requests are answered.
    assert_eq!(receiver.received().spans.len(), 0);
    app.stop_tracing().await;
    let counts = counts(&app).await;
    assert_eq!(counts["exported"], 0);
    assert_eq!(counts["failed"] + counts["dropped"], REQUESTS * SPANS, "{counts:?}");
    assert!(counts["dropped"] > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_and_one_that_is_not_there_cost_a_count() {
    let refusing = Receiver::http(Behaviour::Refuses).url();
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let absent = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for url in [refusing, absent] {
        let app = app(url.clone()).await;
        ask(&app).await;
        app.stop_tracing().await;
        let counts = counts(&app).await;
        assert_eq!(counts["exported"], 0, "{url}");
        assert!(counts["failed"] > 0, "{counts:?}");
        assert_eq!(counts["failed"] + counts["dropped"], REQUESTS * SPANS, "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_comes_back_gets_what_comes_then() {
    let receiver = Receiver::http(Behaviour::Refuses);
    let app = app(receiver.url()).await;
    ask(&app).await;
    receiver.asked(1).await;
    receiver.behave(Behaviour::Takes);
    app.stop_tracing().await;
    let counts = counts(&app).await;
    assert_eq!(counts["exported"], receiver.received().spans.len() as u64);
    assert!(counts["exported"] > 0);
    assert_eq!(counts.values().sum::<u64>(), REQUESTS * SPANS, "{counts:?}");
}
