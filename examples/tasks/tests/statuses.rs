//! Every status that the document names, provoked: what is written there can happen, and what happens is written there.

use std::collections::BTreeSet;

use bunbase::{
    App,
    guard::ApiKeys,
    sea_orm::{ActiveModelTrait, ConnectionTrait, Set},
    testing::TestApp,
};
use serde_json::{Value, json};

use super::{KEY, archive};
use crate::entity::{project, task};

/// A request that succeeds in a service with project 1 and task 1.
struct Operation {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
}

fn operations() -> Vec<Operation> {
    let operation = |method, path, body| Operation { method, path, body };
    let task = "/projects/{project_id}/tasks/{task_id}";
    let comments = "/projects/{project_id}/tasks/{task_id}/comments";
    vec![
        operation("GET", "/hello/{name}", None),
        operation("POST", "/projects", Some(json!({ "name": "another" }))),
        operation("GET", "/projects/{project_id}", None),
        operation("POST", "/projects/{project_id}/tasks", Some(json!({ "title": "mow" }))),
        operation("GET", "/projects/{project_id}/tasks", None),
        operation("GET", task, None),
        operation("PATCH", task, Some(json!({ "title": "dig" }))),
        operation("POST", comments, Some(json!({ "author": "Ada", "text": "When?" }))),
        operation("GET", comments, None),
        operation("DELETE", task, None),
        operation("GET", "/admin/totals", None),
        operation("POST", "/admin/projects/{project_id}/archive", None),
    ]
}

/// What is different from the request that succeeds.
#[derive(Clone, Copy)]
enum Twist {
    Nothing,
    /// Ids of nothing.
    Missing,
    /// Parameters that are no ids, and a body without fields.
    Invalid,
    /// No key.
    Anonymous,
    /// A body that is not JSON.
    Malformed,
    /// A body of another content type.
    Text,
    /// A body that is too large.
    Large,
    /// By a page of another site.
    Foreign,
    /// For a host that this one is not.
    Elsewhere,
    /// With a target that is too long.
    Long,
}

/// Statuses by operation: `GET /projects/{project_id} 404`.
type Statuses = BTreeSet<String>;

async fn provoke(app: &TestApp, twist: Twist, seen: &mut Statuses) {
    for operation in operations() {
        let (id, name) = match twist {
            Twist::Missing => ("99", "Ada"),
            Twist::Invalid => ("one", "%00"),
            _ => ("1", "Ada"),
        };
        let path = operation.path.replace("{project_id}", id).replace("{task_id}", id).replace("{name}", name);
        let path = if matches!(twist, Twist::Long) { format!("{path}?{}", "a".repeat(2000)) } else { path };
        let mut request = app.request(operation.method, &path);
        match twist {
            Twist::Foreign => request = request.header("Sec-Fetch-Site", "cross-site"),
            Twist::Elsewhere => request = request.header("Host", "elsewhere.example"),
            _ => {}
        }
        if !matches!(twist, Twist::Anonymous) {
            request = request.header("X-Api-Key", KEY);
        }
        if let Some(body) = &operation.body {
            request = match twist {
                Twist::Invalid => request.json(&json!({})),
                Twist::Malformed => request.header("Content-Type", "application/json").body("{"),
                Twist::Text => request.header("Content-Type", "text/plain").body("mow the lawn"),
                Twist::Large => request.json(&json!({ "title": "m".repeat(2000) })),
                _ => request.json(body),
            };
        }
        let answer = request.send().await;
        seen.insert(format!("{} {} {}", operation.method, operation.path, answer.status()));
    }
}

fn service() -> App {
    crate::app(ApiKeys::new().with("operator", KEY))
}

