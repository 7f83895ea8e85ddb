//! Mistakes that only the whole binary shows.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{ModuleEntry, Registered, Route, resolve};
use crate::{
    action::{
        CachePolicy, Trigger,
        placement::{Placement, parameter_name, parameters},
    },
    schema::Generator,
};

/// Everything that is wrong with a binary's actions, each with file and line.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} mistake(s) in the declared actions:", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  - {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// A path that is not an action's: of the health endpoints, of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltInPath {
    /// The path, without parameters.
    pub path: String,
    /// The configuration key that moves it, where there is one.
    pub key: Option<&'static str>,
}

pub(super) fn all(
    actions: &[Registered],
    modules: &[&'static ModuleEntry],
    listed: &[&'static str],
    built_in: &[BuiltInPath],
) -> Result<(), Mistakes> {
    let mut mistakes = Vec::new();
    names(actions, &mut mistakes);
    routes(actions, built_in, &mut mistakes);
    path_fields(actions, &mut mistakes);
    tools(actions, &mut mistakes);
    callers(actions, &mut mistakes);
    guards(actions, &mut mistakes);
    cached(actions, &mut mistakes);
    subscriptions(actions, &mut mistakes);
    module_twice(modules, &mut mistakes);
    for module in listed {
        if !actions.iter().any(|action| resolve::contains(module, action.entry.meta.module_path)) {
            mistakes.push(format!(
                "module `{module}` is listed and registered no action: has it `#[action]` functions, and is it compiled in?"
            ));
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
}

fn place(action: &Registered) -> String {
    format!("`{}` ({}:{})", action.name, action.entry.meta.file, action.entry.meta.line)
}

fn names(actions: &[Registered], mistakes: &mut Vec<String>) {
    let mut seen: BTreeMap<&str, &Registered> = BTreeMap::new();
    for action in actions {
        if let Some(first) = seen.insert(action.name, action) {
            mistakes.push(format!(
                "two actions are named `{}`: {} and {}; give one `name = \"…\"`, or its module a name",
                action.name,
                place(first),
                place(action)
            ));
        }
    }
}

fn routes(actions: &[Registered], built_in: &[BuiltInPath], mistakes: &mut Vec<String>) {
    let all: Vec<(&Registered, Route)> =
        actions.iter().flat_map(|action| action.all_routes().map(move |route| (action, route))).collect();
    let mut table = matchit::Router::new();
    let mut seen: BTreeMap<String, Vec<(&Registered, &Route)>> = BTreeMap::new();
    for (action, route) in all.iter().map(|(action, route)| (*action, route)) {
        let (shape, method, path) = (route.shape(), route.method, &route.path);
        if let Some(taken) = built_in.iter().find(|taken| taken.path == shape) {
            let instead = taken.key.map(|key| format!(", or `{key}`")).unwrap_or_default();
            let action = place(action);
            mistakes.push(format!("{method} {path} of {action} is a built-in endpoint; move the action{instead}"));
            continue;
        }
        // The same shape with another method shares an entry of the table.
        if let Some(others) = seen.get_mut(&shape) {
            if let Some((first, _)) = others.iter().find(|(_, other)| other.method == method) {
                let (first, second) = (place(first), place(action));
                mistakes.push(format!("{method} {path} is bound twice: by {first} and by {second}"));
            }
            others.push((action, route));
            continue;
        }
        if let Err(error) = table.insert(shape.clone(), ()) {
            let action = place(action);
            let first = seen.iter().find(|(other, _)| clash(other, &shape)).and_then(|(_, routes)| routes.first());
            mistakes.push(match first {
                Some((first, other)) => format!(
                    "the paths `{}` of {} and `{path}` of {action} cannot be told apart; change one of them",
                    other.path,
                    place(first)
                ),
                None => format!("the path `{path}` of {action} cannot be served: {error}"),
            });
        }
        seen.insert(shape, vec![(action, route)]);
    }
}

/// Returns whether no table can hold both. The error of one that holds more names a path that nobody wrote.
fn clash(first: &str, second: &str) -> bool {
    let mut table = matchit::Router::new();
    table.insert(first, ()).is_ok() && table.insert(second, ()).is_err()
}

/// The joined template and the `#[path]` fields must name the same parameters.
fn path_fields(actions: &[Registered], mistakes: &mut Vec<String>) {
    for action in actions {
        for route in &action.all_routes().collect::<Vec<_>>() {
            let fields: Vec<String> = action
                .entry
                .fields
                .iter()
                .filter(|field| Placement::of(field, route.method, route.own) == Placement::Path)
                .map(|field| parameter_name(field, Placement::Path))
                .collect();
            let given: Vec<&str> = parameters(&route.path).collect();
            for name in &given {
                // A parameter of a prefix may be of no interest to an action; one of its own template never is.
                if !fields.iter().any(|field| field == name) && parameters(route.own).any(|own| own == *name) {
                    mistakes.push(format!("`{{{name}}}` in `{}` has no field in {}", route.path, place(action)));
                }
            }
            for field in &fields {
                if !given.contains(&field.as_str()) {
                    mistakes.push(format!(
                        "`#[path] {field}` of {} is not in `{}`; add `{{{field}}}` to the template or to the module's prefix",
                        place(action),
                        route.path
                    ));
                }
            }
            for (index, name) in given.iter().enumerate() {
                if given[..index].contains(name) {
                    mistakes.push(format!("`{{{name}}}` is twice in `{}` of {}", route.path, place(action)));
                }
            }
        }
    }
}

/// What clients of the Model Context Protocol take as the name of a tool. The compiler has seen the names that are written, but not
/// those that are the actions'.
fn is_tool_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

fn tools(actions: &[Registered], mistakes: &mut Vec<String>) {
    let mut seen: BTreeMap<Cow<'_, str>, &Registered> = BTreeMap::new();
    for action in actions {
        for name in action.tools() {
            if !is_tool_name(&name) {
                mistakes.push(format!(
                    "the tool `{name}` of {} needs a name of 1 to 64 letters, digits, `_` and `-`; give it one: `tool = \"…\"`",
                    place(action)
                ));
            }
            if let Some(first) = seen.insert(name.clone(), action) {
                mistakes.push(format!(
                    "two tools are named `{name}`: {} and {}; give one another name: `tool = \"…\"`",
                    place(first),
                    place(action)
                ));
            }
        }
    }
}

/// A schedule has no caller. The compiler has seen an action's own guards, but not those of its modules.
fn callers(actions: &[Registered], mistakes: &mut Vec<String>) {
    let is_scheduled = |action: &&Registered| {
        action.entry.meta.triggers.iter().any(|trigger| matches!(trigger, Trigger::Schedule { .. }))
    };
    for action in actions.iter().filter(is_scheduled) {
        for guard in action.guard_docs().iter().filter(|guard| guard.needs_caller) {
            mistakes.push(format!(
                "the guard `{}` needs a caller, and the schedule of {} has none: put the action into a module without it",
                guard.name,
                place(action)
            ));
        }
    }
}

/// A guard that was made of values that make no sense.
fn guards(actions: &[Registered], mistakes: &mut Vec<String>) {
    for action in actions {
        for mistake in action.guard_docs().into_iter().filter_map(|guard| guard.mistake) {
            mistakes.push(format!("{mistake}: a guard of {}", place(action)));
        }
    }
}

/// What is kept is for many callers, and its tags are made of fields that there are.
fn cached(actions: &[Registered], mistakes: &mut Vec<String>) {
    for action in actions {
        let Some(cache) = action.entry.meta.cache else { continue };
        let output = (action.entry.output)(&mut Generator::default());
        if output.headers.iter().any(|header| header.name.eq_ignore_ascii_case("set-cookie")) {
            mistakes.push(format!(
                "{} sets a cookie, which is for one caller, and its answers are kept for others: leave out `cache`, or the cookie",
                place(action)
            ));
        }
        for (tag, name) in cache.tags.iter().flat_map(|tag| CachePolicy::fields(tag).map(move |name| (tag, name))) {
            if !action.entry.fields.iter().any(|field| field.name == name) {
                mistakes.push(format!(
                    "the tag `{tag}` of {} names `{name}`, which is no field of its input",
                    place(action)
                ));
            }
        }
    }
}

/// An action subscribes to an event once. The compiler has compared how events are written; here a name meets its type.
fn subscriptions(actions: &[Registered], mistakes: &mut Vec<String>) {
    for action in actions {
        let mut seen = BTreeSet::new();
        for trigger in action.entry.meta.triggers {
            if let Trigger::Event { name, .. } = trigger
                && !seen.insert(*name)
            {
                mistakes
                    .push(format!("the event `{name}` is twice among the doors of {}; leave one out", place(action)));
            }
        }
    }
}

fn module_twice(modules: &[&'static ModuleEntry], mistakes: &mut Vec<String>) {
    for (index, module) in modules.iter().enumerate() {
        if let Some(first) = modules[..index].iter().find(|first| first.meta.module_path == module.meta.module_path) {
            mistakes.push(format!(
                "`bunbase::module!` is twice in `{}`: {}:{} and {}:{}",
                module.meta.module_path, first.meta.file, first.meta.line, module.meta.file, module.meta.line
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        action::{ActionMeta, ErrorDoc, ModuleMeta, Output},
        guard::api_key,
        registry::{ActionEntry, Registry},
        schedule::{Missed, Overlap},
    };

    const ENTRY: ActionEntry = ActionEntry {
        meta: ActionMeta {
            name: "sweep",
            module_path: "app::tasks",
            file: "src/tasks.rs",
            line: 7,
            ..ActionMeta::DEFAULT
        },
        fields: &[],
        output: <() as Output>::describe,
        errors: &[],
        open_errors: false,
        hidden_errors: true,
        check_errors: ErrorDoc::NONE,
        guards: Vec::new,
        providers: Vec::new,
    };

    static MODULE: ModuleEntry = ModuleEntry {
        meta: ModuleMeta {
            name: "tasks",
            module_path: "app::tasks",
            file: "src/tasks.rs",
            line: 1,
            prefix: "",
            description: "",
            tags: &[],
        },
        guards: || vec![Box::new(api_key())],
    };

    #[test]
    fn a_schedule_below_a_guard_that_needs_a_caller_is_a_mistake() {
        static CALLED: ActionEntry = ENTRY;
        static NIGHTLY: ActionEntry = ActionEntry {
            meta: ActionMeta {
                triggers: &[Trigger::Schedule {
                    rule: "0 2 * * *",
                    zone: "",
                    missed: Missed::Skip,
                    overlap: Overlap::Skip,
                }],
                ..ENTRY.meta
            },
            ..ENTRY
        };
        let Mistakes(mistakes) = Registry::of(&[&NIGHTLY], &[&MODULE], &[]).unwrap_err();
        let expected = "the guard `api_key` needs a caller, and the schedule of `tasks.sweep` (src/tasks.rs:7) has none: put the \
                        action into a module without it";
        assert_eq!(mistakes, [expected]);
        assert!(Registry::of(&[&NIGHTLY], &[], &[]).is_ok());
        assert!(Registry::of(&[&CALLED], &[&MODULE], &[]).is_ok());
    }

    #[test]
    fn an_event_that_is_subscribed_to_twice_is_a_mistake() {
        const MOVED: Trigger = Trigger::Event { name: "task.moved", ordered: false, broadcast: false };
        const GONE: Trigger = Trigger::Event { name: "task.gone", ordered: true, broadcast: false };
        static TWICE: ActionEntry =
            ActionEntry { meta: ActionMeta { triggers: &[MOVED, GONE, MOVED], ..ENTRY.meta }, ..ENTRY };
        let Mistakes(mistakes) = Registry::of(&[&TWICE], &[], &[]).unwrap_err();
        assert_eq!(
            mistakes,
            ["the event `task.moved` is twice among the doors of `sweep` (src/tasks.rs:7); leave one out"]
        );
    }
}
