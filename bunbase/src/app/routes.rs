//! The table that `routes` prints: every door of every action.

use super::operate;
use crate::{
    action::Trigger,
    guard::Security,
    registry::{Registered, Registry},
};

/// One line a door: HTTP routes ordered by path, then webhooks, events, schedules and tools; actions without a door at the end.
pub(super) fn table(registry: &Registry) -> String {
    let mut rows = Vec::new();
    for action in registry.actions() {
        let guards: Vec<_> = action.guard_docs().into_iter().map(|guard| guard.name).collect();
        let guards = if guards.is_empty() { "-".to_owned() } else { guards.join(", ") };
        let source = format!("{}:{}", action.entry.meta.file, action.entry.meta.line);
        for (place, kind, what) in doors(action) {
            rows.push((place, [kind, what, action.name.to_owned(), guards.clone(), source.clone()]));
        }
    }
    rows.sort_by(|(place, a), (other, b)| (place, &a[1], &a[0]).cmp(&(other, &b[1], &b[0])));
    operate::table(["METHOD", "PATH", "ACTION", "GUARDS", "SOURCE"], rows.into_iter().map(|(_, row)| row))
}

/// One line a guard, in the order in which they run: where it comes from, what it asks for, and how it refuses. An action without any has a
/// line that says so.
pub(super) fn guards(registry: &Registry) -> String {
    let mut rows = Vec::new();
    for action in registry.actions() {
        let sources = action.guard_sources();
        if sources.is_empty() {
            rows.push([action.name, "-", "anybody may call it", "", ""].map(str::to_owned));
        }
        for (number, (source, guard)) in (1..).zip(sources) {
            let asks: Vec<_> = guard.security.iter().map(|alternative| names(alternative)).collect();
            let mut codes: Vec<String> = Vec::new();
            for variant in &guard.errors {
                let text = format!("{} {}", variant.status, variant.code);
                if !codes.contains(&text) {
                    codes.push(text);
                }
            }
            let name = if number == 1 { action.name.to_owned() } else { String::new() };
            rows.push([name, format!("{number} {source}"), guard.name, asks.join(" | "), codes.join(", ")]);
        }
    }
    operate::table(["ACTION", "FROM", "GUARD", "ASKS FOR", "REFUSES WITH"], rows.into_iter())
}

fn names(alternative: &[Security]) -> String {
    let names: Vec<_> = alternative.iter().map(|security| security.scheme).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(" + ") }
}

/// Returns an action's doors: where the line stands, what it is, and its path, name or rule.
fn doors(action: &Registered) -> Vec<(u8, String, String)> {
    let routes = action.routes.iter().map(|route| (0, route.method.as_str().to_owned(), route.path.clone()));
    let webhooks = action.webhooks.iter().map(|hook| (1, "WEBHOOK".to_owned(), hook.path.clone()));
    let others = action.entry.meta.triggers.iter().filter_map(|trigger| match *trigger {
        Trigger::Event { name, .. } => Some((2, "EVENT".to_owned(), name.to_owned())),
        Trigger::Schedule { rule, .. } => Some((3, "CRON".to_owned(), rule.to_owned())),
        _ => None,
    });
    let tools = action.tools().map(|name| (4, "TOOL".to_owned(), name.into_owned()));
    let mut all: Vec<_> = routes.chain(webhooks).chain(others).chain(tools).collect();
    if all.is_empty() {
        all.push((5, "-".to_owned(), "-".to_owned()));
    }
    all
}
