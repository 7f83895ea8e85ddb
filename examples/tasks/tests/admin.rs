//! What only the operator may do.

use serde_json::json;

use super::{KEY, archive, create, start};

#[bunbase::test]
async fn the_operator_is_known_by_a_key() {
    let app = start().await;
    let without = app.get("/admin/totals").send().await.assert_status(401);
    assert_eq!(without.code(), "api_key_missing");
    assert!(without.header("www-authenticate").is_some());
    let wrong = app.get("/admin/totals").header("X-Api-Key", "guessed").send().await.assert_status(401);
    assert_eq!(wrong.code(), "api_key_unknown");
    let refused = app.post("/admin/projects/1/archive").send().await.assert_status(401);
    assert_eq!(refused.code(), "api_key_missing");
    assert_eq!(super::read(&app, "/projects/1").await["archived"], false);
}

#[bunbase::test]
async fn totals_count_projects_and_tasks() {
    let app = start().await;
    for title in ["weed", "mow", "dig"] {
        create(&app, title, &[]).await;
    }
    app.patch("/projects/1/tasks/1").json(&json!({ "done": true })).send().await.assert_status(200);
    let totals = app.get("/admin/totals").header("X-Api-Key", KEY).send().await.assert_status(200);
    let expected = json!({ "projects": 1, "open_tasks": 2, "done_tasks": 1 });
    assert_eq!(totals.json::<serde_json::Value>(), expected);
}

#[bunbase::test]
async fn archiving_twice_is_archiving_once() {
    let app = start().await;
    archive(&app).await;
    archive(&app).await;
    let missing = app.post("/admin/projects/2/archive").header("X-Api-Key", KEY).send().await.assert_status(404);
    assert_eq!(missing.code(), "project_missing");
}
