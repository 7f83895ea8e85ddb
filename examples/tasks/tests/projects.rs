//! Projects.

use bunbase::invoke::CallError;
use serde_json::{Value, json};

use super::{archive, empty, read, start};
use crate::projects::{CreateError, CreateProject};

#[bunbase::test]
async fn the_location_of_a_new_project_shows_it() {
    let app = empty().await;
    let created = app.post("/projects").json(&json!({ "name": "garden" })).send().await.assert_status(201);
    let location = created.header("location").expect("a location").to_owned();
    assert_eq!(location, "/projects/1");
    assert_eq!(read(&app, &location).await, created.json::<Value>());
}

#[bunbase::test]
async fn two_projects_cannot_have_one_name() {
    let app = start().await;
    let refused = app.post("/projects").json(&json!({ "name": "garden" })).send().await.assert_status(409);
    assert_eq!(refused.code(), "project_exists");
}

#[bunbase::test]
async fn a_project_that_is_not_there_is_missing_everywhere_below_it() {
    let app = empty().await;
    for path in ["/projects/7", "/projects/7/tasks", "/projects/7/tasks/1", "/projects/7/tasks/1/comments"] {
        assert_eq!(app.get(path).send().await.assert_status(404).code(), "project_missing", "{path}");
    }
}

#[bunbase::test]
async fn an_archived_project_can_be_read_and_not_changed() {
    let app = start().await;
    super::create(&app, "weed", &[]).await;
    archive(&app).await;
    assert_eq!(read(&app, "/projects/1").await["archived"], true);
    for path in ["/projects/1/tasks", "/projects/1/tasks/1", "/projects/1/tasks/1/comments"] {
        read(&app, path).await;
    }
    let task = json!({ "title": "mow" });
    let comment = json!({ "author": "Ada", "text": "Soon." });
    for (method, path, body) in [
        ("POST", "/projects/1/tasks", &task),
        ("PATCH", "/projects/1/tasks/1", &task),
        ("DELETE", "/projects/1/tasks/1", &Value::Null),
        ("POST", "/projects/1/tasks/1/comments", &comment),
    ] {
        let request = app.request(method, path);
        let request = if body.is_null() { request } else { request.json(body) };
        assert_eq!(request.send().await.assert_status(409).code(), "project_archived", "{method} {path}");
    }
}

#[bunbase::test]
async fn an_action_is_called_by_its_message_and_fails_with_its_own_error() {
    let app = empty().await;
    let created = app.call(CreateProject::new("garden".to_owned())).await.expect("it is created");
    assert_eq!(created.body.name, "garden");
    let refused = app.call(CreateProject::new("garden".to_owned())).await;
    assert!(matches!(refused, Err(CallError::Action(CreateError::Exists(name))) if name == "garden"));
    let invalid = app.call(CreateProject::new(String::new())).await;
    assert!(matches!(invalid, Err(CallError::Framework(error)) if error.status() == 422));
}
