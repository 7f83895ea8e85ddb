//! What a whole process sends to its collector, from its start to the signal that ends it.
//!
//! A binary of its own: the subscriber of `tracing` is one for the whole process, and so is the signal.
#![cfg(all(unix, feature = "otlp"))]
#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

#[path = "it/telemetry/receiver.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod receiver;

use bunbase::prelude::*;

use self::receiver::{Behaviour, Receiver, attribute, hex};

bunbase::module!(name = "exported", prefix = "/t/exported");

/// Logs something.
#[action(post = "/say")]
async fn say(word: String) -> Result<()> {
    tracing::info!(word, token = "hunter2", "said Authorization: Basic hunter2");
    Ok(())
}

#[tokio::test]
async fn log_lines_carry_their_run_and_all_of_it_is_there_when_the_process_has_stopped() {
    let receiver = Receiver::http(Behaviour::Takes);
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let app = App::new()
        .config("database.url", format!("sqlite://{}/app.db", folder.path().display()))
        .config("http.port", i64::from(free.port()))
        .config("otlp.endpoint", receiver.url())
        .config("log.format", "json")
        // Nothing is sent before the end.
        .config("tracing.interval", "1h")
        .config("log.otlp_interval", "1h");
    let asking = async {
        let client = reqwest::Client::new();
        let url = format!("http://{free}/t/exported/say");
        let answer = loop {
            match client.post(&url).json(&serde_json::json!({ "word": "hello" })).send().await {
                Ok(answer) => break answer,
                // It does not listen yet.
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(answer.status(), 204);
        let id = std::process::id().to_string();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        answer.headers()["x-trace-id"].to_str().unwrap().to_owned()
    };
    let (stopped, trace) = tokio::join!(app.serve(), asking);
    stopped.unwrap();

    let got = receiver.received();
    let text = |body: &opentelemetry_proto::tonic::logs::v1::LogRecord| format!("{:?}", body.body);
    let said = got.logs.iter().find(|record| text(record).contains("said ")).unwrap();
    assert_eq!(hex(&said.trace_id), trace);
    let attempt = got.spans.iter().find(|span| span.span_id == said.span_id).unwrap();
    assert_eq!(attempt.name, "attempt");
    let server = got.spans.iter().find(|span| span.name == "POST /t/exported/say").unwrap();
    for (key, value) in [
        ("word", "hello"),
        ("token", "[sensitive]"),
        ("bunbase.action", "exported.say"),
        ("bunbase.run_id", &hex(&server.span_id)),
    ] {
        assert_eq!(attribute(&said.attributes, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!((said.severity_text.as_str(), said.flags), ("INFO", 1));
    assert!(!format!("{got:?}").contains("hunter2"));
    // The last thing that a process says.
    assert!(got.logs.iter().any(|record| text(record).contains("\"stopped\"")), "{:?}", got.logs);
}
