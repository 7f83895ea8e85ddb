//! Events: what is emitted reaches each of its subscribers, or nobody.

use std::{sync::Arc, time::Duration};

use bunbase::{
    Error,
    prelude::*,
    testing::{ListeningApp, TestApp, TestDatabase},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::soon;

bunbase::module!(name = "events", prefix = "/t/events");

/// A task was created.
#[event("events.created")]
struct TaskCreated {
    id: i64,
    fail: Option<bool>,
}

/// Notes it.
#[action(event = TaskCreated)]
async fn count_created(ctx: Ctx, id: i64) -> Result<()> {
    note(&ctx, format!("count {id}")).await
}

/// Notes it, or fails.
#[action(event = TaskCreated, retry(attempts = 2, base = "10s", jitter = none))]
async fn index_created(ctx: Ctx, id: i64, fail: Option<bool>) -> Result<()> {
    if fail == Some(true) {
        return Err(Error::new(503, "index_away", "the index is away"));
    }
    note(&ctx, format!("index {id}")).await
}

/// Takes the moves of one task one at a time.
#[action(event("events.moved", ordered), retry(attempts = 3, base = "10s", jitter = none))]
async fn follow(ctx: Ctx, id: i64, step: i64) -> Result<()> {
    // The first step of task 1 needs another attempt.
    if (id, step, ctx.attempt()) == (1, 1, 1) {
        return Err(Error::new(503, "away", "away"));
    }
    note(&ctx, format!("{id}.{step}")).await
}

/// Emits moves of two tasks.
#[action]
async fn move_all(ctx: Ctx, steps: i64) -> Result<()> {
    for step in 1..=steps {
        for id in [1, 2] {
            ctx.emit("events.moved", &json!({"id": id, "step": step})).key(id).await?;
        }
    }
    Ok(())
}

/// Creates a task in a transaction.
#[action]
async fn create(ctx: Ctx, id: i64, fail: Option<bool>, abort: Option<bool>, untyped: Option<bool>) -> Result<()> {
    ctx.identify(Identity::user("7"));
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO line (line) VALUES ('created')").execute().await?;
        if untyped == Some(true) {
            tx.emit("events.created", &json!({"id": id, "colour": "red"})).await?;
        } else {
            tx.emit_event(&TaskCreated { id, fail }).await?;
        }
        if abort == Some(true) { Err(Error::conflict("all of it")) } else { Ok(()) }
    })
    .await
}

/// Emits beside an open transaction.
#[action]
async fn create_beside(ctx: Ctx) -> Result<()> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO line (line) VALUES ('created')").execute().await?;
        ctx.emit("events.created", &json!({"id": 1})).await?;
        Ok(())
    })
    .await
}

/// Somebody has set a password.
#[event("events.password_set")]
struct PasswordSet {
    user: String,
    #[sensitive]
    password: String,
}

/// Sees the password, and hands it to a job.
#[action(event = PasswordSet)]
async fn hear_password(ctx: Ctx, user: String, #[sensitive] password: String) -> Result<()> {
    note(&ctx, format!("{user} has {password}")).await?;
    ctx.enqueue(HashPassword::new(password)).await?;
    Ok(())
}

/// Sees the password, too.
#[action]
async fn hash_password(ctx: Ctx, #[sensitive] password: String) -> Result<()> {
    note(&ctx, format!("hash of {password}")).await
}

/// Sets a password.
#[action]
async fn set_password(ctx: Ctx, #[sensitive] password: String) -> Result<()> {
    ctx.emit_event(&PasswordSet { user: "ann".to_owned(), password }).await?;
    Ok(())
}

/// What instances have heard.
#[derive(Clone)]
struct Heard(Arc<watch::Sender<Vec<i64>>>);

/// Hears what is told to all.
#[action(event("events.flag", broadcast))]
async fn hear(ctx: Ctx, flag: i64) -> Result<()> {
    ctx.state::<Heard>()?.0.send_modify(|heard| heard.push(flag));
    Ok(())
}

/// Tells all.
#[action(post = "/flag")]
async fn tell_all(ctx: Ctx, flag: i64) -> Result<()> {
    ctx.emit("events.flag", &json!({ "flag": flag })).await?;
    Ok(())
}

async fn note(ctx: &Ctx, line: String) -> Result<()> {
    ctx.sql("INSERT INTO line (line) VALUES ($1)").bind(line).execute().await?;
    Ok(())
}

const TABLE: &str = "CREATE TABLE line (line TEXT NOT NULL)";

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    app.db().sql(TABLE).execute().await.unwrap();
    app
}

/// What was noted since, without order unless it is that of the table.
async fn take(app: &TestApp) -> Vec<String> {
    let lines: Vec<(String,)> = app.db().sql("SELECT line FROM line").columns().await.unwrap();
    app.db().sql("DELETE FROM line").execute().await.unwrap();
    lines.into_iter().map(|(line,)| line).collect()
}

