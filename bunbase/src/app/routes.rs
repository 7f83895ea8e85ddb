//! The table that `routes` prints: every door of every action.

use super::operate;
use crate::{
    action::Trigger,
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
