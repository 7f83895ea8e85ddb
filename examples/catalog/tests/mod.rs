//! The catalogue's own tests: `cargo test -p bunbase-examples --example catalog`.

mod nginx;

use bunbase::testing::{TestApp, TestResponse};
use serde_json::{Value, json};

const EDITOR: &str = "let-me-edit-please";

async fn start() -> TestApp {
    TestApp::start(crate::app()).await
}

async fn show(app: &TestApp, sku: &str) -> TestResponse {
    app.get(&format!("/catalog/{sku}")).send().await
}

#[bunbase::test]
async fn a_product_is_read_once_and_then_kept() {
    let app = start().await;
    let first = show(&app, "tea-green").await.assert_status(200);
    assert_eq!(first.header("cache-control"), Some("public, max-age=300, stale-while-revalidate=60"));
    assert_eq!(first.json::<Value>()["price_cents"], 650);
    // What changes behind the application's back is not seen.
    app.db().sql("DELETE FROM products").execute().await.expect("it deletes");
    let second = show(&app, "tea-green").await.assert_status(200);
    assert_eq!(second.bytes(), first.bytes());
    assert!(second.header("cache-status").is_some_and(|status| status.starts_with("bunbase; hit")));
    let etag = first.header("etag").expect("it has a version");
    app.get("/catalog/tea-green").header("if-none-match", etag).send().await.assert_status(304);
}

#[bunbase::test]
async fn a_change_is_seen_at_once() {
    let app = start().await;
    let old = show(&app, "tea-green").await.assert_status(200);
    let all = app.get("/catalog").send().await.assert_status(200);
    let change = json!({ "name": "Green tea", "price_cents": 700 });
    let put = || app.put("/catalog/tea-green").json(&change);
    put().send().await.assert_status(401);
    put().header("x-api-key", EDITOR).send().await.assert_status(200);
    let new = show(&app, "tea-green").await.assert_status(200);
    assert_eq!(new.json::<Value>()["price_cents"], 700);
    assert_ne!(new.header("etag"), old.header("etag"));
    assert_ne!(app.get("/catalog").send().await.bytes(), all.bytes());
}

#[bunbase::test]
async fn a_client_gets_fifty_quotes_a_minute() {
    let app = start().await;
    let ask = |peer: [u8; 4]| app.post("/catalog/quote").peer(peer).json(&json!({ "sku": "mug-blue" })).send();
    for left in (0..50).rev() {
        let answer = ask([203, 0, 113, 1]).await.assert_status(200);
        assert_eq!(answer.header("ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    let refused = ask([203, 0, 113, 1]).await.assert_status(429);
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a number");
    assert!((1..=64).contains(&wait), "{wait}");
    ask([203, 0, 113, 2]).await.assert_status(200);
    app.clock().advance(std::time::Duration::from_secs(wait));
    ask([203, 0, 113, 1]).await.assert_status(200);
}

#[bunbase::test]
async fn a_quote_is_the_price_of_all() {
    let app = start().await;
    let ask = |body: Value| app.post("/catalog/quote").json(&body).send();
    let quote: Value = ask(json!({ "sku": "tea-black", "quantity": 3 })).await.assert_status(200).json();
    assert_eq!(quote["total_cents"], 1770);
    assert_eq!(ask(json!({ "sku": "none" })).await.assert_status(404).code(), "product_missing");
    ask(json!({ "sku": "tea-black", "quantity": 0 })).await.assert_status(422);
    show(&app, "none").await.assert_status(404);
}
