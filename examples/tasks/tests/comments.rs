//! Comments on a task.

use serde_json::{Value, json};

use super::{create, read, start};

#[bunbase::test]
async fn comments_are_listed_oldest_first_and_page_by_page() {
    let app = start().await;
    create(&app, "weed", &[]).await;
    for text in ["When?", "Soon.", "Done."] {
        let comment = json!({ "author": "Ada", "text": text });
        let added = app.post("/projects/1/tasks/1/comments").json(&comment).send().await.assert_status(201);
        assert_eq!(added.json::<Value>()["text"], text);
    }
    let page = read(&app, "/projects/1/tasks/1/comments?limit=2").await;
    assert_eq!(page["items"][0]["text"], "When?");
    assert_eq!(page["items"][1]["text"], "Soon.");
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let rest = read(&app, &format!("/projects/1/tasks/1/comments?cursor={cursor}")).await;
    assert_eq!(rest["items"][0]["text"], "Done.");
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[bunbase::test]
async fn a_comment_needs_a_task_an_author_and_a_text() {
    let app = start().await;
    let comment = json!({ "author": "Ada", "text": "When?" });
    let missing = app.post("/projects/1/tasks/9/comments").json(&comment).send().await.assert_status(404);
    assert_eq!(missing.code(), "task_missing");
    create(&app, "weed", &[]).await;
    let empty = app.post("/projects/1/tasks/1/comments").json(&json!({ "text": "" })).send().await.assert_status(422);
    assert_eq!(empty.json::<Value>()["errors"].as_array().map(Vec::len), Some(2));
}