async fn take_sorted(app: &TestApp) -> Vec<String> {
    let mut lines = take(app).await;
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn each_subscriber_gets_an_event_once() {
    let app = start().await;
    app.call(Create::new(1)).await.unwrap();
    app.call(Create::new(2).untyped(true)).await.unwrap();
    let emitted: Vec<Value> = app.emitted("events.created").await;
    assert_eq!(emitted.len(), 2);
    assert_eq!(emitted[1], json!({"id": 2, "colour": "red"}));
    assert_eq!(app.drain().await, 4);
    assert_eq!(take_sorted(&app).await, ["count 1", "count 2", "created", "created", "index 1", "index 2"]);
    assert_eq!(app.drain().await, 0);
}

#[tokio::test]
async fn a_transaction_that_fails_has_emitted_nothing() {
    let app = start().await;
    app.call(Create::new(1).abort(true)).await.unwrap_err();
    assert!(app.emitted::<Value>("events.created").await.is_empty());
    assert_eq!(app.drain().await, 0);
    assert!(take(&app).await.is_empty());
}

#[tokio::test]
async fn emitting_beside_the_open_transaction_fails_at_once() {
    let app = start().await;
    let error = soon("the call", app.call(CreateBeside::new())).await.unwrap_err();
    assert!(format!("{error:?}").contains("emit through `tx.emit(…)`"), "{error:?}");
    assert!(app.emitted::<Value>("events.created").await.is_empty());
}

#[tokio::test]
async fn the_dead_letter_of_one_subscriber_is_none_of_the_others() {
    let app = start().await;
    app.call(Create::new(1).fail(true)).await.unwrap();
    assert_eq!(app.drain().await, 2);
    app.clock().advance(Duration::from_secs(10));
    assert_eq!(app.drain().await, 1);
    assert_eq!(take_sorted(&app).await, ["count 1", "created"]);
    let dead: Vec<(String, String, String, i32)> =
        app.db().sql("SELECT action, door, error_code, attempts FROM job_failures").columns().await.unwrap();
    assert_eq!(dead, [("events.index_created".to_owned(), "event".to_owned(), "index_away".to_owned(), 2)]);
}

#[tokio::test]
async fn a_run_is_of_the_emitters_identity_and_trace() {
    let app = start().await;
    app.call(Create::new(1)).await.unwrap();
    app.drain().await;
    let (create, count) = (app.runs::<Create>().await, app.runs::<CountCreated>().await);
    assert_eq!((create[0].trace_id.as_str(), "event"), (count[0].trace_id.as_str(), count[0].door.as_str()));
    let identities: Vec<(String,)> = app.db().sql("SELECT identity FROM job_queue").columns().await.unwrap();
    assert!(identities.len() == 2 && identities.iter().all(|(text,)| text.contains(r#""id":"7""#)), "{identities:?}");
}

#[tokio::test]
async fn events_of_one_key_are_taken_in_order_whatever_fails() {
    let app = start().await;
    app.call(MoveAll::new(3)).await.unwrap();
    app.drain().await;
    assert_eq!(take(&app).await, ["2.1", "2.2", "2.3"], "nothing of task 1 passes its first step");
    app.clock().advance(Duration::from_secs(10));
    app.drain().await;
    assert_eq!(take(&app).await, ["1.1", "1.2", "1.3"]);
}

#[tokio::test]
async fn sensitive_values_are_not_readable_where_they_are_stored() {
    let app = start().await;
    app.call(SetPassword::new("hunter2".to_owned())).await.unwrap();
    assert_eq!(app.emitted::<Value>("events.password_set").await[0]["password"], "hunter2");
    assert_eq!(app.drain().await, 2);
    assert_eq!(take_sorted(&app).await, ["ann has hunter2", "hash of hunter2"]);
    let mut stored: Vec<(String,)> = app.db().sql("SELECT payload FROM event_outbox").columns().await.unwrap();
    stored.extend(app.db().sql("SELECT input FROM job_queue").columns::<(String,)>().await.unwrap());
    assert_eq!(stored.len(), 3);
    assert!(stored.iter().all(|(text,)| !text.contains("hunter2")), "{stored:?}");
    assert!(stored[0].0.contains(r#""user":"ann""#), "{stored:?}");
}

async fn listen(url: &str) -> (ListeningApp, Heard) {
    let heard = Heard(Arc::new(watch::Sender::new(Vec::new())));
    (ListeningApp::start(App::new().state(heard.clone()).config("database.url", url)).await, heard)
}

#[tokio::test]
async fn every_instance_hears_a_broadcast() {
    let database = TestDatabase::create().await.unwrap();
    // A SQLite file has one instance.
    let instances = if database.url().starts_with("postgres") { 2 } else { 1 };
    let mut apps = Vec::new();
    for _ in 0..instances {
        apps.push(listen(database.url()).await);
    }
    let client = reqwest::Client::new();
    for flag in [1, 2] {
        let request = client.post(apps[0].0.url("/t/events/flag")).header("content-type", "application/json");
        assert_eq!(request.body(format!(r#"{{"flag": {flag}}}"#)).send().await.unwrap().status(), 204);
    }
    for (_, heard) in &apps {
        let mut heard = heard.0.subscribe();
        soon("the broadcast", heard.wait_for(|heard| heard.as_slice() == [1, 2])).await.unwrap();
    }
    for (app, _) in apps {
        soon("the shutdown", app.stop()).await.unwrap();
    }
}
