//! Guards: their order, once per run, before the body, and behind typed calls.

use std::sync::{Arc, Mutex};

use bunbase::{Error, invoke::CallError, prelude::*, testing::TestApp};
use serde_json::json;

bunbase::module!(prefix = "/t/guards/{room}", guards = [Note("module")]);

/// What ran, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(ctx: &Ctx, what: impl Into<String>) -> Result<()> {
        ctx.state::<Self>()?.0.lock().unwrap().push(what.into());
        Ok(())
    }
}

/// Notes that it ran.
#[derive(Clone)]
struct Note(&'static str);

impl Guard for Note {
    type Error = Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        Seen::note(ctx, self.0)
    }
}

/// The room in the path; room 13 is closed.
#[derive(Clone, Debug)]
struct Room(i64);

impl Provider for Room {
    type Error = Error;

    async fn provide(ctx: &Ctx) -> Result<Self> {
        let room = ctx.path_param("room")?;
        Seen::note(ctx, format!("room {room}"))?;
        if room == 13 { Err(Error::forbidden("room 13 is closed")) } else { Ok(Self(room)) }
    }
}

/// A key of a room.
#[derive(Clone, Debug)]
struct Key;

impl Provider for Key {
    type Error = Error;

    async fn provide(ctx: &Ctx) -> Result<Self> {
        let Room(room) = ctx.provide().await?;
        Seen::note(ctx, format!("key {room}"))?;
        Ok(Self)
    }
}

/// Asks for everything.
#[action(post = "/ordered", guards = [Note("first"), Note("second")])]
async fn ordered(ctx: Ctx, #[guard] _key: Key, #[guard] here: Room, #[path] room: i64, text: String) -> Result<()> {
    Seen::note(&ctx, format!("handler {} {room} {text}", here.0))
}

/// Needs an API key.
#[action(post = "/locked", guards = [api_key()])]
async fn locked(#[path] room: i64, #[guard] who: ApiKey, text: String) -> Result<String> {
    Ok(format!("{room} {text} {}", who.holder))
}

/// Says who causes the run.
#[action(get = "/who", guards = [api_key()])]
async fn tell_who(ctx: Ctx) -> Result<String> {
    Ok(ctx.identity().scope())
}

/// Why nobody may enter.
#[derive(ActionError, Debug)]
enum Occupied {
    /// Somebody is in the room.
    #[error(status = 409, code = "room_taken", "room {0} is taken")]
    Taken(i64),
    #[error(framework)]
    Other(#[from] Error),
}

/// Looks at the input: room 14 is taken.
async fn is_free(ctx: &Ctx, input: &Enter) -> Result<(), Occupied> {
    Seen::note(ctx, format!("check {} {}", input.room, input.text))?;
    if input.room == 14 { Err(Occupied::Taken(input.room)) } else { Ok(()) }
}

/// Is checked once its input is decoded.
#[action(post = "/enter", guards = [Note("guard")], check_input = is_free)]
async fn enter(ctx: Ctx, #[path] room: i64, text: String) -> Result<()> {
    let _ = (room, text);
    Seen::note(&ctx, "handler")
}

/// Calls the other one.
#[action(post = "/outer")]
async fn outer(ctx: Ctx, #[path] room: i64, other: i64) -> Result<()> {
    Seen::note(&ctx, format!("outer {room}"))?;
    Ok(ctx.call(Inner::new(other)).await?)
}

/// Is called by the other one.
#[action(post = "/inner")]
async fn inner(ctx: Ctx, #[guard] _room: Room, #[path] room: i64) -> Result<()> {
    Seen::note(&ctx, format!("inner {room}"))
}

/// Calls the one that calls it.
#[action(post = "/ping")]
async fn ping(ctx: Ctx, #[path] room: i64) -> Result<()> {
    Ok(ctx.call(Pong::new(room)).await?)
}

/// Calls the one that calls it.
#[action(post = "/pong")]
async fn pong(ctx: Ctx, #[path] room: i64) -> Result<()> {
    Ok(ctx.call(Ping::new(room)).await?)
}

async fn app() -> (TestApp, Seen) {
    let seen = Seen::default();
    (
        TestApp::start(App::new().state(seen.clone()).state(ApiKeys::new().with("ann", "let-me-in-please-0123456789")))
            .await,
        seen,
    )
}

#[tokio::test]
async fn guards_run_in_their_order_and_providers_once() {
    let (app, seen) = app().await;
    app.post("/t/guards/7/ordered").json(&json!({"text": "x"})).send().await.assert_status(204);
    assert_eq!(seen.take(), ["module", "room 7", "key 7", "first", "second", "handler 7 7 x"]);
}

#[tokio::test]
async fn a_refusal_ends_the_run_before_the_body_is_read() {
    let (app, seen) = app().await;
    let broken = app.post("/t/guards/13/ordered").header("content-type", "application/json").body("{").send().await;
    assert_eq!((broken.status(), broken.code().as_str()), (403, "forbidden"));
    assert_eq!(seen.take(), ["module", "room 13"]);
    for (kind, body) in [("application/json", "{"), ("text/plain", "x"), ("application/json", r#"{"text": 5}"#)] {
        let answer =
            app.post("/t/guards/x/locked").header("content-type", kind).body(body).send().await.assert_status(401);
        assert_eq!(answer.code(), "api_key_missing");
        assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.contains("X-Api-Key")));
    }
}

