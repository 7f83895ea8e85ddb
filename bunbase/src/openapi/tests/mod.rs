//! The document of a small service: reviewed as a whole, and rule by rule.

mod fixture;

use serde_json::{Value, json};

use self::fixture::{ENTRY, fixture, info, registry};
use super::{Info, Server, document};
use crate::{
    action::{ActionMeta, Method, Trigger},
    registry::{ActionEntry, Registry},
};

fn operation(document: &Value, method: &str, path: &str) -> Value {
    document["paths"][path][method].clone()
}

fn parameter(operation: &Value, name: &str) -> Value {
    let found = operation["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == name);
    found.unwrap_or_else(|| panic!("no parameter {name}")).clone()
}

#[test]
fn the_document_as_a_whole() {
    insta::assert_snapshot!(fixture().pretty());
}

#[test]
fn the_same_registry_gives_the_same_bytes() {
    assert_eq!(fixture().json(), fixture().json());
    assert_eq!(fixture().asset().etag(), fixture().asset().etag());
}

#[test]
fn a_parameter_of_a_prefix_that_no_field_names_is_text() {
    let list = operation(&fixture().value().clone(), "get", "/projects/{project_id}/tasks");
    let project = parameter(&list, "project_id");
    assert_eq!(
        project,
        json!({ "name": "project_id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
    );
}

#[test]
fn text_in_a_path_is_not_empty() {
    let document = fixture().value().clone();
    let delete = operation(&document, "delete", "/projects/{project_id}/tasks/{title}");
    assert_eq!(parameter(&delete, "title")["schema"]["minLength"], 1);
}

#[test]
fn paths_that_differ_in_names_only_are_one() {
    let document = fixture().value().clone();
    let item = &document["paths"]["/projects/{project_id}/tasks/{title}"];
    assert_eq!(item.as_object().unwrap().keys().collect::<Vec<_>>(), ["delete", "patch", "put"]);
    assert_eq!(parameter(&item["patch"], "title")["schema"]["format"], "uuid");
}

#[test]
fn a_list_in_the_query_is_a_repeated_key() {
    let list = operation(&fixture().value().clone(), "get", "/projects/{project_id}/tasks");
    let tags = parameter(&list, "tag");
    assert_eq!((&tags["style"], &tags["explode"], &tags["required"]), (&json!("form"), &json!(true), &json!(true)));
    assert_eq!(tags["schema"]["uniqueItems"], true);
}

#[test]
fn a_body_without_required_fields_may_be_left_out() {
    let document = fixture().value().clone();
    let update = operation(&document, "patch", "/projects/{project_id}/tasks/{title}");
    assert_eq!(update["requestBody"].get("required"), None);
    let create = operation(&document, "post", "/projects/{project_id}/tasks");
    assert_eq!(create["requestBody"]["required"], true);
}

#[test]
fn each_door_has_the_body_that_it_reads() {
    let document = fixture().value().clone();
    let schemas = &document["components"]["schemas"];
    assert!(schemas["CreateTaskBody"]["properties"].get("title").is_some());
    assert!(schemas["CreateTaskPutBody"]["properties"].get("title").is_none());
    let put = operation(&document, "put", "/projects/{project_id}/tasks/{title}");
    assert_eq!(put["operationId"], "tasks.create_task_put");
}

#[test]
fn a_closed_operation_names_every_code_that_it_can_answer() {
    let create = operation(&fixture().value().clone(), "post", "/projects/{project_id}/tasks");
    let answers = create["responses"].as_object().unwrap();
    assert_eq!(
        answers.keys().collect::<Vec<_>>(),
        ["201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503", "504"]
    );
    let codes = |status: &str| {
        answers[status]["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
            .clone()
    };
    assert_eq!(codes("409"), json!(["task_limit", "task_exists"]));
    assert_eq!(codes("422"), json!(["due_passed", "invalid_input"]));
    assert_eq!(answers["500"]["$ref"], "#/components/responses/InternalError");
    assert!(answers["429"]["headers"].get("Retry-After").is_some());
    assert!(answers["401"]["headers"].get("WWW-Authenticate").is_some());
}

#[test]
fn an_open_operation_has_a_default_and_promises_no_codes() {
    let document = fixture().value().clone();
    let list = operation(&document, "get", "/projects/{project_id}/tasks");
    assert_eq!(list["responses"]["default"]["$ref"], "#/components/responses/AnyError");
    assert_eq!(list["responses"]["422"]["$ref"], "#/components/responses/AnyInvalidInput");
    let schema =
        &document["components"]["responses"]["AnyInvalidInput"]["content"]["application/problem+json"]["schema"];
    assert_eq!(schema["allOf"][1]["properties"].get("code"), None);
    let delete = operation(&document, "delete", "/projects/{project_id}/tasks/{title}");
    assert_eq!(delete["responses"].get("default"), None);
}

#[test]
fn an_operation_without_input_is_never_refused_for_it() {
    let home = operation(&fixture().value().clone(), "get", "/");
    assert_eq!(home["responses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["308", "500", "503", "504"]);
}

#[test]
fn a_form_names_its_files_and_their_limits() {
    let document = fixture().value().clone();
    let attach = operation(&document, "post", "/projects/{project_id}/files/{name}");
    let form = &attach["requestBody"]["content"]["multipart/form-data"];
    assert_eq!(form["encoding"]["picture"]["contentType"], "image/png, image/jpeg");
    assert_eq!(form["encoding"]["state"]["contentType"], "application/json");
    let properties = &document["components"]["schemas"]["AttachBody"]["properties"];
    let binary = json!({ "type": "string", "format": "binary" });
    assert_eq!(properties["others"], json!({ "type": "array", "items": binary, "maxItems": 3 }));
    assert_eq!(properties["picture"]["x-max-size-bytes"], 1 << 20);
    assert_eq!(attach["responses"]["413"]["$ref"], "#/components/responses/FormTooLarge");
}

#[test]
fn every_answer_carries_its_trace_id() {
    let document = fixture().value().clone();
    let shared = document["components"]["responses"].as_object().unwrap().values();
    let own = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let own = own.flat_map(|operation| operation["responses"].as_object().unwrap().values());
    for answer in shared.chain(own).filter(|answer| answer.get("$ref").is_none()) {
        assert_eq!(answer["headers"]["x-trace-id"]["$ref"], "#/components/headers/TraceId", "{answer}");
    }
}

#[test]
fn a_default_timeout_is_documented() {
    let info = Info {
        request_timeout: true,
        servers: vec![Server { url: "https://api.example.com".to_owned(), description: None }],
        ..info()
    };
    let document = document(&registry(), &info).value().clone();
    assert_eq!(operation(&document, "get", "/")["responses"]["504"]["$ref"], "#/components/responses/Timeout");
    assert_eq!(document["servers"], json!([{ "url": "https://api.example.com" }]));
}

#[test]
fn what_is_refused_before_an_action_is_named_where_it_can_come() {
    use super::Refusals;
    let refusals = Refusals { cross_site: true, slow_bodies: true, long_targets: true, other_hosts: true };
    let document = document(&registry(), &Info { refusals, ..info() }).value().clone();
    let codes = |method: &str, path: &str, status: &str| {
        let operation = operation(&document, method, path);
        let mut answer = &operation["responses"][status];
        if let Some(name) = answer["$ref"].as_str() {
            answer = &document["components"]["responses"][name.rsplit('/').next().unwrap()];
        }
        answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"].clone()
    };
    let (form, delete) = ("/projects/{project_id}/files/{name}", "/projects/{project_id}/tasks/{title}");
    for (method, path) in [("post", form), ("delete", delete)] {
        // Beside what guards refuse with the same status.
        assert!(codes(method, path, "403").as_array().unwrap().contains(&json!("csrf_refused")), "{path}");
    }
    assert_eq!(codes("post", form, "408"), json!(["body_timeout"]));
    // Neither reads a body, and one changes nothing.
    assert_eq!((codes("delete", delete, "408"), codes("get", "/", "408")), (Value::Null, Value::Null));
    assert_eq!(codes("get", "/", "403"), Value::Null);
    for (method, path) in [("post", form), ("delete", delete), ("get", "/")] {
        assert_eq!(codes(method, path, "414"), json!(["uri_too_long"]), "{path}");
        assert_eq!(codes(method, path, "421"), json!(["host_refused"]), "{path}");
    }
    // Each is written down once.
    assert_eq!(operation(&document, "get", "/")["responses"]["414"]["$ref"], "#/components/responses/LongTarget");
}

#[test]
fn ids_and_bodies_stay_apart_where_names_meet() {
    use crate::schema::Field;
    static TWO: [ActionEntry; 2] = {
        let doors: &[Trigger] = &[
            Trigger::Http { method: Method::Post, path: "/a" },
            Trigger::Http { method: Method::Post, path: "/b" },
            Trigger::Http { method: Method::Put, path: "/b" },
        ];
        let fields: &[Field] = &[Field::new::<u8>("one", None)];
        let others: &[Field] = &[Field::new::<u8>("two", None)];
        [
            ActionEntry { meta: ActionMeta { name: "save", triggers: doors, ..ENTRY.meta }, fields, ..ENTRY },
            ActionEntry {
                meta: ActionMeta {
                    name: "save_put",
                    triggers: &[Trigger::Http { method: Method::Post, path: "/c" }],
                    ..ENTRY.meta
                },
                fields: others,
                ..ENTRY
            },
        ]
    };
    let registry = Registry::of(&[&TWO[0], &TWO[1]], &[], &[]).unwrap();
    let document = document(&registry, &info()).value().clone();
    let ids: Vec<_> =
        ["/a", "/b", "/c"].iter().map(|path| document["paths"][path]["post"]["operationId"].clone()).collect();
    assert_eq!(ids, ["save", "save_post", "save_put"]);
    assert_eq!(document["paths"]["/b"]["put"]["operationId"], "save_put_2");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas.keys().collect::<Vec<_>>(), ["FieldError", "Problem", "SaveBody", "SavePutBody"]);
}

mod annotated {
    use crate::prelude::*;

    /// Greets somebody.
    ///
    /// In words that are always the same.
    #[action(get = "/hello/{name}", post = "/hello", tags = ["greetings"])]
    async fn hello(
        /// Whom to greet.
        #[validate(length(max = 20))]
        name: String,
        #[query] times: Option<u8>,
        #[header("X-Language")] language: Option<String>,
    ) -> Result<String> {
        Ok(format!("{name} {times:?} {language:?}"))
    }

    #[derive(ActionError, Debug)]
    pub(super) enum Closed {
        /// There is no such thing.
        #[error(status = 404, code = "missing", "{0} is missing")]
        Missing(u8),
        #[error(internal)]
        Other(#[from] std::io::Error),
    }

    #[derive(ActionError, Debug)]
    pub(super) enum Open {
        #[error(framework)]
        Framework(#[from] crate::Error),
    }

    pub(super) static ENTRY: crate::registry::ActionEntry = crate::registry::ActionEntry::of::<Hello>();
}

#[test]
fn an_annotated_function_is_an_operation() {
    let registry = Registry::of(&[&annotated::ENTRY], &[], &[]).unwrap();
    let document = document(&registry, &info()).value().clone();
    let get = operation(&document, "get", "/hello/{name}");
    assert_eq!((&get["operationId"], &get["tags"]), (&json!("hello"), &json!(["greetings"])));
    assert_eq!(
        (&get["summary"], &get["description"]),
        (&json!("Greets somebody."), &json!("In words that are always the same."))
    );
    let name = parameter(&get, "name");
    assert_eq!((&name["in"], &name["description"]), (&json!("path"), &json!("Whom to greet.")));
    assert_eq!((&name["schema"]["minLength"], &name["schema"]["maxLength"]), (&json!(1), &json!(20)));
    assert_eq!(parameter(&get, "X-Language")["in"], "header");
    let post = operation(&document, "post", "/hello");
    assert_eq!(post["operationId"], "hello_post");
    assert_eq!(post["requestBody"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/HelloBody");
}

#[test]
fn an_error_that_passes_the_frameworks_through_is_open() {
    use crate::action::ActionError;
    const { assert!(!annotated::Closed::OPEN && annotated::Open::OPEN && crate::Error::OPEN) };
    assert_eq!(annotated::Closed::VARIANTS.len(), 1);
    let missing = crate::Error::from(annotated::Closed::Missing(7));
    assert_eq!((missing.status(), missing.code()), (404, annotated::Closed::VARIANTS[0].code));
}

#[test]
fn statuses_of_a_database_are_named_where_one_may_be_behind_an_error() {
    use std::convert::Infallible;

    use crate::action::ActionError;

    /// An action that fails as an error says.
    macro_rules! failing {
        ($error:ty, $line:literal, $path:literal) => {
            ActionEntry {
                meta: ActionMeta {
                    name: $path,
                    line: $line,
                    triggers: &[Trigger::Http { method: Method::Get, path: $path }],
                    ..ENTRY.meta
                },
                errors: <$error as ActionError>::VARIANTS,
                open_errors: <$error as ActionError>::OPEN,
                hidden_errors: <$error as ActionError>::HIDES,
                ..ENTRY
            }
        };
    }
    static CANNOT_FAIL: ActionEntry = failing!(Infallible, 1, "/cannot-fail");
    static CLOSED: ActionEntry = failing!(annotated::Closed, 2, "/closed");
    static OPEN: ActionEntry = failing!(crate::Error, 3, "/open");
    let registry = Registry::of(&[&CANNOT_FAIL, &CLOSED, &OPEN], &[], &[]).unwrap();
    let timed = |request_timeout| document(&registry, &Info { request_timeout, ..info() }).value().clone();
    let statuses = |document: &Value, path| {
        let responses = operation(document, "get", path)["responses"].clone();
        responses.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(statuses(&timed(true), "/cannot-fail"), ["204", "500", "504"]);
    assert_eq!(statuses(&timed(false), "/cannot-fail"), ["204", "500"]);
    assert_eq!(statuses(&timed(false), "/closed"), ["204", "404", "500", "503", "504"]);
    assert_eq!(statuses(&timed(false), "/open"), ["204", "500", "503", "504", "default"]);
    let codes = |status: &str| {
        let name = operation(&timed(true), "get", "/cannot-fail")["responses"][status]["$ref"].clone();
        let name = name.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        timed(true)["components"]["responses"][name]["content"]["application/problem+json"]["schema"]["allOf"][1]
            ["properties"]["code"]["enum"]
            .clone()
    };
    assert_eq!(codes("504"), json!(["timeout"]));
}

/// The same through the server: `TestApp` holds every answer against the document.
#[cfg(feature = "testing")]
#[tokio::test]
async fn real_answers_are_what_the_document_says() {
    let app = crate::testing::TestApp::start(crate::App::new()).await;
    for (uri, status) in [("/hello/ada?times=2", 200), ("/hello/ada?times=x", 422)] {
        app.get(uri).send().await.assert_status(status);
    }
    for (body, status) in [(json!({ "name": "ada" }), 200), (json!({ "name": 1, "more": 2 }), 422)] {
        app.post("/hello").json(&body).send().await.assert_status(status);
    }
    app.post("/hello").header("content-type", "application/json").body("{").send().await.assert_status(400);
    app.post("/hello").header("content-type", "text/plain").body("{}").send().await.assert_status(415);
}
