//! What an application asks of others is part of the trace.

use bunbase::{observe::trace::Outgoing, prelude::*, testing::ListeningApp};

use super::receiver::{Behaviour, Receiver, attribute, hex};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Answers what it was told of the trace.
#[action(get = "/told")]
async fn told(
    #[header("traceparent")] parent: Option<String>,
    #[header("tracestate")] state: Option<String>,
) -> Result<String> {
    Ok(format!("{} {}", parent.unwrap_or_default(), state.unwrap_or_default()))
}

/// Asks somebody.
#[action(get = "/ask")]
async fn ask(url: String) -> Result<String> {
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(Outgoing).build();
    let answer = client.get(url).send().await.map_err(bunbase::Error::internal)?;
    answer.json().await.map_err(bunbase::Error::internal)
}

async fn asked(receiver: &Receiver, flags: &str) -> String {
    let app = App::new().config("otlp.endpoint", receiver.url()).config("log.otlp", false);
    let app = ListeningApp::start(app).await;
    let url = app.url("/t/telemetry/told?token=hunter2").replace("http://", "http://ann:hunter2@");
    let request = reqwest::Client::new().get(app.url("/t/telemetry/ask")).query(&[("url", url)]);
    let request = request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
    let answer = request.header("tracestate", "vendor=a:1").header("tracestate", "other=2").send().await.unwrap();
    let text: String = answer.json().await.unwrap();
    app.stop().await.unwrap();
    text
}

#[tokio::test]
async fn a_request_of_the_application_has_a_span_and_hands_the_trace_on() {
    let receiver = Receiver::http(Behaviour::Takes);
    let text = asked(&receiver, "01").await;
    let spans = receiver.received().spans;
    let client = spans.iter().find(|span| span.name == "GET").unwrap();
    assert_eq!(text, format!("00-{TRACE}-{}-01 vendor=a:1,other=2", hex(&client.span_id)));
    let server = spans.iter().find(|span| span.name == "GET /t/telemetry/told").unwrap();
    assert_eq!(server.parent_span_id, client.span_id);
    let url = attribute(&client.attributes, "url.full").unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/t/telemetry/told?token=REDACTED"), "{url}");
    assert_eq!(attribute(&client.attributes, "http.response.status_code").unwrap(), "200");
    assert!(!format!("{spans:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_is_handed_on_as_such() {
    let receiver = Receiver::http(Behaviour::Takes);
    let text = asked(&receiver, "00").await;
    assert!(text.starts_with(&format!("00-{TRACE}-")) && text.ends_with("-00 vendor=a:1,other=2"), "{text}");
    assert_eq!(receiver.received().spans.len(), 0);
}
