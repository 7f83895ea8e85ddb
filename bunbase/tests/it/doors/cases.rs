//! One table of cases, run through every door of one action: what comes of a case does not depend on its door.

use bunbase::{
    Error,
    prelude::*,
    testing::{Run, TestApp},
    webhook::{SigningSecret, hmac_sha256},
};
use serde_json::{Value, json};

use super::{hex, sign};
use crate::mcp;

bunbase::module!(prefix = "/t/cases");

const SECRET: &str = "0123456789abcdef";

/// Says who calls, where a request says so.
struct SignedIn;

impl Guard for SignedIn {
    type Error = Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        if let Some(user) = ctx.request().and_then(|request| request.header("x-user")) {
            ctx.identify(Identity::user(user));
        }
        Ok(())
    }
}

/// Closes room 13, and asks who it is from room 100 on.
struct Doorkeeper;

impl Guard for Doorkeeper {
    type Error = Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        match (ctx.path_param::<i64>("room")?, ctx.identity()) {
            (13, _) => Err(Error::forbidden("room 13 is closed")),
            (100.., Identity::User { .. }) | (..100, _) => Ok(()),
            _ => Err(Error::new(401, "who_are_you", "the rooms from 100 on are for people that are known")),
        }
    }
}

/// How asking fails.
#[derive(ActionError, Debug)]
enum AskError {
    /// Nobody else fits in.
    #[error(status = 409, code = "room_full", "room {0} is full")]
    Full(i64),
    #[error(framework)]
    Other(#[from] Error),
}

/// Writes down who asks what.
#[action(
    post = "/rooms/{room}",
    webhook = "/hooks/rooms/{room}",
    verify = hmac_sha256("x-signature", SigningSecret::new(SECRET)).delivery_id("x-delivery"),
    event = "cases.asked",
    tool,
    guards = [SignedIn, Doorkeeper]
)]
async fn ask(
    ctx: Ctx,
    room: i64,
    #[validate(length(min = 1, max = 5))] text: String,
    #[validate(range(max = 3))] times: Option<i32>,
) -> Result<String, AskError> {
    let said = format!("{room} {}", text.repeat(usize::try_from(times.unwrap_or(1)).unwrap_or_default()));
    ctx.sql("INSERT INTO said (line) VALUES ($1)").bind(said.clone()).execute().await?;
    if text == "full" {
        ctx.sql("DELETE FROM said").execute().await?;
        return Err(AskError::Full(room));
    }
    Ok(said)
}

/// Emits what it is given.
#[action]
async fn tell(ctx: Ctx, payload: String) -> Result<()> {
    ctx.emit("cases.asked", &serde_json::from_str::<Value>(&payload)?).await?;
    Ok(())
}

/// Stores a job.
#[action]
async fn later(ctx: Ctx, room: i64, text: String, times: Option<i32>) -> Result<()> {
    ctx.enqueue(Ask { room, text, times }).await?;
    Ok(())
}

/// A case: the input, who calls, and what comes of it.
struct Case {
    input: Value,
    user: Option<&'static str>,
    expected: Result<&'static str, &'static str>,
}

fn cases() -> Vec<Case> {
    let case = |input, user, expected| Case { input, user, expected };
    vec![
        case(json!({"room": 1, "text": "a"}), None, Ok("1 a")),
        case(json!({"room": 1, "text": "a", "times": 3}), Some("7"), Ok("1 aaa")),
        case(json!({"room": 1, "text": "é\n\"", "times": null}), None, Ok("1 é\n\"")),
        case(json!({"room": 2, "text": "full"}), None, Err("room_full")),
        case(json!({"room": 1, "text": ""}), None, Err("invalid_input")),
        case(json!({"room": 1, "text": "longer", "times": 4}), None, Err("invalid_input")),
        case(json!({"room": 1, "text": 5}), None, Err("invalid_input")),
        case(json!({"room": 1}), None, Err("invalid_input")),
        case(json!({"room": 13, "text": "a"}), Some("7"), Err("forbidden")),
        case(json!({"room": 13, "text": ""}), None, Err("forbidden")),
        case(json!({"room": 100, "text": "a"}), None, Err("who_are_you")),
        case(json!({"room": 100, "text": "a"}), Some("7"), Ok("100 a")),
    ]
}

/// What comes of a case at one door.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The output, where the door has one, or the code of the error.
    answer: Result<Option<String>, String>,
    /// What is in the table afterwards.
    said: Vec<String>,
    run: Run,
}

