//! Calls with a key: the first one's answer, byte for byte, and its effect once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bunbase::{
    Error,
    prelude::*,
    testing::{ListeningApp, TestApp, TestRequest},
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use super::soon;

bunbase::module!(name = "idempotency", prefix = "/t/idempotency");

const KEYS: [&str; 2] = ["let-me-in-please-0123456789", "me-too-me-too-me-too-01234567"];

/// How often handlers have begun.
#[derive(Clone, Default)]
struct Begun(Arc<AtomicU32>);

/// A payment that was made.
#[schema]
struct Paid {
    amount: i64,
    number: u32,
    trace: String,
}

#[derive(ActionError, Debug)]
enum PayError {
    /// The bank does not want to.
    #[error(status = 402, code = "declined", "the bank declines {0}")]
    Declined(i64),
    /// The bank is away.
    #[error(status = 503, code = "bank_away", "the bank is away")]
    Away,
    #[error(framework)]
    Other(#[from] Error),
}

/// Pays, unless the purpose says otherwise.
#[action(post = "/pay", status = 201, idempotent, timeout = "1s")]
async fn pay(
    ctx: Ctx,
    #[guard] _caller: Option<ApiKey>,
    amount: i64,
    purpose: Option<String>,
) -> Result<Created<Paid>, PayError> {
    let number = ctx.state::<Begun>()?.0.fetch_add(1, Ordering::SeqCst) + 1;
    ctx.sql("INSERT INTO payment (amount) VALUES ($1)").bind(amount).execute().await?;
    match purpose.as_deref() {
        Some("declined") => return Err(PayError::Declined(amount)),
        Some("away") => return Err(PayError::Away),
        Some("panic") => panic!("the bank burns"),
        Some("slow") => std::future::pending().await,
        _ => {}
    }
    Ok(Created::at(format!("/payments/{number}"), Paid { amount, number, trace: ctx.trace_id().to_string() }))
}

/// Writes nothing.
#[action(post = "/look", idempotent)]
async fn look(ctx: Ctx) -> Result<u32> {
    Ok(ctx.state::<Begun>()?.0.fetch_add(1, Ordering::SeqCst) + 1)
}

/// Books what it is told: as a job, or on an event.
#[action(event = "idempotency.booked", idempotent, retry(attempts = 3, base = "10s", jitter = none))]
async fn book(ctx: Ctx, amount: i64, fail_until: Option<u32>) -> Result<()> {
    ctx.state::<Begun>()?.0.fetch_add(1, Ordering::SeqCst);
    ctx.sql("INSERT INTO payment (amount) VALUES ($1)").bind(amount).execute().await?;
    if ctx.attempt() < fail_until.unwrap_or_default() { Err(Error::new(503, "away", "away")) } else { Ok(()) }
}

/// Books later.
#[action]
async fn book_later(ctx: Ctx, amount: i64, fail_until: Option<u32>) -> Result<()> {
    ctx.enqueue(Book { amount, fail_until }).await?;
    Ok(())
}

/// Tells that something is to be booked.
#[action]
async fn tell_bookers(ctx: Ctx, amount: i64) -> Result<()> {
    ctx.emit("idempotency.booked", &json!({ "amount": amount })).await?;
    Ok(())
}

/// Holds runs until the test lets them go.
#[derive(Clone)]
struct Gate {
    begun: watch::Sender<u32>,
    open: Arc<Semaphore>,
}

/// Waits at the gate.
#[action(post = "/wait", idempotent)]
async fn wait(ctx: Ctx, amount: i64) -> Result<String> {
    let gate = ctx.state::<Gate>()?;
    gate.begun.send_modify(|begun| *begun += 1);
    let _permit = gate.open.acquire().await;
    ctx.sql("INSERT INTO payment (amount) VALUES ($1)").bind(amount).execute().await?;
    Ok(ctx.trace_id().to_string())
}

const TABLE: &str = "CREATE TABLE payment (amount BIGINT NOT NULL)";

async fn start() -> (TestApp, Begun) {
    let begun = Begun::default();
    let keys = ApiKeys::new().with("ann", KEYS[0]).with("bob", KEYS[1]);
    let app = TestApp::start(App::new().state(begun.clone()).state(keys)).await;
    app.db().sql(TABLE).execute().await.unwrap();
    (app, begun)
}

fn post<'a>(app: &'a TestApp, key: &str, body: &Value) -> TestRequest<'a> {
    app.post("/t/idempotency/pay").header("idempotency-key", key).json(body)
}

