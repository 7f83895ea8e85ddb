//! The service's own tests: `cargo test -p bunbase-examples --example tasks`, on Postgres with `BUNBASE_TEST_DATABASE=postgres`.
//!
//! Every answer is held against the service's own document, so that none of these tests has to look at its shape.

mod admin;
mod comments;
mod lists;
mod projects;
mod statuses;
mod tasks;

use bunbase::{guard::ApiKeys, testing::TestApp};
use serde_json::{Value, json};

/// The operator's key.
const KEY: &str = "key";

/// Starts the service with one project, whose id is 1.
async fn start() -> TestApp {
    let app = empty().await;
    app.post("/projects").json(&json!({ "name": "garden" })).send().await.assert_status(201);
    app
}

/// Starts the service.
async fn empty() -> TestApp {
    TestApp::start(crate::app(ApiKeys::new().with("operator", KEY))).await
}

/// Creates a task in project 1 and returns its id.
async fn create(app: &TestApp, title: &str, labels: &[&str]) -> i64 {
    let body = json!({ "title": title, "labels": labels });
    let created = app.post("/projects/1/tasks").json(&body).send().await.assert_status(201);
    created.json::<Value>()["id"].as_i64().expect("an id")
}

/// Archives project 1, as the operator does.
async fn archive(app: &TestApp) {
    app.post("/admin/projects/1/archive").header("X-Api-Key", KEY).send().await.assert_status(204);
}

/// Reads a path as JSON.
async fn read(app: &TestApp, uri: &str) -> Value {
    app.get(uri).send().await.assert_status(200).json()
}
