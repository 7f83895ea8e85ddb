//! One task: its creation, its changes, its end.

use bunbase::{
    invoke::CallError,
    sea_orm::{EntityTrait, Set},
};
use serde_json::{Value, json};

use super::{create, read, start};
use crate::{
    entity::task,
    tasks::{CreateError, CreateTask, MOST_OPEN},
};

#[bunbase::test]
async fn creating_a_task_answers_where_it_is_and_sets_a_cookie() {
    let app = start().await;
    let body = json!({ "title": "weed", "due": "2030-05-01T08:00:00Z", "labels": ["green"] });
    let created = app.post("/projects/1/tasks").json(&body).send().await.assert_status(201);
    let location = created.header("location").expect("a location").to_owned();
    assert_eq!(location, "/projects/1/tasks/1");
    let cookie = created.header("set-cookie").expect("a cookie");
    for part in ["last_task=1", "HttpOnly", "SameSite=Strict", "Max-Age=604800"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    let shown = read(&app, &location).await;
    assert_eq!(shown, created.json::<Value>());
    assert_eq!(shown["state"], json!({ "kind": "open" }));
    assert_eq!(shown["due"], "2030-05-01T08:00:00Z");
    assert_eq!(shown["labels"], json!(["green"]));
}

#[bunbase::test]
async fn every_wrong_field_of_a_new_task_is_named_at_once() {
    let app = start().await;
    let body = json!({ "title": "", "due": "soon", "labels": ["fine", ""], "colour": "red" });
    let refused = app.post("/projects/1/tasks").json(&body).send().await.assert_status(422);
    let problem: Value = refused.json();
    let errors = problem["errors"].as_array().expect("a list");
    let mut pointers: Vec<_> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/colour", "/due", "/labels/1", "/title"]);
}

#[bunbase::test]
async fn a_change_tells_null_from_absent() {
    let app = start().await;
    let body = json!({ "title": "weed", "due": "2030-05-01T08:00:00Z" });
    app.post("/projects/1/tasks").json(&body).send().await.assert_status(201);
    let change = async |body: Value| -> Value {
        app.patch("/projects/1/tasks/1").json(&body).send().await.assert_status(200).json()
    };
    let renamed = change(json!({ "title": "mow" })).await;
    assert_eq!((&renamed["title"], &renamed["due"]), (&json!("mow"), &json!("2030-05-01T08:00:00Z")));
    let dateless = change(json!({ "due": null })).await;
    assert_eq!((&dateless["title"], &dateless["due"]), (&json!("mow"), &Value::Null));
    let dated = change(json!({ "due": "2031-01-01T00:00:00Z", "labels": ["green"] })).await;
    assert_eq!((&dated["due"], &dated["labels"]), (&json!("2031-01-01T00:00:00Z"), &json!(["green"])));
    assert_eq!(change(json!({})).await, dated, "a change of nothing changes nothing");
    assert_eq!(read(&app, "/projects/1/tasks/1").await, dated);
}

#[bunbase::test]
async fn a_task_is_done_once_and_can_be_opened_again() {
    let app = start().await;
    create(&app, "weed", &[]).await;
    let set = async |done: bool| -> Value {
        let changed = app.patch("/projects/1/tasks/1").json(&json!({ "done": done })).send().await;
        changed.assert_status(200).json::<Value>()["state"].clone()
    };
    let done = set(true).await;
    assert_eq!(done["kind"], "done");
    assert_eq!(set(true).await, done, "it stays done since then");
    assert_eq!(set(false).await, json!({ "kind": "open" }));
}

#[bunbase::test]
async fn a_deleted_task_is_gone_with_its_comments() {
    let app = start().await;
    create(&app, "weed", &[]).await;
    let comment = json!({ "author": "Ada", "text": "Soon." });
    app.post("/projects/1/tasks/1/comments").json(&comment).send().await.assert_status(201);
    app.delete("/projects/1/tasks/1").send().await.assert_status(204);
    for path in ["/projects/1/tasks/1", "/projects/1/tasks/1/comments"] {
        assert_eq!(app.get(path).send().await.assert_status(404).code(), "task_missing");
    }
    assert_eq!(app.delete("/projects/1/tasks/1").send().await.assert_status(404).code(), "task_missing");
    let comments: i64 = app.db().sql("SELECT count(*) FROM comments").scalar().await.expect("a number");
    assert_eq!(comments, 0);
}

#[bunbase::test]
async fn a_task_of_another_project_is_not_found() {
    let app = start().await;
    create(&app, "weed", &[]).await;
    app.post("/projects").json(&json!({ "name": "kitchen" })).send().await.assert_status(201);
    assert_eq!(app.get("/projects/2/tasks/1").send().await.assert_status(404).code(), "task_missing");
}

#[bunbase::test]
async fn a_full_project_takes_no_more_open_tasks() {
    let app = start().await;
    let now = bunbase::context::now();
    let row = |number: u64| task::ActiveModel {
        project_id: Set(1),
        title: Set(format!("task {number}")),
        labels: Set(json!([])),
        due: Set(None),
        done_at: Set(None),
        created_at: Set(now),
        ..Default::default()
    };
    task::Entity::insert_many((1..=MOST_OPEN).map(row)).exec(app.db()).await.expect("rows");
    let full = app.post("/projects/1/tasks").json(&json!({ "title": "one more" })).send().await.assert_status(409);
    assert_eq!(full.code(), "task_limit");
    app.patch("/projects/1/tasks/1").json(&json!({ "done": true })).send().await.assert_status(200);
    app.call(CreateTask::new(1, "one more".to_owned())).await.expect("there is room again");
    let refused = app.call(CreateTask::new(1, "too many".to_owned())).await;
    assert!(matches!(refused, Err(CallError::Action(CreateError::Limit { max: MOST_OPEN }))));
}
