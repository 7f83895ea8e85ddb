//! Webhooks: a delivery is verified, stored with its job, answered, and runs later.

use std::{cell::Cell, panic::AssertUnwindSafe, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bunbase::{
    prelude::*,
    testing::{TestApp, TestRequest},
    webhook::{SigningSecret, github, slack, standard_webhooks, stripe},
};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{hex, sign};

bunbase::module!(prefix = "/t/webhooks");

const SECRET: &str = "0123456789abcdef";

/// One line of an order.
#[schema]
struct Line {
    sku: String,
    quantity: i64,
}

/// Takes an order of a shop.
#[action(
    webhook = "/shops/{shop}",
    verify = standard_webhooks(SigningSecret::new("whsec_MDEyMzQ1Njc4OWFiY2RlZg=="))
)]
async fn take(ctx: Ctx, shop: String, order: i64, lines: Option<Vec<Line>>) -> Result<()> {
    let sum: i64 = lines.iter().flatten().map(|line| line.quantity).sum();
    let skus: String = lines.into_iter().flatten().map(|line| line.sku).collect();
    note(&ctx, format!("{shop} {order} {sum}{skus}")).await
}

/// Takes a push.
#[action(webhook = "/pushes", verify = github(SigningSecret::new(SECRET)))]
async fn push(ctx: Ctx, #[header("X-GitHub-Event")] event: String, #[body] payload: Pushed) -> Result<()> {
    note(&ctx, format!("{event} {}", payload.commit)).await
}

/// A push.
#[schema]
struct Pushed {
    commit: String,
}

/// Takes a command.
#[action(webhook = "/commands", verify = slack(SigningSecret::new(SECRET)))]
async fn command(ctx: Ctx, command: String, times: i64, loud: Option<bool>) -> Result<()> {
    note(&ctx, format!("{command} {times} {loud:?}")).await
}

/// Takes a vote.
#[action(webhook = "/votes", verify = slack(SigningSecret::new(SECRET)))]
async fn cast_vote(ctx: Ctx, #[body] vote: Vote) -> Result<()> {
    note(&ctx, format!("{vote:?}")).await
}

/// A vote.
#[schema]
struct Vote {
    name: String,
    weight: i64,
    open: Option<bool>,
    tags: Option<Vec<String>>,
}

/// Takes a payment.
#[action(webhook = "/payments", verify = stripe(secret_of_payments()))]
async fn payment(ctx: Ctx, id: String, #[sensitive] card: Option<String>) -> Result<()> {
    note(&ctx, format!("{id} {}", card.unwrap_or_default())).await
}

thread_local! {
    static IS_MISSING: Cell<bool> = const { Cell::new(false) };
}

/// A variable's, where a test says so.
fn secret_of_payments() -> SigningSecret {
    if IS_MISSING.get() { SigningSecret::env("BUNBASE_TEST_NO_SUCH_SECRET") } else { SigningSecret::new(SECRET) }
}

async fn note(ctx: &Ctx, line: String) -> Result<()> {
    let job = ctx.job().unwrap();
    let line = format!("{line} | {} {:?} {}", job.origin().unwrap(), ctx.identity(), ctx.door());
    ctx.sql("INSERT INTO line (line) VALUES ($1)").bind(line).execute().await?;
    Ok(())
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    app.db().sql("CREATE TABLE line (line TEXT NOT NULL)").execute().await.unwrap();
    app
}

async fn lines(app: &TestApp) -> Vec<String> {
    let lines: Vec<(String,)> = app.db().sql("SELECT line FROM line ORDER BY line").columns().await.unwrap();
    lines.into_iter().map(|(line,)| line).collect()
}

async fn count(app: &TestApp, table: &str) -> i64 {
    app.db().sql(&format!("SELECT count(*) FROM {table}")).scalar().await.unwrap()
}

/// A delivery of an order, signed now.
fn order<'a>(app: &'a TestApp, id: &str, body: &str) -> TestRequest<'a> {
    signed(app, "/t/webhooks/shops/north", id, body)
}

