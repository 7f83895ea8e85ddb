//! What is remembered of runs: what they log, get and answer, behind every door.
//!
//! A binary of its own: the subscriber of `tracing` is one for the whole process.
#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

use std::sync::Once;

use bunbase::{
    action::Action,
    prelude::*,
    runs::{
        RunLog,
        read::{self, StoredLine, StoredRun},
    },
    testing::TestApp,
};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

bunbase::module!(name = "runs", prefix = "/t/runs");

/// Somebody, with a secret.
#[schema]
struct Person {
    name: String,
    #[sensitive]
    pin: Option<String>,
    friends: Vec<Person>,
}

/// Says what it does.
#[action(post = "/say")]
async fn say(word: String) -> Result<String> {
    tracing::info!(word, length = word.len(), "said");
    tokio::task::yield_now().await;
    tracing::warn!(target: "elsewhere", password = "hunter2", "and said again");
    Ok(word)
}

/// Has another one say it, and logs before and after.
#[action(post = "/pass-on", event = "runs.heard")]
async fn pass_on(ctx: Ctx, word: String) -> Result<String> {
    tracing::info!("before");
    let said = ctx.call(Say::new(word)).await?;
    tracing::info!("after");
    Ok(said)
}

/// Computes on another thread.
#[action(post = "/compute", cpu)]
fn compute() -> Result<()> {
    tracing::info!("computed");
    Ok(())
}

/// Fails for a cause that nobody is told.
#[action(post = "/fail", retry(attempts = 2, base = "1ms"))]
async fn fail(ctx: Ctx, status: u16) -> Result<()> {
    tracing::info!(attempt = ctx.attempt(), "trying");
    match status {
        500 => Err(bunbase::Error::internal("the disk is full")),
        599 => panic!("out of luck"),
        status => Err(bunbase::Error::new(status, "refused", "no; Authorization: Bearer hunter2hunter2")),
    }
}

/// Takes and gives secrets in every place.
#[action(post = "/secrets", status = 201)]
async fn secrets(
    #[header("X-Api-Key")] key: Option<String>,
    #[header("X-Plain")] plain: String,
    #[cookie] session: String,
    #[sensitive] password: String,
    person: Person,
) -> Result<WithCookie> {
    let _ = (key, plain, session, password);
    Ok(WithCookie { person, access_token: "hunter2".to_owned(), kept: "hunter2".to_owned() })
}

/// An answer with a cookie.
#[schema]
struct WithCookie {
    person: Person,
    access_token: String,
    #[cookie]
    kept: String,
}

