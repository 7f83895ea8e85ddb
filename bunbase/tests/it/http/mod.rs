//! The HTTP door: requests against real actions, answers held against the document.
//!
//! Here: what a client sees. Each module has a prefix of its own, because all actions of this binary share one registry. What needs
//! a real connection (streams, clients that leave, shutdown) is in the modules that start a `ListeningApp`.

mod answers;
mod bodies;
mod browser;
mod cors;
mod database;
mod debug;
mod documents;
mod failures;
mod forms;
mod guards;
mod headers;
mod health;
mod hostile;
#[cfg(feature = "http2")]
mod http2;
mod lifecycle;
mod limits;
mod log;
mod metrics;
mod mounts;
mod origins;
mod pages;
mod replicas;
mod routing;
mod streams;
mod texts;
pub(crate) mod tls;
mod values;
mod wire;

use std::time::Duration;

use bunbase::testing::TestResponse;
use serde_json::Value;

/// Returns `in pointer code` of each wrong field of a 422.
#[track_caller]
fn mistakes(answer: &TestResponse) -> Vec<String> {
    assert_eq!((answer.status(), answer.code().as_str()), (422, "invalid_input"), "the body is: {answer}");
    let body: Value = answer.json();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    let errors = body["errors"].as_array().unwrap().iter();
    errors.map(|error| format!("{} {} {}", text(error, "in"), text(error, "pointer"), text(error, "code"))).collect()
}

/// Waits for something that must happen soon.
pub(crate) async fn soon<T>(what: &str, work: impl IntoFuture<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), work).await;
    waited.unwrap_or_else(|_| panic!("this did not happen within 20 s: {what}"))
}