async fn payments(app: &TestApp) -> i64 {
    app.db().sql("SELECT count(*) FROM payment").scalar().await.unwrap()
}

#[tokio::test]
async fn the_same_key_gets_the_same_bytes() {
    let (app, begun) = start().await;
    let body = json!({"amount": 5});
    let first = post(&app, "k-1", &body).send().await.assert_status(201);
    assert_eq!(first.header("idempotent-replayed"), None);
    // Quoted, as the draft has it, and written in another way.
    let again = post(&app, "\"k-1\"", &body).body("{ \"purpose\": null,\n \"amount\": 5 }").send().await;
    let again = again.assert_status(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.bytes(), first.bytes());
    for name in ["location", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!((begun.0.load(Ordering::SeqCst), payments(&app).await), (1, 1));
    post(&app, "k-2", &body).send().await.assert_status(201);
    app.post("/t/idempotency/pay").json(&body).send().await.assert_status(201);
    assert_eq!(payments(&app).await, 3);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let (app, _) = start().await;
    post(&app, "k-1", &json!({"amount": 5})).send().await.assert_status(201);
    let refused = post(&app, "k-1", &json!({"amount": 6})).send().await.assert_status(422);
    assert_eq!((refused.code().as_str(), payments(&app).await), ("idempotency_mismatch", 1));
}

#[tokio::test]
async fn a_key_that_is_none_is_told() {
    let (app, begun) = start().await;
    for key in ["", "two words", &"x".repeat(256), "\"open"] {
        let refused = post(&app, key, &json!({"amount": 5})).send().await.assert_status(422);
        assert_eq!(refused.code(), "idempotency_key", "{key}");
    }
    assert_eq!(begun.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn each_caller_has_keys_of_his_own() {
    let (app, _) = start().await;
    let by = |key: &str| post(&app, "k-1", &json!({"amount": 5})).header("x-api-key", key).send();
    let (ann, bob) = (by(KEYS[0]).await.assert_status(201), by(KEYS[1]).await.assert_status(201));
    let nobody = post(&app, "k-1", &json!({"amount": 6})).send().await.assert_status(201);
    assert!([&ann, &bob, &nobody].iter().all(|answer| answer.header("idempotent-replayed").is_none()));
    assert_ne!(ann.bytes(), bob.bytes());
    assert_eq!(by(KEYS[0]).await.assert_status(201).bytes(), ann.bytes());
    assert_eq!(payments(&app).await, 3);
}

#[tokio::test]
async fn an_error_of_the_callers_is_replayed_and_leaves_nothing() {
    let (app, begun) = start().await;
    let body = json!({"amount": 5, "purpose": "declined"});
    let first = post(&app, "k-1", &body).send().await.assert_status(402);
    let again = post(&app, "k-1", &body).send().await.assert_status(402);
    assert_eq!(again.text(), first.text(), "with the trace id under which the log knows it");
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((begun.0.load(Ordering::SeqCst), payments(&app).await), (1, 0));
}

#[tokio::test]
async fn what_another_attempt_may_not_meet_again_is_not_kept() {
    let (app, begun) = start().await;
    for (number, (purpose, status)) in [("away", 503), ("panic", 500), ("slow", 504)].into_iter().enumerate() {
        let body = json!({"amount": 5, "purpose": purpose});
        for attempt in 1..=2_u32 {
            // A key of a run that was dropped is given back in the background.
            let answer = soon("the answer", post(&app, purpose, &body).send()).await.assert_status(status);
            assert_eq!(answer.header("idempotent-replayed"), None);
            assert_eq!(begun.0.load(Ordering::SeqCst), u32::try_from(number).unwrap() * 2 + attempt, "{purpose}");
        }
    }
    assert_eq!(payments(&app).await, 0);
    let kept: i64 = app.db().sql("SELECT count(*) FROM idempotency_keys WHERE state = 'done'").scalar().await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_key_expires() {
    let (app, _) = start().await;
    let body = json!({"amount": 5});
    let first = post(&app, "k-1", &body).send().await.assert_status(201);
    app.clock().advance(Duration::from_hours(23));
    assert_eq!(post(&app, "k-1", &body).send().await.bytes(), first.bytes());
    app.clock().advance(Duration::from_hours(2));
    let anew = post(&app, "k-1", &body).send().await.assert_status(201);
    assert_eq!((anew.header("idempotent-replayed"), payments(&app).await), (None, 2));
}

#[tokio::test]
async fn an_action_without_writes_is_answered_the_same() {
    let (app, begun) = start().await;
    for _ in 0..3 {
        let look = app.post("/t/idempotency/look").header("idempotency-key", "k-1");
        assert_eq!(look.send().await.assert_status(200).text(), "1");
    }
    assert_eq!(begun.0.load(Ordering::SeqCst), 1);
}

/// Makes the jobs that have ended run again, as if the word of their end was lost.
async fn lose_the_ends(app: &TestApp) {
    let sql = "UPDATE job_queue SET status = 'pending', finished_at = NULL, leased_until = NULL, worker = NULL";
    assert_eq!(app.db().sql(sql).execute().await.unwrap(), 1);
}

#[tokio::test]
async fn a_job_that_runs_twice_has_its_effect_once() {
    let (app, begun) = start().await;
    app.call(BookLater::new(5).fail_until(2)).await.unwrap();
    assert_eq!(app.drain().await, 1);
    assert_eq!(payments(&app).await, 0, "the attempt that failed left nothing");
    app.clock().advance(Duration::from_secs(10));
    assert_eq!(app.drain().await, 1);
    lose_the_ends(&app).await;
    assert_eq!(app.drain().await, 1);
    assert_eq!((begun.0.load(Ordering::SeqCst), payments(&app).await), (2, 1));
    let runs = app.runs::<Book>().await;
    assert_eq!(runs.last().map(|run| run.status.as_str()), Some("succeeded"));
    app.call(BookLater::new(5)).await.unwrap();
    app.drain().await;
    assert_eq!(payments(&app).await, 2, "another job with the same input is another");
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_has_its_effect_once() {
    let (app, _) = start().await;
    app.call(TellBookers::new(5)).await.unwrap();
    assert_eq!(app.drain().await, 1);
    let sql = "UPDATE event_outbox SET dispatched_at = NULL";
    assert_eq!(app.db().sql(sql).execute().await.unwrap(), 1);
    assert_eq!(app.drain().await, 1, "a job of its own");
    assert_eq!(payments(&app).await, 1);
}

async fn listen(wait: &str) -> (ListeningApp, Gate) {
    let gate = Gate { begun: watch::Sender::new(0), open: Arc::new(Semaphore::new(0)) };
    let app = ListeningApp::start(App::new().state(gate.clone()).config("idempotency.wait", wait)).await;
    app.db().sql(TABLE).execute().await.unwrap();
    (app, gate)
}

fn send(app: &ListeningApp, client: &reqwest::Client) -> tokio::task::JoinHandle<reqwest::Response> {
    let request = client.post(app.url("/t/idempotency/wait")).header("idempotency-key", "k-1");
    let request = request.header("content-type", "application/json").body(r#"{"amount": 5}"#);
    tokio::spawn(async move { request.send().await.unwrap() })
}

#[tokio::test]
async fn duplicates_at_the_same_time_wait_for_the_first() {
    let (app, gate) = listen("15s").await;
    let client = reqwest::Client::new();
    let all: Vec<_> = (0..8).map(|_| send(&app, &client)).collect();
    soon("the first run", gate.begun.subscribe().wait_for(|begun| *begun > 0)).await.unwrap();
    gate.open.add_permits(100);
    let mut bodies = Vec::new();
    let mut replayed = 0;
    for answer in all {
        let answer = soon("the answer", answer).await.unwrap();
        assert_eq!(answer.status(), 200);
        replayed += i32::from(answer.headers().contains_key("idempotent-replayed"));
        bodies.push(answer.text().await.unwrap());
    }
    bodies.dedup();
    assert_eq!((bodies.len(), replayed, *gate.begun.borrow()), (1, 7, 1));
    soon("the shutdown", app.stop()).await.unwrap();
}

#[tokio::test]
async fn a_duplicate_that_has_waited_for_long_enough_is_told_to_come_again() {
    let (app, gate) = listen("100ms").await;
    let client = reqwest::Client::new();
    let first = send(&app, &client);
    soon("the first run", gate.begun.subscribe().wait_for(|begun| *begun > 0)).await.unwrap();
    let refused = soon("the answer", send(&app, &client)).await.unwrap();
    assert_eq!(refused.status(), 409);
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    let problem: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "idempotency_running");
    gate.open.add_permits(100);
    let first = soon("the answer", first).await.unwrap().text().await.unwrap();
    let again = soon("the answer", send(&app, &client)).await.unwrap().text().await.unwrap();
    assert_eq!((again, *gate.begun.borrow()), (first, 1));
    soon("the shutdown", app.stop()).await.unwrap();
}