/// Runs a case through a door. `None` where it cannot be put so: a typed message has no values of another type, and a delivery is
/// of no person.
async fn run(app: &TestApp, door: &str, case: &Case, number: usize) -> Option<Seen> {
    let Case { input, user, .. } = case;
    let identity = user.map_or(Identity::Anonymous, Identity::user);
    let room = input["room"].as_i64().unwrap();
    let text = input["text"].as_str().map(str::to_owned);
    let times = input["times"].as_i64().and_then(|times| i32::try_from(times).ok());
    let mut body = input.clone();
    body.as_object_mut().unwrap().remove("room");
    let answer = match door {
        "http" => {
            let request = app.post(&format!("/t/cases/rooms/{room}"));
            let request = if let Some(user) = user { request.header("x-user", user) } else { request };
            let answer = request.json(&body).send().await;
            if answer.status() == 200 { Ok(Some(answer.json::<String>())) } else { Err(answer.code()) }
        }
        "tool" => {
            let request = mcp::call(app, "cases_ask", input);
            let request = if let Some(user) = user { request.header("x-user", user) } else { request };
            let answer = request.send().await;
            let told = mcp::result(answer);
            if let Some(said) = told["structuredContent"]["result"].as_str() {
                Ok(Some(said.to_owned()))
            } else {
                let problem: Value = serde_json::from_str(told["content"][0]["text"].as_str().unwrap()).unwrap();
                Err(problem["code"].as_str().unwrap().to_owned())
            }
        }
        "call" => {
            let answer = app.call(Ask { room, text: text?, times }).as_identity(identity).await;
            answer.map(Some).map_err(|error| Error::from(error).code().to_owned())
        }
        _ => {
            match door {
                "webhook" => {
                    if user.is_some() {
                        return None;
                    }
                    let body = body.to_string();
                    let signature = hex(&sign(SECRET.as_bytes(), &[body.as_bytes()]));
                    let delivery = app.post(&format!("/t/cases/hooks/rooms/{room}")).header("x-signature", &signature);
                    let delivery = delivery.header("x-delivery", &number.to_string());
                    delivery.header("content-type", "application/json").body(body).send().await.assert_status(202);
                }
                "event" => app.call(Tell::new(input.to_string())).as_identity(identity).await.unwrap(),
                "job" => app.call(Later { room, text: text?, times }).as_identity(identity).await.unwrap(),
                "cron" => schedule(app, input, &identity).await,
                other => panic!("{other} is no door"),
            }
            assert_eq!(app.drain().await, 1, "{door} {input}");
            let mut codes: Vec<(String, String)> =
                app.db().sql("SELECT error_code, error FROM job_failures").columns().await.unwrap();
            codes.pop().map_or(Ok(None), |(code, _)| Err(code))
        }
    };
    let said: Vec<(String,)> = app.db().sql("SELECT line FROM said").columns().await.unwrap();
    let said = said.into_iter().map(|(line,)| line).collect();
    let mut runs = app.runs::<Ask>().await;
    let run = runs.pop().unwrap();
    assert!(runs.is_empty(), "{door} {input}: {runs:?}");
    for table in ["said", "action_runs", "job_failures"] {
        app.db().sql(&format!("DELETE FROM {table}")).execute().await.unwrap();
    }
    assert_eq!(run.door, door);
    Some(Seen { answer, said, run: Run { door: String::new(), trace_id: String::new(), ..run } })
}

/// A schedule with an input, as one that was made at run time.
async fn schedule(app: &TestApp, input: &Value, identity: &Identity) {
    let now = app.clock().now();
    let sql = "INSERT INTO schedules (name, source, action, input, rule, zone, missed, overlap, identity, next_run_at,
            created_at, updated_at)
        VALUES ('once', 'runtime', 'cases.ask', $1, $2, 'UTC', 'once', 'skip', $3, $4, $4, $4)";
    let rule = format!("once {}", now.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    let identity = serde_json::to_string(identity).unwrap();
    let done = app.db().sql(sql).bind(input.to_string()).bind(rule).bind(identity).bind(now).execute().await;
    done.unwrap();
}

#[tokio::test]
async fn what_comes_of_a_case_does_not_depend_on_its_door() {
    let app = TestApp::start(App::new()).await;
    app.db().sql("CREATE TABLE said (line TEXT NOT NULL)").execute().await.unwrap();
    for (number, case) in cases().iter().enumerate() {
        let told = format!("case {number}: {} as {:?}", case.input, case.user);
        let first = run(&app, "http", case, number).await.unwrap();
        let (answer, said) = match case.expected {
            Ok(line) => (Ok(Some(line.to_owned())), vec![line.to_owned()]),
            Err(code) => (Err(code.to_owned()), Vec::new()),
        };
        assert_eq!((&first.answer, &first.said), (&answer, &said), "{told}");
        assert_eq!(first.run.status, if answer.is_ok() { "succeeded" } else { "failed" }, "{told}");
        for door in ["tool", "call", "webhook", "event", "cron", "job"] {
            let Some(mut seen) = run(&app, door, case, number).await else { continue };
            if let Ok(answer @ None) = &mut seen.answer {
                answer.clone_from(first.answer.as_ref().unwrap());
            }
            assert_eq!(seen, first, "{told}, by {door}");
        }
    }
}
