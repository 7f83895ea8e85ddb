//! Every span of a thousand requests, from the request to the subscriber of an event, arrives and has its place.

use std::collections::{BTreeMap, BTreeSet};

use bunbase::{prelude::*, testing::ListeningApp};
use futures_util::{StreamExt, stream};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};

use super::{
    TOLD,
    receiver::{Behaviour, Receiver, attribute, hex},
};

const REQUESTS: usize = 1000;

/// The spans of a trace by what they are called, each with its parent's name; statements aside.
fn shape(spans: &[&Span]) -> BTreeMap<String, String> {
    let names: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id.as_slice(), span.name.as_str())).collect();
    let parent = |span: &Span| match names.get(span.parent_span_id.as_slice()) {
        Some(name) => (*name).to_owned(),
        None if span.parent_span_id.is_empty() => String::new(),
        None => panic!("the parent of {span:?} is not there"),
    };
    let mut shape = BTreeMap::new();
    for span in spans.iter().filter(|span| span.kind != SpanKind::Client as i32) {
        // Each run has these: they are told apart by whose they are.
        let name = match span.name.as_str() {
            name @ ("attempt" | "decode") => format!("{name} of {}", parent(span)),
            name => name.to_owned(),
        };
        assert_eq!(shape.insert(name, parent(span)), None, "{} is there twice", span.name);
    }
    shape
}

async fn every_span_arrives(receiver: Receiver, protocol: &str) {
    let before = *TOLD.borrow();
    let app = App::new()
        .config("otlp.endpoint", receiver.url())
        .config("otlp.protocol", protocol)
        .config("otlp.headers", ["x-team=blue"])
        .config("otlp.service_name", "orders")
        .config("tracing.queue_size", 100_000);
    let app = ListeningApp::start(app).await;
    let client = reqwest::Client::new();
    let ask = async |number: usize| {
        let url = app.url("/t/telemetry/orders?secret=hunter2");
        let answer = client.post(url).json(&serde_json::json!({ "number": number + 1 })).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        answer.headers()["x-trace-id"].to_str().unwrap().to_owned()
    };
    let ids: BTreeSet<String> = stream::iter(0..REQUESTS).map(ask).buffer_unordered(16).collect().await;
    assert_eq!(ids.len(), REQUESTS);
    TOLD.subscribe().wait_for(|told| *told >= before + REQUESTS).await.unwrap();
    app.stop().await.unwrap();

    let got = receiver.received();
    assert!(got.headers.contains(&("x-team".to_owned(), "blue".to_owned())));
    assert_eq!(attribute(&got.resources[0].attributes, "service.name").unwrap(), "orders");
    let mut traces: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for span in &got.spans {
        traces.entry(hex(&span.trace_id)).or_default().push(span);
    }
    assert_eq!(traces.keys().cloned().collect::<BTreeSet<_>>(), ids);
    let expected = [
        ("POST /t/telemetry/orders", ""),
        ("decode of POST /t/telemetry/orders", "POST /t/telemetry/orders"),
        ("attempt of POST /t/telemetry/orders", "POST /t/telemetry/orders"),
        ("telemetry.check", "attempt"),
        ("decode of telemetry.check", "telemetry.check"),
        ("attempt of telemetry.check", "telemetry.check"),
        ("enqueue telemetry.ship", "attempt"),
        ("telemetry.ship", "enqueue telemetry.ship"),
        ("decode of telemetry.ship", "telemetry.ship"),
        ("attempt of telemetry.ship", "telemetry.ship"),
        ("emit telemetry.shipped", "attempt"),
        ("telemetry.tell", "emit telemetry.shipped"),
        ("decode of telemetry.tell", "telemetry.tell"),
        ("attempt of telemetry.tell", "telemetry.tell"),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(name, parent)| (name.to_owned(), parent.to_owned())).into();
    for (id, spans) in &traces {
        assert_eq!(shape(spans), expected, "{id}");
    }
    the_words_are_those_of_the_conventions(traces.values().next().unwrap());
}

fn the_words_are_those_of_the_conventions(spans: &[&Span]) {
    let named =
        |name: &str| *spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let has = |span: &Span, pairs: &[(&str, &str)]| {
        for (key, value) in pairs {
            assert_eq!(attribute(&span.attributes, key).as_deref(), Some(*value), "{key} of {}", span.name);
        }
    };
    let server = named("POST /t/telemetry/orders");
    assert_eq!(server.kind, SpanKind::Server as i32);
    has(
        server,
        &[
            ("http.request.method", "POST"),
            ("http.route", "/t/telemetry/orders"),
            ("http.response.status_code", "204"),
            ("url.path", "/t/telemetry/orders"),
            ("url.scheme", "http"),
            ("server.address", "127.0.0.1"),
            ("client.address", "127.0.0.1"),
            ("network.protocol.version", "1.1"),
            ("bunbase.action", "telemetry.order"),
            ("bunbase.door", "http"),
        ],
    );
    assert_eq!(server.status.as_ref().map_or(0, |status| status.code), StatusCode::Unset as i32);
    let producer = named("enqueue telemetry.ship");
    assert_eq!(producer.kind, SpanKind::Producer as i32);
    has(producer, &[("messaging.system", "bunbase"), ("messaging.operation.type", "send")]);
    let consumer = named("telemetry.ship");
    assert_eq!(consumer.kind, SpanKind::Consumer as i32);
    has(
        consumer,
        &[("messaging.system", "bunbase"), ("messaging.destination.name", "default"), ("bunbase.door", "job")],
    );
    let id = attribute(&producer.attributes, "messaging.message.id");
    assert_eq!(attribute(&consumer.attributes, "messaging.message.id"), id);
    assert_eq!(consumer.links[0].span_id, producer.span_id);
    assert_eq!(named("telemetry.tell").links[0].span_id, named("emit telemetry.shipped").span_id);
    let select = named("SELECT");
    assert_eq!(select.kind, SpanKind::Client as i32);
    has(select, &[("db.operation.name", "SELECT"), ("db.query.text", "SELECT ? WHERE $1 > ?")]);
    assert!(["sqlite", "postgresql"].contains(&attribute(&select.attributes, "db.system.name").unwrap().as_str()));
    for span in spans {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
        assert!(!format!("{span:?}").contains("hunter2"), "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_of_a_thousand_requests_arrives_over_http_and_over_grpc() {
    // One after the other: they count the same orders.
    every_span_arrives(Receiver::http(Behaviour::Takes), "http/protobuf").await;
    every_span_arrives(Receiver::grpc().await, "grpc").await;
}
