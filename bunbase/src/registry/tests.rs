//! What only the whole binary shows is wrong, each with file and line of all that it concerns.

use super::{ActionEntry, BuiltInPath, ModuleEntry, Registry};
use crate::{
    action::{ActionMeta, ErrorDoc, Method, ModuleMeta, Output, Trigger},
    queue::Priority,
};

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
    priority: Priority::Normal,
};

const fn action(name: &'static str, line: u32, triggers: &'static [Trigger]) -> ActionEntry {
    ActionEntry {
        meta: ActionMeta { name, line, triggers, ..META },
        fields: &[],
        output: <() as Output>::describe,
        errors: &[],
        open_errors: false,
        hidden_errors: true,
        check_errors: ErrorDoc::NONE,
        guards: Vec::new,
        providers: Vec::new,
    }
}

const fn get(path: &'static str) -> Trigger {
    Trigger::Http { method: Method::Get, path }
}

const fn post(path: &'static str) -> Trigger {
    Trigger::Http { method: Method::Post, path }
}

const fn module(line: u32, prefix: &'static str) -> ModuleEntry {
    ModuleEntry {
        meta: ModuleMeta {
            name: "tasks",
            module_path: "app::tasks",
            file: "src/tasks.rs",
            line,
            prefix,
            description: "",
            tags: &[],
        },
        guards: Vec::new,
    }
}

/// Returns every mistake of these actions and modules.
fn mistakes(
    actions: &[&'static ActionEntry],
    modules: &[&'static ModuleEntry],
    built_in: &[BuiltInPath],
    listed: &[&'static str],
) -> Vec<String> {
    Registry::beside(built_in, actions, modules, listed).map_or_else(|mistakes| mistakes.0, |_| Vec::new())
}

#[test]
fn two_actions_of_one_name_are_listed() {
    static ACTIONS: [ActionEntry; 3] = [action("list", 3, &[]), action("list", 9, &[]), action("show", 12, &[])];
    static MODULE: ModuleEntry = module(1, "");
    let actions: Vec<_> = ACTIONS.iter().collect();
    assert_eq!(
        mistakes(&actions, &[&MODULE], &[], &[]),
        [
            "two actions are named `tasks.list`: `tasks.list` (src/tasks.rs:3) and `tasks.list` (src/tasks.rs:9); give one \
             `name = \"…\"`, or its module a name"
        ]
    );
}

#[test]
fn a_route_that_is_bound_twice_is_listed_whatever_its_parameters_are_called() {
    static ACTIONS: [ActionEntry; 3] = [
        action("show", 3, &[get("/tasks/{id}"), post("/tasks")]),
        action("also", 9, &[get("/tasks/{task}")]),
        action("create", 12, &[post("/tasks/{id}"), post("/tasks")]),
    ];
    let found = mistakes(&ACTIONS.iter().collect::<Vec<_>>(), &[], &[], &[]);
    let found: Vec<_> = found.iter().filter(|mistake| !mistake.contains("has no field")).collect();
    assert_eq!(
        found,
        [
            "GET /tasks/{task} is bound twice: by `show` (src/tasks.rs:3) and by `also` (src/tasks.rs:9)",
            "POST /tasks is bound twice: by `show` (src/tasks.rs:3) and by `create` (src/tasks.rs:12)",
        ]
    );
}

#[test]
fn paths_that_cannot_be_told_apart_are_listed_as_they_are_written() {
    static ACTIONS: [ActionEntry; 3] = [
        action("rest", 3, &[get("/files/{*path}")]),
        action("one", 9, &[post("/files/{id}")]),
        action("fine", 12, &[get("/files")]),
    ];
    static MODULE: ModuleEntry = module(1, "/projects/{project}");
    let found = mistakes(&ACTIONS.iter().collect::<Vec<_>>(), &[&MODULE], &[], &[]);
    let found: Vec<_> = found.iter().filter(|mistake| !mistake.contains("has no field")).collect();
    assert_eq!(
        found,
        ["the paths `/projects/{project}/files/{*path}` of `tasks.rest` (src/tasks.rs:3) and \
             `/projects/{project}/files/{id}` of `tasks.one` (src/tasks.rs:9) cannot be told apart; change one of them"]
    );
}

#[test]
fn an_action_on_a_built_in_path_is_listed_with_the_key_that_moves_it() {
    static ACTIONS: [ActionEntry; 2] = [
        action("health", 3, &[get("/_health"), post("/_health/live")]),
        action("docs", 9, &[post("/docs"), get("/doc")]),
    ];
    let taken = |path: &str, key| BuiltInPath { path: path.to_owned(), key };
    let built_in = [taken("/_health", None), taken("/_health/live", None), taken("/docs", Some("docs.path"))];
    assert_eq!(
        mistakes(&ACTIONS.iter().collect::<Vec<_>>(), &[], &built_in, &[]),
        [
            "GET /_health of `health` (src/tasks.rs:3) is a built-in endpoint; move the action",
            "POST /_health/live of `health` (src/tasks.rs:3) is a built-in endpoint; move the action",
            "POST /docs of `docs` (src/tasks.rs:9) is a built-in endpoint; move the action, or `docs.path`",
        ]
    );
}

#[test]
fn a_module_that_is_declared_twice_or_registers_nothing_is_listed() {
    static MODULES: [ModuleEntry; 2] = [module(1, "/a"), module(30, "/b")];
    static ACTION: ActionEntry = action("list", 3, &[]);
    assert_eq!(
        mistakes(&[&ACTION], &[&MODULES[0], &MODULES[1]], &[], &["app::tasks", "billing"]),
        [
            "`bunbase::module!` is twice in `app::tasks`: src/tasks.rs:1 and src/tasks.rs:30",
            "module `billing` is listed and registered no action: has it `#[action]` functions, and is it compiled in?",
        ]
    );
}

#[test]
fn the_parameters_of_a_template_and_the_fields_must_agree() {
    static ACTION: ActionEntry = action("show", 3, &[get("/tasks/{id}")]);
    static MODULES: [ModuleEntry; 1] = [module(1, "/{id}")];
    assert_eq!(
        mistakes(&[&ACTION], &[&MODULES[0]], &[], &[]),
        [
            "`{id}` in `/{id}/tasks/{id}` has no field in `tasks.show` (src/tasks.rs:3)",
            "`{id}` in `/{id}/tasks/{id}` has no field in `tasks.show` (src/tasks.rs:3)",
            "`{id}` is twice in `/{id}/tasks/{id}` of `tasks.show` (src/tasks.rs:3)",
        ]
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    static ACTIONS: [ActionEntry; 2] = [action("list", 3, &[get("/tasks")]), action("list", 9, &[get("/tasks")])];
    let error = Registry::of(&[&ACTIONS[0], &ACTIONS[1]], &[], &["billing"]).unwrap_err().to_string();
    assert!(error.starts_with("3 mistake(s) in the declared actions:\n  - two actions are named `list`"), "{error}");
    assert_eq!(error.lines().count(), 4, "{error}");
}