/// Logs more than anybody reads.
#[action(post = "/chatter")]
async fn chatter() -> Result<()> {
    (0..5000).for_each(|number| tracing::info!(number, "chatter"));
    Ok(())
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(RunLog::new());
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

async fn start(app: App) -> TestApp {
    listen();
    TestApp::start(app).await
}

/// Returns the runs of an action, in the order in which they ended, each with its lines.
async fn recorded<A: Action>(app: &TestApp) -> Vec<(StoredRun, Vec<StoredLine>)> {
    let action = app.runs::<A>().await.first().map(|run| run.action.clone());
    let Some(action) = action else { return Vec::new() };
    let mut runs = read::latest(app.db(), Some(&action), false, 1000).await.unwrap();
    runs.sort_by_key(|run| run.id);
    let mut all = Vec::new();
    for run in runs {
        let lines = read::lines(app.db(), run.id).await.unwrap();
        all.push((run, lines));
    }
    all
}

fn messages(lines: &[StoredLine]) -> Vec<&str> {
    lines.iter().map(|line| line.message.as_str()).collect()
}

#[tokio::test]
async fn what_a_run_logs_is_part_of_its_record_and_of_no_other() {
    let app = start(App::new()).await;
    app.post("/t/runs/pass-on").json(&json!({ "word": "hello" })).send().await;
    let passed_on = recorded::<PassOn>(&app).await;
    assert_eq!(passed_on.len(), 1);
    assert_eq!(messages(&passed_on[0].1), ["before", "after"]);
    let said = recorded::<Say>(&app).await;
    let [(run, lines)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((run.door.as_str(), &run.trace_id), ("call", &passed_on[0].0.trace_id));
    assert_eq!(messages(lines), ["said", "and said again"]);
    assert_eq!((lines[0].level.as_str(), lines[0].target.as_str(), lines[0].line), ("info", "runs", 1));
    let fields: Value = serde_json::from_str(lines[0].fields.as_deref().unwrap()).unwrap();
    assert_eq!(fields, json!({ "word": "hello", "length": 5 }));
    assert_eq!((lines[1].level.as_str(), lines[1].target.as_str(), lines[1].line), ("warn", "elsewhere", 2));
    assert_eq!(lines[1].fields.as_deref(), Some(r#"{"password":"[sensitive]"}"#));
    let trace = format!("SELECT count(*) FROM action_logs WHERE trace_id = '{}'", run.trace_id);
    assert_eq!(app.db().sql(&trace).scalar::<i64>().await.unwrap(), 4);
}

#[tokio::test]
async fn it_is_so_behind_every_door_and_on_other_threads() {
    let app = start(App::new()).await;
    app.call(EnqueueAll {}).await.unwrap();
    app.drain().await;
    let doors: Vec<_> = recorded::<PassOn>(&app).await;
    let doors: Vec<_> = doors.iter().map(|(run, lines)| (run.door.as_str(), messages(lines))).collect();
    let expected = ["event", "job"].map(|door| (door, vec!["before", "after"]));
    let mut sorted = doors.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(messages(&recorded::<Compute>(&app).await[0].1), ["computed"]);
}

/// Stores a job of each kind.
#[action(post = "/enqueue")]
async fn enqueue_all(ctx: Ctx) -> Result<()> {
    ctx.enqueue(PassOn::new("a".to_owned())).await?;
    ctx.enqueue(Compute {}).await?;
    ctx.emit("runs.heard", &json!({ "word": "b" })).await?;
    Ok(())
}

#[tokio::test]
async fn the_cause_of_a_failure_is_in_the_log_of_its_run_and_all_attempts_are() {
    let app = start(App::new()).await;
    for status in [500, 599, 503, 409] {
        app.post("/t/runs/fail").json(&json!({ "status": status })).send().await;
    }
    app.call(Fail::new(500)).await.unwrap_err();
    let runs = recorded::<Fail>(&app).await;
    let of = |index: usize| (runs[index].0.status.as_str(), messages(&runs[index].1));
    let twice = |last| vec!["trying", "trying", last];
    assert_eq!(of(0), ("failed", twice("a request failed")));
    assert!(runs[0].1[2].fields.as_ref().unwrap().contains("the disk is full"), "{runs:?}");
    assert_eq!(of(1), ("panicked", twice("a request failed")));
    assert!(runs[1].1[2].fields.as_ref().unwrap().contains("out of luck"), "{runs:?}");
    assert_eq!(of(2), ("failed", twice("a request failed")));
    assert_eq!(of(3), ("failed", vec!["trying"]));
    assert_eq!(runs[3].0.error.as_deref(), Some("no; Authorization: [sensitive]"));
    assert_eq!(of(4), ("failed", twice("the run failed")));
}

#[tokio::test]
async fn inputs_and_answers_are_recorded_where_that_is_asked_for_and_secrets_never() {
    let body = json!({
        "password": "hunter2",
        "person": { "name": "ann", "pin": "hunter2", "friends": [{ "name": "bob", "pin": "hunter2", "friends": [] }] },
    });
    let send = async |app: &TestApp| {
        let request =
            app.post("/t/runs/secrets").header("authorization", "Basic hunter2").header("x-api-key", "hunter2");
        let request = request.header("x-plain", "plain").header("cookie", "session=hunter2");
        assert_eq!(request.json(&body).send().await.status(), 201);
        let (run, lines) = recorded::<Secrets>(app).await.remove(0);
        assert!(!format!("{run:?}{lines:?}").contains("hunter2"), "{run:?}{lines:?}");
        run
    };
    let silent = send(&start(App::new()).await).await;
    assert_eq!((silent.input, silent.output), (None, None));
    let app = start(App::new().config("persistence.inputs", true).config("persistence.outputs", true)).await;
    let run = send(&app).await;
    let json = |text: Option<String>| serde_json::from_str::<Value>(&text.unwrap()).unwrap();
    let hidden = "[sensitive]";
    let person = json!({ "name": "ann", "pin": hidden, "friends": [{ "name": "bob", "pin": hidden, "friends": [] }] });
    assert_eq!(
        json(run.input),
        json!({ "key": hidden, "plain": "plain", "session": hidden, "password": hidden, "person": person })
    );
    assert_eq!(json(run.output), json!({ "person": person, "access_token": hidden }));
    // What was not decoded is not recorded: nobody knows what is sensitive in it.
    app.post("/t/runs/say").json(&json!({ "word": "a", "more": "hunter2" })).send().await;
    app.post("/t/runs/say").json(&json!({ "word": "a" })).send().await;
    let said = recorded::<Say>(&app).await;
    assert_eq!((said[0].0.status.as_str(), &said[0].0.input), ("failed", &None));
    assert_eq!((said[1].0.input.as_deref(), said[1].0.output.as_deref()), (Some(r#"{"word":"a"}"#), Some(r#""a""#)));
}

#[tokio::test]
async fn a_run_that_logs_without_end_is_bounded() {
    let app = start(App::new()).await;
    app.post("/t/runs/chatter").send().await;
    let runs = recorded::<Chatter>(&app).await;
    let lines = &runs[0].1;
    assert_eq!(lines.len(), 901);
    assert_eq!(lines[900].message, "4100 more lines were logged, and are left out");
}

#[tokio::test]
async fn a_sample_keeps_failures_and_what_logged_an_error() {
    let app = start(App::new().config("persistence.sample", 0.0)).await;
    for status in [404, 500] {
        app.post("/t/runs/fail").json(&json!({ "status": status })).send().await;
    }
    app.post("/t/runs/say").json(&json!({ "word": "a" })).send().await;
    assert_eq!(recorded::<Fail>(&app).await.len(), 2);
    assert_eq!(recorded::<Say>(&app).await.len(), 0);
    let slow = start(App::new().config("persistence.sample", 0.0).config("persistence.slow", "0s")).await;
    slow.post("/t/runs/say").json(&json!({ "word": "a" })).send().await;
    assert_eq!(recorded::<Say>(&slow).await.len(), 1, "all runs are slow here");
}

#[tokio::test]
async fn logs_and_records_can_be_switched_off() {
    let app = start(App::new().config("persistence.log_level", "off")).await;
    app.post("/t/runs/say").json(&json!({ "word": "a" })).send().await;
    let said = recorded::<Say>(&app).await;
    assert_eq!((said.len(), said[0].1.len()), (1, 0));
    let app = start(App::new().config("persistence.enabled", false)).await;
    app.post("/t/runs/say").json(&json!({ "word": "a" })).send().await;
    assert_eq!(recorded::<Say>(&app).await.len(), 0);
}
