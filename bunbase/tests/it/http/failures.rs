//! How runs fail: timeouts, panics, hidden causes, typed errors, and the trace that every answer names.

use bunbase::{
    Error,
    error::Retry,
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use serde_json::{Value, json};

bunbase::module!(prefix = "/t/failures");

/// How things go wrong here.
#[derive(ActionError, Debug)]
enum Failure {
    /// It is full.
    #[error(status = 409, code = "shelf_full", "the shelf holds at most {most}")]
    Full { most: u32 },
    /// It is too busy.
    #[error(status = 429, code = "too_busy", "come back later")]
    Busy,
    /// It is away.
    #[error(status = 503, code = "shelf_away", "the shelf is away")]
    Away,
    #[error(internal)]
    Io(#[from] std::io::Error),
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// Fails as it is told to.
#[action(post = "/fail/{how}")]
async fn fail(how: String) -> Result<(), Failure> {
    Err(match how.as_str() {
        "full" => Failure::Full { most: 3 },
        "busy" => Failure::Busy,
        "away" => Failure::Away,
        "io" => Failure::Io(std::io::Error::other("secret path")),
        "slow_down" => {
            Error::new(429, "slow_down", "slower").retry(Retry::After(std::time::Duration::from_secs(7))).into()
        }
        "lock" => Error::new(423, "locked", "locked").into(),
        _ => panic!("secret words"),
    })
}

/// Never answers.
#[action(post = "/never", timeout = "50ms")]
async fn never() -> Result<()> {
    std::future::pending().await
}

/// Cannot be written.
#[derive(Clone, Debug)]
struct Explosive;

impl serde::Serialize for Explosive {
    fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        panic!("secret words")
    }
}

impl bunbase::action::Output for Explosive {
    fn describe(generator: &mut bunbase::schema::Generator) -> bunbase::action::OutputDoc {
        String::describe(generator)
    }

    fn reply(self) -> Result<bunbase::action::Reply> {
        bunbase::action::Reply::json(200, &self)
    }
}

/// Panics while the answer is written.
#[action(get = "/explosive")]
async fn explode() -> Result<Explosive> {
    Ok(Explosive)
}

/// Panics instead of checking.
#[derive(Clone)]
struct Nervous;

impl Guard for Nervous {
    type Error = Error;

    async fn check(&self, _ctx: &Ctx) -> Result<()> {
        panic!("secret words")
    }
}

/// Is guarded by a guard that panics.
#[action(get = "/nervous", guards = [Nervous])]
async fn frighten() -> Result<()> {
    Ok(())
}

/// Says which trace it belongs to.
#[action(get = "/trace")]
async fn trace(ctx: Ctx) -> Result<String> {
    Ok(ctx.trace_id().to_string())
}

#[tokio::test]
async fn typed_errors_have_their_status_code_and_text() {
    let app = TestApp::start(App::new()).await;
    let problem: Value = app.post("/t/failures/fail/full").send().await.assert_status(409).json();
    assert_eq!((&problem["code"], &problem["detail"]), (&json!("shelf_full"), &json!("the shelf holds at most 3")));
    assert_eq!(app.post("/t/failures/fail/lock").send().await.assert_status(423).code(), "locked");
}

#[tokio::test]
async fn who_should_come_back_is_told_when() {
    let app = TestApp::start(App::new()).await;
    for (how, status, after) in [("busy", 429, "1"), ("away", 503, "1"), ("slow_down", 429, "7")] {
        let answer = app.post(&format!("/t/failures/fail/{how}")).send().await.assert_status(status);
        assert_eq!(answer.header("retry-after"), Some(after), "{how}");
    }
}

#[tokio::test]
async fn causes_and_panics_stay_inside_and_the_server_goes_on() {
    let app = TestApp::start(App::new()).await;
    for (method, path) in [("POST", "fail/io"), ("POST", "fail/panic"), ("GET", "explosive"), ("GET", "nervous")] {
        let answer = app.request(method, &format!("/t/failures/{path}")).send().await.assert_status(500);
        assert_eq!(answer.code(), "internal");
        assert!(!answer.text().contains("secret"), "{answer}");
        assert_eq!(answer.json::<Value>()["trace_id"].as_str(), answer.header("x-trace-id"));
    }
    app.get("/t/failures/trace").send().await.assert_status(200);
}

#[tokio::test]
async fn a_panic_does_not_end_the_connection() {
    let app = ListeningApp::start(App::new()).await;
    let client = reqwest::Client::new();
    for _ in 0..8 {
        let answer = client.post(app.url("/t/failures/fail/panic")).send().await.unwrap();
        assert_eq!(answer.status(), 500);
    }
    assert_eq!(client.get(app.url("/t/failures/trace")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_takes_too_long_is_504() {
    let app = TestApp::start(App::new()).await;
    let answer = super::soon("the timeout", app.post("/t/failures/never").send()).await.assert_status(504);
    assert_eq!(answer.code(), "timeout");
}

#[tokio::test]
async fn a_trace_is_taken_up_or_begun() {
    let app = TestApp::start(App::new()).await;
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{id}-00f067aa0ba902b7-01");
    let answer = app.get("/t/failures/trace").header("traceparent", &parent).send().await.assert_status(200);
    assert_eq!((answer.header("x-trace-id"), answer.json::<String>().as_str()), (Some(id), id));
    for broken in ["nonsense", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""] {
        let answer = app.get("/t/failures/trace").header("traceparent", broken).send().await.assert_status(200);
        let own = answer.header("x-trace-id").unwrap().to_owned();
        assert!(own.len() == 32 && own != id && own == answer.json::<String>(), "{own}");
    }
}

#[tokio::test]
async fn every_answer_names_its_trace() {
    let app = TestApp::start(App::new()).await;
    for (method, path) in [
        ("GET", "/nowhere"),
        ("PUT", "/t/failures/trace"),
        ("OPTIONS", "/t/failures/trace"),
        ("GET", "/_health"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
    ] {
        let answer = app.request(method, path).send().await;
        assert_eq!(answer.header("x-trace-id").map(str::len), Some(32), "{method} {path}");
    }
}