/// Starts a service with a project and a task. Their ids are 1.
async fn furnished(app: App) -> TestApp {
    let app = TestApp::start(app).await;
    // Not by requests: there may be no time for any.
    let created_at = Set(bunbase::context::now());
    let project = project::ActiveModel {
        name: Set("garden".to_owned()),
        archived: Set(false),
        created_at: created_at.clone(),
        ..Default::default()
    };
    project.insert(app.db()).await.expect("a project");
    let task = task::ActiveModel {
        project_id: Set(1),
        title: Set("weed".to_owned()),
        labels: Set(json!([])),
        created_at,
        ..Default::default()
    };
    task.insert(app.db()).await.expect("a task");
    app
}

/// Returns the statuses that the document names. `default` stands for those that an error of an unknown kind brings along.
fn named(document: &Value) -> Statuses {
    statuses(document).into_iter().filter(|status| !status.ends_with(" default")).collect()
}

/// Returns the keys of all answers that the document describes.
fn statuses(document: &Value) -> Statuses {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().into_iter().flatten();
        operations.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    let statuses = operations.flat_map(|(operation, described)| {
        let responses = described["responses"].as_object().into_iter().flatten();
        responses.map(move |(status, _)| format!("{operation} {status}"))
    });
    statuses.collect()
}

#[bunbase::test]
async fn every_status_that_the_document_names_can_happen() {
    let mut seen = Statuses::new();

    for twist in [Twist::Missing, Twist::Invalid, Twist::Anonymous, Twist::Malformed, Twist::Text] {
        provoke(&furnished(service()).await, twist, &mut seen).await;
    }
    let app = furnished(service()).await;
    provoke(&app, Twist::Nothing, &mut seen).await;
    // Now the project is archived, and another has the name.
    provoke(&app, Twist::Nothing, &mut seen).await;
    let expected = named(app.document());

    let app = furnished(service().config("http.max_body_size", "1KB")).await;
    provoke(&app, Twist::Large, &mut seen).await;

    // No time at all: enough to begin, and over before the handler is reached.
    let app = furnished(service().config("http.request_timeout", "1ns")).await;
    provoke(&app, Twist::Nothing, &mut seen).await;

    let app = furnished(service()).await;
    for table in ["comments", "tasks", "projects"] {
        app.db().execute_unprepared(&format!("DROP TABLE {table}")).await.expect("it is dropped");
    }
    provoke(&app, Twist::Nothing, &mut seen).await;
    app.db().close().await;
    provoke(&app, Twist::Nothing, &mut seen).await;

    let app =
        furnished(service().config("http.allowed_hosts", vec!["localhost"]).config("http.max_uri_size", "1KB")).await;
    for twist in [Twist::Foreign, Twist::Elsewhere, Twist::Long] {
        provoke(&app, twist, &mut seen).await;
    }

    // A handler may panic, and then this is the answer; the one that greets asks nobody and has no way to fail. And a body that does not
    // come is one of a connection: bunbase has a test with a raw one.
    let is_spared = |status: &str| status == "GET /hello/{name} 500" || status.ends_with(" 408");
    let left: Vec<_> = expected.difference(&seen).filter(|status| !is_spared(status)).collect();
    assert!(left.is_empty(), "the document names what never happened: {left:#?}");
}

#[bunbase::test]
async fn only_what_passes_on_errors_of_any_kind_has_an_answer_for_any_status() {
    let app = furnished(service()).await;
    let open = statuses(app.document()).into_iter().filter(|status| status.ends_with(" default"));
    // One runs a transaction and the other raw SQL, both of which answer with the framework's error.
    let expected = ["GET /admin/totals default", "POST /projects/{project_id}/tasks default"];
    assert_eq!(open.collect::<Vec<_>>(), expected);
}

#[bunbase::test]
async fn a_status_that_happens_is_one_that_the_document_names() {
    let app = furnished(service()).await;
    archive(&app).await;
    let mut seen = Statuses::new();
    for twist in [Twist::Nothing, Twist::Missing, Twist::Invalid, Twist::Anonymous] {
        provoke(&app, twist, &mut seen).await;
    }
    let unnamed: Vec<_> = seen.difference(&named(app.document())).cloned().collect();
    assert!(unnamed.is_empty(), "the document is silent about {unnamed:#?}");
}
