//! A small service, written by hand against the tables that the macros emit.

use std::{borrow::Cow, sync::LazyLock, time::Duration};

use regex::Regex;
use schemars::schema::SchemaObject;
use serde_json::{Value, json};

use crate::{
    Error,
    action::{
        ActionMeta, Created, ErrorDoc, ErrorVariant, HeaderDoc, Method, ModuleMeta, Output, OutputDoc, Redirect, Sse,
        Trigger,
    },
    context::Ctx,
    error::Retry,
    guard::{Credential, Guard, GuardDoc, Security},
    openapi::{Document, Info, document},
    registry::{ActionEntry, ModuleEntry, Registry},
    schema::{
        Base64, Checker, Constraint, Field, FileRules, Generator, NoText, Number, Patch, Probe, Schema, Source, record,
    },
};

#[crate::schema(tag = "kind", rename_all = "snake_case")]
pub(super) enum State {
    /// Still to do.
    Open,
    Done {
        at: chrono::DateTime<chrono::Utc>,
    },
}

/// A plain enum that is also read from text.
#[crate::schema(rename_all = "snake_case")]
pub(super) enum Order {
    /// By title.
    Title,
    Due,
}

/// Has the name of a component that is the framework's own.
#[derive(serde::Serialize, serde::Deserialize)]
struct Problem;
impl Schema for Problem {
    const COMPONENT: bool = true;
    fn label() -> Cow<'static, str> {
        "Problem".into()
    }
    fn schema(generator: &mut Generator) -> SchemaObject {
        record::object(const { &[Field::new::<Option<Box<Self>>>("cause", None)] }, generator, |_| true)
    }
    fn check(_value: &Value, _checker: &mut Checker) {}
}

const TASK: &[Field] = &[
    Field { docs: "Chosen by the server.", ..Field::new::<i64>("id", None) },
    Field::new::<String>("title", None),
    Field { docs: "How far it is.", ..Field::new::<State>("state", None) },
    Field::new::<Option<chrono::DateTime<chrono::Utc>>>("due", None),
    Field::new::<Option<Order>>("order", None),
    Field { sensitive: true, ..Field::new::<Base64>("token", None) },
    Field::new::<(u8, String)>("pair", None),
];

#[derive(serde::Serialize, serde::Deserialize)]
struct Task;
impl Schema for Task {
    const COMPONENT: bool = true;
    fn label() -> Cow<'static, str> {
        "Task".into()
    }
    fn schema(generator: &mut Generator) -> SchemaObject {
        let mut schema = record::object(TASK, generator, |_| true);
        schema.metadata().description = Some("A unit of work.".to_owned());
        schema
    }
    fn check(_value: &Value, _checker: &mut Checker) {}
}

/// Stands for the type of an uploaded file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Upload;
impl Schema for Upload {
    const COMPONENT: bool = true;
    fn label() -> Cow<'static, str> {
        "Upload".into()
    }
    fn schema(_generator: &mut Generator) -> SchemaObject {
        SchemaObject::default()
    }
    fn check(_value: &Value, _checker: &mut Checker) {}
}

struct ApiKey;
impl Guard for ApiKey {
    type Error = KeyError;
    async fn check(&self, _ctx: &Ctx) -> Result<(), KeyError> {
        Ok(())
    }
    fn security(&self) -> Vec<Security> {
        vec![Security {
            scheme: "api_key",
            description: "A key from your account's page.",
            credential: Credential::Header("X-Api-Key"),
        }]
    }
}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct KeyError;
impl From<KeyError> for Error {
    fn from(_: KeyError) -> Self {
        Self::unauthorized("refused")
    }
}
const fn error(status: u16, code: &'static str, message: &'static str, docs: &'static str) -> ErrorVariant {
    ErrorVariant { status, code, message, docs, retry: Retry::ByStatus }
}
impl crate::action::ActionError for KeyError {
    const VARIANTS: &'static [ErrorVariant] = &[
        error(401, "key_missing", "this needs an API key", "No key was given."),
        error(403, "key_refused", "this key may not do this", "The key is known and may not do this."),
        error(429, "rate_limited", "too many requests", ""),
    ];

    fn class(&self) -> crate::error::ErrorClass<'_> {
        Self::VARIANTS[0].class()
    }
}