/// A delivery that is signed now.
fn signed<'a>(app: &'a TestApp, path: &str, id: &str, body: &str) -> TestRequest<'a> {
    let time = app.clock().now().timestamp().to_string();
    let signature = sign(SECRET.as_bytes(), &[id.as_bytes(), b".", time.as_bytes(), b".", body.as_bytes()]);
    let request = app.post(path).header("webhook-id", id).header("webhook-timestamp", &time);
    let request = request.header("webhook-signature", &format!("v1,{}", STANDARD.encode(signature)));
    request.header("content-type", "application/json").body(body.to_owned())
}

#[tokio::test]
async fn a_signed_delivery_is_stored_answered_and_runs_later() {
    let app = start().await;
    let body = r#"{"order": 7, "lines": [{"sku": "tea", "quantity": 2}]}"#;
    let answer = order(&app, "msg_1", body).send().await.assert_status(202);
    assert_eq!(answer.json::<Value>(), json!({"delivery_id": "msg_1"}));
    assert_eq!(app.enqueued::<Take>().await.len(), 1);
    assert!(lines(&app).await.is_empty());
    assert_eq!(app.drain().await, 1);
    assert_eq!(lines(&app).await, [r#"north 7 2tea | msg_1 Service { name: "webhook:webhooks.take" } webhook"#]);
    let runs = app.runs::<Take>().await;
    assert_eq!(answer.header("x-trace-id"), Some(runs[0].trace_id.as_str()), "the run belongs to the delivery's trace");
}

#[tokio::test]
async fn a_delivery_is_kept_as_it_came() {
    let app = start().await;
    let body = "{ \"order\" : 7,\r\n  \"more\": [1, 2.50] }";
    let delivery = order(&app, "msg_1", body).header("authorization", "Bearer secret").header("x-more", "y");
    delivery.send().await.assert_status(202);
    let (kept, headers): (Vec<u8>, String) = {
        let rows: Vec<(Vec<u8>, String)> =
            app.db().sql("SELECT body, headers FROM webhook_deliveries").columns().await.unwrap();
        rows.into_iter().next().unwrap()
    };
    assert_eq!(kept, body.as_bytes());
    let headers: Value = serde_json::from_str(&headers).unwrap();
    assert_eq!((headers["x-more"].as_str(), headers.get("authorization")), (Some("y"), None));
}

#[tokio::test]
async fn credentials_in_headers_are_not_kept() {
    let app = start().await;
    let secrets = ["Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-Gitlab-Token", "X-Shop-Secret"];
    let delivery = order(&app, "msg_1", r#"{"order": 7, "lines": []}"#).header("idempotency-key", "k-1");
    let delivery = secrets.iter().fold(delivery, |delivery, name| delivery.header(name, "a=hunter2"));
    delivery.send().await.assert_status(202);
    let headers: String = app.db().sql("SELECT headers FROM webhook_deliveries").scalar().await.unwrap();
    assert!(!headers.contains("hunter2"), "{headers}");
    let headers: Value = serde_json::from_str(&headers).unwrap();
    assert_eq!((headers["webhook-id"].as_str(), headers["idempotency-key"].as_str()), (Some("msg_1"), Some("k-1")));
    assert!(headers["webhook-signature"].is_string(), "it signs this body only");
}

#[tokio::test]
async fn a_delivery_that_is_not_signed_so_leaves_nothing() {
    let app = start().await;
    let body = r#"{"order": 7}"#;
    let other = order(&app, "msg_1", body).body(r#"{"order": 8}"#);
    let unsigned = app.post("/t/webhooks/shops/north").header("content-type", "application/json").body(body);
    let pushed = app.post("/t/webhooks/pushes").header("x-hub-signature-256", "sha256=00").json(&json!({}));
    for delivery in [other, unsigned, pushed] {
        let refused = delivery.send().await.assert_status(401);
        assert_eq!(refused.code(), "webhook_signature");
    }
    assert_eq!((count(&app, "webhook_deliveries").await, count(&app, "job_queue").await), (0, 0));
    assert_eq!(app.drain().await, 0);
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_one_job() {
    let app = start().await;
    let body = r#"{"order": 7}"#;
    for _ in 0..2 {
        order(&app, "msg_1", body).send().await.assert_status(202);
    }
    assert_eq!(app.drain().await, 1);
    app.clock().advance(Duration::from_mins(10));
    // The sender tries again and signs anew: after the job has ended, too.
    order(&app, "msg_1", body).send().await.assert_status(202);
    assert_eq!(app.drain().await, 0);
    order(&app, "msg_2", body).send().await.assert_status(202);
    assert_eq!(app.drain().await, 1);
    assert_eq!((lines(&app).await.len(), count(&app, "webhook_deliveries").await), (2, 2));
}

#[tokio::test]
async fn a_delivery_that_is_too_old_is_refused() {
    let app = start().await;
    let body = r#"{"order": 7}"#;
    let (fresh, old) = (order(&app, "msg_1", body), order(&app, "msg_2", body));
    app.clock().advance(Duration::from_secs(290));
    fresh.send().await.assert_status(202);
    app.clock().advance(Duration::from_secs(20));
    assert_eq!(old.send().await.assert_status(401).code(), "webhook_signature");
    assert_eq!(count(&app, "webhook_deliveries").await, 1);
}

#[tokio::test]
async fn what_nobody_knows_is_ignored_and_what_is_wrong_ends_among_the_dead_letters() {
    let app = start().await;
    let more = r#"{"order": 7, "livemode": true, "lines": [{"sku": "tea", "quantity": 2, "tax": {"rate": 7}}]}"#;
    order(&app, "msg_1", more).send().await.assert_status(202);
    let wrong = r#"{"order": "seven", "livemode": true, "lines": [{"sku": "tea", "quantity": 2, "tax": 0}]}"#;
    order(&app, "msg_2", wrong).send().await.assert_status(202);
    assert_eq!(app.drain().await, 2);
    assert_eq!(lines(&app).await.len(), 1);
    let dead: Vec<(String, String, String, i32)> =
        app.db().sql("SELECT error_code, error, origin, attempts FROM job_failures").columns().await.unwrap();
    let [(code, error, origin, 1)] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((code.as_str(), origin.as_str()), ("invalid_input", "msg_2"));
    assert!(error.contains("/order") && !error.contains("livemode") && !error.contains("tax"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told_to_the_sender() {
    let app = start().await;
    let refused = order(&app, "msg_1", "{").send().await.assert_status(400);
    assert_eq!((refused.code().as_str(), count(&app, "webhook_deliveries").await), ("malformed_body", 0));
}

#[tokio::test]
async fn headers_are_fields_too() {
    let app = start().await;
    let body = r#"{"commit": "abc", "ref": "main"}"#;
    let signature = format!("sha256={}", hex(&sign(SECRET.as_bytes(), &[body.as_bytes()])));
    let delivery = app.post("/t/webhooks/pushes").header("x-hub-signature-256", &signature);
    let delivery = delivery.header("x-github-delivery", "72d3162e").header("x-github-event", "push");
    delivery.header("content-type", "application/json").body(body).send().await.assert_status(202);
    assert_eq!(app.drain().await, 1);
    assert_eq!(lines(&app).await, [r#"push abc | 72d3162e Service { name: "webhook:webhooks.push" } webhook"#]);
}

/// Delivers a form.
async fn say(app: &TestApp, path: &str, body: &str) {
    let time = app.clock().now().timestamp().to_string();
    let signature = sign(SECRET.as_bytes(), &[b"v0:", time.as_bytes(), b":", body.as_bytes()]);
    let delivery = app.post(path).header("x-slack-request-timestamp", &time);
    let delivery = delivery.header("x-slack-signature", &format!("v0={}", hex(&signature)));
    let delivery = delivery.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
    delivery.send().await.assert_status(202);
}

#[tokio::test]
async fn a_form_is_read_as_its_fields_are() {
    let app = start().await;
    say(&app, "/t/webhooks/commands", "token=x&command=%2Fship+it&times=3&loud=true").await;
    assert_eq!(app.drain().await, 1);
    let lines = lines(&app).await;
    assert!(lines.len() == 1 && lines[0].starts_with("/ship it 3 Some(true) | sha256:"), "{lines:?}");
}

#[tokio::test]
async fn a_form_that_is_one_field_is_read_as_its_type_is() {
    let app = start().await;
    say(&app, "/t/webhooks/votes", "name=7&weight=3&open=true&tags=1&tags=x").await;
    assert_eq!(app.drain().await, 1);
    let expected = r#"Vote { name: "7", weight: 3, open: Some(true), tags: Some(["1", "x"]) } | "#;
    assert!(lines(&app).await[0].starts_with(expected), "{:?}", lines(&app).await);
}

/// Delivers a payment, signed some seconds from now.
async fn pay(app: &TestApp, seconds: i64) {
    let body = r#"{"id": "evt_1", "object": "event", "card": "4242"}"#;
    let time = (app.clock().now().timestamp() + seconds).to_string();
    let signature = hex(&sign(SECRET.as_bytes(), &[time.as_bytes(), b".", body.as_bytes()]));
    let delivery = app.post("/t/webhooks/payments").header("stripe-signature", &format!("t={time},v1={signature}"));
    delivery.header("content-type", "application/json").body(body).send().await.assert_status(202);
}

#[tokio::test]
async fn the_id_of_an_event_is_that_of_its_body() {
    let app = start().await;
    pay(&app, 0).await;
    pay(&app, 2).await;
    assert_eq!(app.drain().await, 1);
    assert!(lines(&app).await[0].starts_with("evt_1 4242 | evt_1 "));
}

#[tokio::test]
async fn sensitive_values_are_not_readable_in_the_job() {
    let app = start().await;
    pay(&app, 0).await;
    let input: String = app.db().sql("SELECT input FROM job_queue").scalar().await.unwrap();
    assert!(input.contains("evt_1") && !input.contains("4242"), "{input}");
    assert_eq!(app.enqueued::<Payment>().await[0].card.as_deref(), Some("4242"));
    let kept: Vec<u8> = app.db().sql("SELECT body FROM webhook_deliveries").scalar().await.unwrap();
    let kept = String::from_utf8(kept).unwrap();
    assert!(kept.starts_with("v1.") && !kept.contains("4242"), "{kept}");
}

/// Takes two deliveries a day from an address.
#[action(
    webhook = "/limited",
    verify = standard_webhooks(SigningSecret::new("whsec_MDEyMzQ1Njc4OWFiY2RlZg==")),
    guards = [rate_limit(2).per(DAY).by_ip()]
)]
async fn limited(ctx: Ctx, order: i64) -> Result<()> {
    note(&ctx, format!("limited {order}")).await
}

#[tokio::test]
async fn a_limit_counts_deliveries_before_they_are_stored() {
    let app = start().await;
    let deliver = async |id: &str, from: [u8; 4]| {
        let request = signed(&app, "/t/webhooks/limited", id, r#"{"order": 7}"#);
        request.peer(from).send().await
    };
    let near = [203, 0, 113, 1];
    // Who does not sign uses nothing up.
    for _ in 0..5 {
        let request = app.post("/t/webhooks/limited").header("content-type", "application/json").body("{}");
        request.peer(near).send().await.assert_status(401);
    }
    let first = deliver("msg_1", near).await.assert_status(202);
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), (Some("2"), Some("1")));
    deliver("msg_2", near).await.assert_status(202);
    let refused = deliver("msg_3", near).await.assert_status(429);
    assert_eq!(refused.code(), "rate_limited");
    assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().unwrap() > 0));
    deliver("msg_4", [203, 0, 113, 2]).await.assert_status(202);
    assert_eq!(count(&app, "webhook_deliveries").await, 3);
    // Their jobs are not counted again.
    assert_eq!(app.drain().await, 3);
    assert_eq!(lines(&app).await.len(), 3);
}

#[tokio::test]
async fn an_application_without_a_signing_secret_does_not_start() {
    IS_MISSING.set(true);
    let started = AssertUnwindSafe(TestApp::start(App::new())).catch_unwind().await;
    IS_MISSING.set(false);
    let panic = started.err().unwrap();
    let text = panic.downcast_ref::<String>().unwrap();
    for part in ["BUNBASE_TEST_NO_SUCH_SECRET", "/t/webhooks/payments", "webhooks.payment"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn the_document_has_the_operation_of_a_webhook() {
    let app = start().await;
    let operation = &app.document()["paths"]["/t/webhooks/shops/{shop}"]["post"];
    let mut statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
    statuses.sort_unstable();
    for status in ["202", "400", "401"] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    let text = operation.to_string();
    for name in ["webhook-id", "webhook-signature", "shop"] {
        assert!(text.contains(name), "{text}");
    }
}