#[tokio::test]
async fn a_known_key_opens_and_an_unknown_one_does_not() {
    let (app, _) = app().await;
    let post = |key: &'static str| app.post("/t/guards/7/locked").header("x-api-key", key).json(&json!({"text": "x"}));
    assert_eq!(post("let-me-in-please-0123456789").send().await.assert_status(200).json::<String>(), "7 x ann");
    let refused = post("let-me-in").send().await.assert_status(401);
    assert_eq!(refused.code(), "api_key_unknown");
    assert!(refused.header("www-authenticate").is_some());
}

#[tokio::test]
async fn a_guards_path_parameter_that_is_wrong_is_422() {
    let (app, _) = app().await;
    let answer = app.post("/t/guards/x/inner").send().await;
    assert_eq!(super::mistakes(&answer), ["path /room type"]);
}

#[tokio::test]
async fn a_check_of_the_input_runs_once_it_is_decoded() {
    let (app, seen) = app().await;
    let enter = |room: u8, body: serde_json::Value| app.post(&format!("/t/guards/{room}/enter")).json(&body);
    enter(7, json!({"text": "x"})).send().await.assert_status(204);
    assert_eq!(seen.take(), ["module", "guard", "check 7 x", "handler"]);
    enter(7, json!({"text": 5})).send().await.assert_status(422);
    assert_eq!(seen.take(), ["module", "guard"]);
    let refused = enter(14, json!({"text": "y"})).send().await.assert_status(409);
    assert_eq!((refused.code().as_str(), seen.take().last().map(String::as_str)), ("room_taken", Some("check 14 y")));
    let document: serde_json::Value = app.get("/openapi.json").send().await.assert_status(200).json();
    assert!(document["paths"]["/t/guards/{room}/enter"]["post"]["responses"]["409"].to_string().contains("room_taken"));
}

#[tokio::test]
async fn a_call_between_actions_runs_the_guards_of_the_called_one() {
    let (app, seen) = app().await;
    app.post("/t/guards/7/outer").json(&json!({"other": 8})).send().await.assert_status(204);
    assert_eq!(seen.take(), ["module", "outer 7", "module", "room 8", "inner 8"]);
    let refused = app.post("/t/guards/7/outer").json(&json!({"other": 13})).send().await;
    assert_eq!((refused.status(), refused.code().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_typed_call_needs_no_request() {
    let (app, seen) = app().await;
    app.call(Inner::new(4)).await.unwrap();
    assert_eq!(seen.take(), ["module", "room 4", "inner 4"]);
    let refused = app.call(Locked::new(1, "x".to_owned())).await.unwrap_err();
    assert!(matches!(&refused, CallError::Framework(error) if error.status() == 401), "{refused:?}");
}

#[tokio::test]
async fn a_circle_of_calls_is_an_error_that_shows_the_chain() {
    let (app, _) = app().await;
    let error = Error::from(app.call(Ping::new(1)).await.unwrap_err());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("guards.ping → guards.pong → guards.ping"), "{cause}");
    app.post("/t/guards/1/ping").send().await.assert_status(500);
}

#[tokio::test]
async fn a_key_establishes_who_causes_the_run() {
    let (app, _) = app().await;
    let request = app.get("/t/guards/7/who").header("x-api-key", "let-me-in-please-0123456789");
    assert_eq!(request.send().await.assert_status(200).json::<String>(), "service:ann");
    let error = Error::from(app.call(TellWho::new()).await.unwrap_err());
    assert_eq!((error.status(), error.code()), (401, "api_key_missing"), "nobody is carried along");
}