const META: ActionMeta = ActionMeta {
    name: "",
    module_path: "app::tasks",
    file: "src/tasks.rs",
    line: 1,
    summary: "",
    description: "",
    tags: &[],
    deprecated: false,
    triggers: &[],
    status: None,
    content_type: None,
    timeout: None,
    body_limit_bytes: None,
    retry: None,
    idempotent: false,
    cache: None,
    cpu: false,
    queue: "default",
    priority: crate::queue::Priority::Normal,
};

pub(super) const ENTRY: ActionEntry = ActionEntry {
    meta: META,
    fields: &[],
    output: <() as Output>::describe,
    errors: &[],
    open_errors: false,
    hidden_errors: true,
    check_errors: ErrorDoc::NONE,
    guards: Vec::new,
    providers: Vec::new,
};

macro_rules! text {
    ($name:literal: $type:ty) => {
        Field::new::<$type>($name, Probe::<$type>::TEXT)
    };
}

static SLUG: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[a-z-]+$").unwrap());

static MODULE: ModuleEntry = ModuleEntry {
    meta: ModuleMeta {
        name: "tasks",
        module_path: "app::tasks",
        file: "src/tasks.rs",
        line: 1,
        prefix: "/projects/{project_id}",
        description: "What is to be done.",
        tags: &[],
    },
    guards: || vec![Box::new(ApiKey)],
};

