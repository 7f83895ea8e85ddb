//! A small library, written by hand against the tables that the macros emit.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use regex::Regex;
use serde_json::json;

use crate::{
    action::{ActionMeta, Created, ErrorDoc, HeaderDoc, Method, ModuleMeta, Output, OutputDoc, Text, Trigger},
    mcp::tool::{self, Entry},
    queue::Priority,
    registry::{ActionEntry, ModuleEntry, Registry},
    schema::{Base64, Constraint, Field, Number, Patch, Source},
};

/// Where a book is.
#[crate::schema(tag = "kind", rename_all = "snake_case")]
pub(super) enum State {
    /// On its shelf.
    Here,
    Lent {
        /// Until when.
        until: DateTime<Utc>,
    },
}

/// How a list is ordered.
#[crate::schema(rename_all = "snake_case")]
pub(super) enum Order {
    /// By title.
    Title,
    Newest,
}

/// A book.
#[crate::schema]
pub(super) struct Book {
    /// Chosen by the library.
    pub id: i64,
    pub title: String,
    pub state: State,
    /// The book that it continues.
    pub sequel_to: Option<Box<Self>>,
    pub place: (u8, String),
    pub cover: Option<Base64>,
}

const META: ActionMeta = ActionMeta {
    name: "",
    module_path: "app::books",
    file: "src/books.rs",
    line: 1,
    summary: "",
    description: "",
    tags: &[],
    deprecated: false,
    triggers: &[Trigger::Tool { name: None }],
    status: None,
    content_type: None,
    timeout: None,
    body_limit_bytes: None,
    retry: None,
    idempotent: false,
    cache: None,
    cpu: false,
    queue: "default",
    priority: Priority::Normal,
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

static ISBN: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[0-9]{13}$").unwrap());

pub(super) static MODULE: ModuleEntry = ModuleEntry {
    meta: ModuleMeta {
        name: "books",
        module_path: "app::books",
        file: "src/books.rs",
        line: 1,
        prefix: "/shelves/{shelf}",
        description: "",
        tags: &[],
    },
    guards: Vec::new,
};

static ACTIONS: [ActionEntry; 7] = [
    ActionEntry {
        meta: ActionMeta {
            name: "add",
            line: 10,
            summary: "Adds a book.",
            description: "It is on its shelf at first.",
            triggers: &[Trigger::Http { method: Method::Post, path: "/books" }, Trigger::Tool { name: None }],
            ..META
        },
        fields: &[
            Field { source: Source::Path, docs: "Where it stands.", ..Field::new::<i64>("shelf", None) },
            Field {
                docs: "What is on its back.",
                constraints: &[Constraint::Length { min: Some(1), max: Some(200) }],
                ..Field::new::<String>("title", None)
            },
            Field { constraints: &[Constraint::Pattern(&ISBN)], ..Field::new::<Option<String>>("isbn", None) },
            Field {
                docs: "Where it is.",
                default: Some(|| Some(json!({ "kind": "here" }))),
                required: false,
                ..Field::new::<State>("state", None)
            },
            Field {
                constraints: &[Constraint::Range {
                    min: Some(Number::Int(0)),
                    max: Some(Number::Float(1.5)),
                    exclusive_min: true,
                    exclusive_max: false,
                }],
                ..Field::new::<Option<f64>>("weight", None)
            },
            Field { source: Source::Header, param: Some("X-Source"), ..Field::new::<Option<String>>("source", None) },
            Field { source: Source::Cookie, sensitive: true, ..Field::new::<Option<String>>("device", None) },
            Field::new::<Option<Book>>("sequel_to", None),
        ],
        output: |generator| {
            let mut doc = <Created<Book> as Output>::describe(generator);
            doc.headers.push(HeaderDoc {
                name: "Set-Cookie".into(),
                description: "Sets the cookie `last`.".into(),
                required: true,
                schema: generator.of::<String>(),
            });
            doc
        },
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "list",
            line: 20,
            summary: "Lists books.",
            triggers: &[Trigger::Http { method: Method::Get, path: "/books" }, Trigger::Tool { name: Some("find") }],
            ..META
        },
        fields: &[
            Field { key: "by", docs: "What comes first.", ..Field::new::<Option<Order>>("order", None) },
            Field { deprecated: true, ..Field::new::<Option<Vec<u32>>>("ids", None) },
        ],
        output: |generator| OutputDoc::json(generator.of::<Vec<Book>>()),
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "update",
            line: 30,
            triggers: &[
                Trigger::Http { method: Method::Patch, path: "/books/{id}" },
                Trigger::Http { method: Method::Put, path: "/books/{id}" },
                Trigger::Tool { name: None },
            ],
            ..META
        },
        fields: &[Field::new::<i64>("id", None), Field::new::<Patch<State>>("state", None)],
        output: |generator| OutputDoc::json(generator.of::<State>()),
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta {
            name: "remove",
            line: 40,
            triggers: &[Trigger::Http { method: Method::Delete, path: "/books/{id}" }, Trigger::Tool { name: None }],
            ..META
        },
        fields: &[Field::new::<uuid::Uuid>("id", None)],
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta { name: "print", line: 50, content_type: Some("text/csv"), ..META },
        output: <Text as Output>::describe,
        ..ENTRY
    },
    ActionEntry {
        meta: ActionMeta { name: "newest", module_path: "app", line: 60, ..META },
        output: |generator| OutputDoc::json(generator.of::<Option<Book>>()),
        ..ENTRY
    },
    ActionEntry { meta: ActionMeta { name: "no_tool", line: 70, triggers: &[], ..META }, ..ENTRY },
];

pub(super) fn registry() -> Registry {
    Registry::of(&ACTIONS.iter().collect::<Vec<_>>(), &[&MODULE], &[]).unwrap()
}

pub(super) fn tools() -> Vec<Entry> {
    tool::all(&registry())
}
