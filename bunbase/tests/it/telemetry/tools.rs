//! A call of a tool is a span of its own, below whoever says so: the request's header, or the message.

use bunbase::{prelude::*, testing::TestApp};
use serde_json::json;

use super::receiver::{Behaviour, Receiver, attribute, hex};
use crate::mcp::{call, message, newest, result};

/// Counts.
#[action(tool = "telemetry-count")]
async fn count(to: i64) -> Result<i64> {
    Ok(to)
}

#[tokio::test]
async fn the_call_of_a_tool_is_below_the_header_or_the_message() {
    let receiver = Receiver::http(Behaviour::Takes);
    let app = TestApp::start(App::new().config("otlp.endpoint", receiver.url())).await;
    let parent = |digit: &str| format!("00-{}-00f067aa0ba902b7-01", digit.repeat(32));
    result(call(&app, "telemetry-count", &json!({ "to": 1 })).header("traceparent", &parent("a")).send().await);
    let mut said = message("tools/call", json!({ "name": "telemetry-count", "arguments": { "to": 2 } }));
    said["params"]["_meta"]["traceparent"] = parent("b").into();
    result(newest(&app, "tools/call", Some("telemetry-count")).json(&said).send().await);
    app.stop_tracing().await;
    let spans = receiver.received().spans;
    let tools: Vec<_> = spans.iter().filter(|span| span.name == "tools/call telemetry-count").collect();
    let traces: Vec<_> = tools.iter().map(|span| hex(&span.trace_id)).collect();
    assert_eq!(traces, ["a".repeat(32), "b".repeat(32)]);
    for span in tools {
        assert_eq!((span.kind, hex(&span.parent_span_id).as_str()), (2, "00f067aa0ba902b7"));
        for (key, value) in [
            ("mcp.method.name", "tools/call"),
            ("gen_ai.tool.name", "telemetry-count"),
            ("bunbase.action", "telemetry.count"),
        ] {
            assert_eq!(attribute(&span.attributes, key).as_deref(), Some(value), "{key}");
        }
    }
}