static ACTIONS: &[ActionEntry] = &[
    ActionEntry {
        meta: ActionMeta {
            name: "create_task",
            line: 10,
            summary: "Creates a task in a project.",
            description: "It is open at first.",
            triggers: &[
                Trigger::Http { method: Method::Post, path: "/tasks" },
                Trigger::Http { method: Method::Put, path: "/tasks/{title}" },
            ],
            timeout: Some(Duration::from_secs(10)),
            body_limit_bytes: Some(1024),
            ..META
        },
        fields: &[
            Field { source: Source::Path, ..text!("project_id": i64) },
            Field {
                docs: "What is to be done.",
                constraints: &[Constraint::Length { min: Some(1), max: Some(200) }],
                ..text!("title": String)
            },
            Field {
                docs: "Where it stands.",
                default: Some(|| Some(json!({ "kind": "open" }))),
                required: false,
                ..Field::new::<State>("state", None)
            },
            Field {
                constraints: &[
                    Constraint::Length { min: None, max: Some(10) },
                    Constraint::Each(&[Constraint::Pattern(&SLUG)]),
                ],
                ..text!("labels": Option<Vec<String>>)
            },
            Field {
                constraints: &[Constraint::Range {
                    min: Some(Number::Int(0)),
                    max: Some(Number::Float(1.0)),
                    exclusive_min: true,
                    exclusive_max: false,
                }],
                ..text!("weight": Option<f64>)
            },
            Field { source: Source::Query, deprecated: true, ..text!("notify": Option<bool>) },
            Field {
                source: Source::Header,
                param: Some("X-Request-Source"),
                docs: "Who asks.",
                ..text!("source": Option<String>)
            },
            Field { source: Source::Cookie, sensitive: true, ..text!("device": Option<String>) },
        ],
        output: |generator| {
            let mut doc = OutputDoc::json(generator.of::<Task>());
            for name in ["last_task", "seen"] {
                doc.headers.push(HeaderDoc {
                    name: "Set-Cookie".into(),
                    description: format!("Sets the cookie `{name}`.").into(),
                    required: true,
                    schema: generator.of::<String>(),
                });
            }
            doc.status = 201;
            doc
        },
        errors: &[
            error(404, "project_missing", "project {0} does not exist", "No project has this id."),
            error(409, "task_limit", "a project holds at most {max} tasks", ""),
            error(409, "task_exists", "there is such a task", "A task has this title."),
            error(422, "due_passed", "the time is over", ""),
            error(500, "internal", "an internal error", ""),
        ],
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "list_tasks",
            line: 20,
            summary: "Lists tasks.",
            triggers: &[Trigger::Http { method: Method::Get, path: "/tasks" }],
            ..META
        },
        fields: &[
            Field {
                default: Some(|| Some(json!(20))),
                required: false,
                constraints: &[Constraint::Range {
                    min: Some(Number::Int(1)),
                    max: Some(Number::Int(100)),
                    exclusive_min: false,
                    exclusive_max: false,
                }],
                ..text!("limit": u32)
            },
            Field { key: "tag", constraints: &[Constraint::Unique], ..text!("tags": Vec<String>) },
            Field { source: Source::Header, ..text!("if_match": Option<Vec<u64>>) },
        ],
        output: |generator| OutputDoc::json(generator.of::<Vec<Task>>()),
        open_errors: true,
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "update_task",
            line: 30,
            deprecated: true,
            triggers: &[Trigger::Http { method: Method::Patch, path: "/tasks/{task_id}" }],
            ..META
        },
        fields: &[
            text!("task_id": uuid::Uuid),
            Field::new::<Patch<State>>("state", None),
            text!("due": Patch<chrono::DateTime<chrono::Utc>>),
        ],
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "delete_task",
            line: 40,
            // The same path as above, with another name for its parameter.
            triggers: &[Trigger::Http { method: Method::Delete, path: "/tasks/{id}" }],
            ..META
        },
        fields: &[text!("id": String)],
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "attach",
            line: 50,
            triggers: &[Trigger::Http { method: Method::Post, path: "/files/{*name}" }],
            ..META
        },
        fields: &[
            text!("name": String),
            text!("caption": Option<String>),
            Field::new::<Option<State>>("state", None),
            Field {
                source: Source::File,
                docs: "A picture.",
                file: Some(FileRules { max_size_bytes: Some(1 << 20), content_types: &["image/png", "image/jpeg"] }),
                ..Field::new::<Upload>("picture", None)
            },
            Field {
                source: Source::File,
                constraints: &[Constraint::Length { min: None, max: Some(3) }],
                ..Field::new::<Option<Vec<Upload>>>("others", None)
            },
        ],
        output: <Created<String> as Output>::describe,
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "replace_all",
            line: 60,
            triggers: &[Trigger::Http { method: Method::Put, path: "/tasks" }],
            content_type: Some("text/csv"),
            ..META
        },
        fields: &[Field { source: Source::Body, docs: "All tasks.", ..Field::new::<Vec<Problem>>("tasks", None) }],
        output: <crate::action::Text as Output>::describe,
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "watch",
            module_path: "app",
            line: 70,
            tags: &["live"],
            triggers: &[Trigger::Http { method: Method::Get, path: "/watch" }],
            ..META
        },
        output: <Sse<u64> as Output>::describe,
        providers: || {
            let security = Security { scheme: "session", description: "", credential: Credential::Cookie("sid") };
            let mut doc = GuardDoc::new("session");
            doc.security = vec![vec![security], Vec::new()];
            doc.needs_caller = true;
            vec![doc]
        },
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "home",
            module_path: "app",
            line: 80,
            triggers: &[Trigger::Http { method: Method::Get, path: "/" }],
            status: Some(308),
            ..META
        },
        output: <Redirect as Output>::describe,
        ..ENTRY
    },
];

pub(super) fn registry() -> Registry {
    Registry::of(&ACTIONS.iter().collect::<Vec<_>>(), &[&MODULE], &[]).unwrap()
}

pub(super) fn info() -> Info {
    Info { title: "Tasks".to_owned(), version: "1.2.3".to_owned(), ..Info::default() }
}

pub(super) fn fixture() -> Document {
    document(&registry(), &info())
}
