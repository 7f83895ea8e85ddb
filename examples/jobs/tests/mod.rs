//! The pipeline's own tests: `cargo test -p bunbase-examples --example jobs`.

use bunbase::testing::{TestApp, assert_enqueued};
use serde_json::{Value, json};

use crate::{fulfil::FulfilOrder, orders::OrderPlaced, tracking::WatchBacklog};

async fn start() -> TestApp {
    TestApp::start(crate::app()).await
}

async fn place(app: &TestApp, key: &str, sku: &str) -> Value {
    let order = json!({ "key": key, "items": [{ "sku": sku, "quantity": 2 }] });
    app.post("/orders").json(&order).send().await.assert_status(201).json()
}

async fn state(app: &TestApp, key: &str) -> (String, i64) {
    let order: Value = app.get(&format!("/orders/{key}")).send().await.assert_status(200).json();
    (order["state"].as_str().unwrap_or_default().to_owned(), order["attempts"].as_i64().unwrap_or_default())
}

/// Works off what is due, and what comes due in the next seconds.
async fn work(app: &TestApp) {
    for _ in 0..6 {
        app.drain().await;
        app.clock().advance(std::time::Duration::from_secs(2));
    }
}

#[bunbase::test]
async fn an_order_its_job_and_its_event_are_stored_together() {
    let app = start().await;
    assert_eq!(place(&app, "a-1", "tea").await["state"], "pending");
    assert_enqueued!(app, FulfilOrder, |job| job.key == "a-1");
    assert_eq!(app.emitted::<OrderPlaced>("order.placed").await.len(), 1);
}

#[bunbase::test]
async fn the_same_key_again_is_the_same_order() {
    let app = start().await;
    assert_eq!(place(&app, "a-1", "tea").await, place(&app, "a-1", "coffee").await);
    assert_eq!(app.enqueued::<FulfilOrder>().await.len(), 1);
    assert_eq!(app.emitted::<OrderPlaced>("order.placed").await.len(), 1);
}

#[bunbase::test]
async fn an_order_is_fulfilled_and_its_receipt_sent() {
    let app = start().await;
    place(&app, "a-1", "tea").await;
    work(&app).await;
    assert_eq!(state(&app, "a-1").await, ("fulfilled".to_owned(), 1));
    let receipts: i64 = app.db().sql("SELECT count(*) FROM receipts").scalar().await.expect("a count");
    assert_eq!(receipts, 1);
}

#[bunbase::test]
async fn what_fails_now_and_then_is_tried_again() {
    let app = start().await;
    place(&app, "a-1", "flaky").await;
    work(&app).await;
    assert_eq!(state(&app, "a-1").await, ("fulfilled".to_owned(), 2));
}

#[bunbase::test]
async fn what_always_fails_ends_among_the_dead_letters() {
    let app = start().await;
    place(&app, "a-1", "broken").await;
    place(&app, "a-2", "tea").await;
    work(&app).await;
    assert_eq!(state(&app, "a-1").await, ("failed".to_owned(), 4));
    let summary: Value = app.get("/orders/summary").send().await.assert_status(200).json();
    let expected = json!({ "total": 2, "pending": 0, "fulfilled": 1, "failed": 1, "duplicate_effects": 0 });
    assert_eq!(summary, expected);
}

#[bunbase::test]
async fn what_was_not_ordered_is_missing_and_what_cannot_be_is_refused() {
    let app = start().await;
    app.get("/orders/none").send().await.assert_status(404);
    app.post("/orders").json(&json!({ "key": "a-1", "items": [] })).send().await.assert_status(422);
}

#[bunbase::test]
async fn a_carrier_that_is_away_is_asked_again_while_the_client_waits() {
    let app = start().await;
    for (key, sku, status) in [("a-1", "tea", 200), ("a-2", "flaky", 200), ("a-3", "broken", 503)] {
        place(&app, key, sku).await;
        app.get(&format!("/orders/{key}/parcel")).send().await.assert_status(status);
    }
    app.get("/orders/none/parcel").send().await.assert_status(404);
}

#[bunbase::test]
async fn the_backlog_is_looked_at_by_a_schedule() {
    let app = start().await;
    place(&app, "a-1", "tea").await;
    app.call(WatchBacklog::new()).await.expect("a look");
}
