//! Mistakes that only the whole binary shows.

use std::{collections::BTreeMap, fmt};

use super::{ModuleEntry, Registered, Route, resolve};
use crate::action::placement::{Placement, parameter_name, parameters};

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
    let mut table = matchit::Router::new();
    let mut seen: BTreeMap<String, Vec<(&Registered, &Route)>> = BTreeMap::new();
    for (action, route) in actions.iter().flat_map(|action| action.routes.iter().map(move |route| (action, route))) {
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
        for route in &action.routes {
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
