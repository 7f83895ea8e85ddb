//! Who decides whether a trace is recorded, and what is handed on of it.

use bunbase::{prelude::*, testing::TestApp};

use super::receiver::{Behaviour, Receiver, attribute, hex};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn app(receiver: &Receiver, sampler: &str, ratio: f64) -> TestApp {
    let app = App::new()
        .config("otlp.endpoint", receiver.url())
        .config("tracing.sampler", sampler)
        .config("tracing.sampling_ratio", ratio);
    TestApp::start(app).await
}

/// Orders something, and returns the `traceparent` that its job has.
async fn handed_on(app: &TestApp, parent: Option<&str>) -> String {
    let request = app.post("/t/telemetry/orders").json(&serde_json::json!({ "number": 0 }));
    let request = match parent {
        Some(parent) => request.header("traceparent", parent),
        None => request,
    };
    request.send().await.assert_status(204);
    let sql = "SELECT traceparent FROM job_queue WHERE action = 'telemetry.ship' ORDER BY id DESC LIMIT 1";
    app.db().sql(sql).scalar().await.unwrap()
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_sends_nothing_and_says_so() {
    let receiver = Receiver::http(Behaviour::Takes);
    let app = app(&receiver, "parentbased_traceidratio", 0.0).await;
    let traceparent = handed_on(&app, None).await;
    assert!(traceparent.starts_with("00-") && traceparent.ends_with("-00"), "{traceparent}");
    app.drain().await;
    app.stop_tracing().await;
    assert_eq!(receiver.received().spans.len(), 0);
}

#[tokio::test]
async fn the_caller_decides_where_it_has_a_trace() {
    let receiver = Receiver::http(Behaviour::Takes);
    let none = app(&receiver, "parentbased_traceidratio", 0.0).await;
    let recorded = handed_on(&none, Some(&format!("00-{TRACE}-00f067aa0ba902b7-01"))).await;
    assert!(recorded.starts_with(&format!("00-{TRACE}-")) && recorded.ends_with("-01"), "{recorded}");
    none.stop_tracing().await;
    let spans = receiver.received().spans;
    let server = spans.iter().find(|span| span.name == "POST /t/telemetry/orders").unwrap();
    assert_eq!((hex(&server.trace_id).as_str(), hex(&server.parent_span_id).as_str()), (TRACE, "00f067aa0ba902b7"));
    let producer = spans.iter().find(|span| span.name == "enqueue telemetry.ship").unwrap();
    assert_eq!(recorded, format!("00-{TRACE}-{}-01", hex(&producer.span_id)));

    let receiver = Receiver::http(Behaviour::Takes);
    let all = app(&receiver, "parentbased_traceidratio", 1.0).await;
    let unrecorded = handed_on(&all, Some(&format!("00-{TRACE}-00f067aa0ba902b7-00"))).await;
    assert!(unrecorded.starts_with(&format!("00-{TRACE}-")) && unrecorded.ends_with("-00"), "{unrecorded}");
    assert!(!unrecorded.contains("00f067aa0ba902b7"), "{unrecorded}");
    all.stop_tracing().await;
    assert_eq!(receiver.received().spans.len(), 0);
}

#[tokio::test]
async fn without_a_parent_based_sampler_the_caller_decides_nothing() {
    let receiver = Receiver::http(Behaviour::Takes);
    let app = app(&receiver, "always_on", 0.0).await;
    let traceparent = handed_on(&app, Some(&format!("00-{TRACE}-00f067aa0ba902b7-00"))).await;
    assert!(traceparent.ends_with("-01"), "{traceparent}");
    app.stop_tracing().await;
    assert!(receiver.received().spans.len() > 3);
}

#[tokio::test]
async fn without_tracing_the_callers_place_is_handed_on() {
    let app = TestApp::start(App::new()).await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    assert_eq!(handed_on(&app, Some(&parent)).await, parent);
    assert!(handed_on(&app, None).await.ends_with("-00"));
}

#[tokio::test]
async fn only_what_is_the_servers_fault_is_an_error_and_built_in_pages_have_no_spans() {
    let receiver = Receiver::http(Behaviour::Takes);
    let app = app(&receiver, "always_on", 1.0).await;
    for (path, status) in [
        ("/t/telemetry/fail/404", 404),
        ("/t/telemetry/fail/503", 503),
        ("/_health/live", 200),
        ("/openapi.json", 200),
        ("/_metrics", 200),
        ("/nothing/here?token=hunter2", 404),
    ] {
        app.get(path).send().await.assert_status(status);
    }
    app.stop_tracing().await;
    let spans = receiver.received().spans;
    let servers: Vec<_> = spans.iter().filter(|span| span.kind == 2).collect();
    let told: Vec<_> = servers
        .iter()
        .map(|span| {
            let status = attribute(&span.attributes, "http.response.status_code").unwrap();
            (span.name.as_str(), status, span.status.as_ref().map_or(0, |status| status.code))
        })
        .collect();
    let route = "GET /t/telemetry/fail/{status}";
    let expected = [(route, "404".to_owned(), 0), (route, "503".to_owned(), 2), ("GET", "404".to_owned(), 0)];
    assert_eq!(told, expected);
    assert_eq!(attribute(&servers[1].attributes, "error.type").unwrap(), "asked_for");
    assert_eq!(attribute(&servers[2].attributes, "url.path").unwrap(), "/nothing/here");
    assert!(!format!("{spans:?}").contains("hunter2"));
}
