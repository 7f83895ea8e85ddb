//! What one tool tells of itself.

use std::{borrow::Cow, sync::Arc};

use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::schema::{self, Shape};
use crate::{
    action::{ActionMeta, Method},
    guard::{Credential, Security},
    registry::{Registered, Registry},
};

/// One tool.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// As clients see it.
    pub(super) tool: Tool,
    /// The full name of its action.
    pub(super) action: &'static str,
    /// What it answers.
    pub(super) shape: Shape,
    /// The content type of a raw answer, where its own is not meant.
    pub(super) content_type: Option<&'static str>,
}

/// Returns all tools of a registry, in its order.
pub(super) fn all(registry: &Registry) -> Vec<Entry> {
    let actions = registry.actions().iter();
    actions.flat_map(|action| action.tools().map(|name| entry(action, name)).collect::<Vec<_>>()).collect()
}

fn entry(action: &Registered, name: Cow<'static, str>) -> Entry {
    let meta = &action.entry.meta;
    let mut tool = Tool::new_with_raw(name, description(meta), schema::input(action.entry.fields));
    tool.title = (!meta.summary.is_empty()).then(|| meta.summary.trim_end_matches('.').to_owned());
    tool.annotations = Some(hints(action));
    tool.meta = guarded(action);
    let shape = schema::output(action.entry.output);
    tool.output_schema = match &shape {
        Shape::Object(schema) | Shape::Wrapped(schema) => Some(Arc::new(schema.clone())),
        Shape::Raw => None,
    };
    Entry { tool, action: action.name, shape, content_type: meta.content_type }
}

/// Returns what guards ask for and how they refuse: `bunbase/security`, alternatives of credentials that go together, and `bunbase/refusals`.
fn guarded(action: &Registered) -> Option<MetaObject> {
    let docs = action.guard_docs();
    let security: Vec<Value> = docs
        .iter()
        .filter(|doc| !doc.security.is_empty())
        .map(|doc| {
            let alternative = |names: &Vec<Security>| names.iter().map(credential).collect::<Value>();
            json!({ "guard": doc.name, "any_of": doc.security.iter().map(alternative).collect::<Value>() })
        })
        .collect();
    let mut refusals: Vec<Value> = Vec::new();
    for variant in docs.iter().flat_map(|doc| &doc.errors) {
        let refusal = json!({ "status": variant.status, "code": variant.code, "description": variant.docs });
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    if security.is_empty() && refusals.is_empty() {
        return None;
    }
    let mut meta = serde_json::Map::new();
    meta.insert("bunbase/security".to_owned(), security.into());
    meta.insert("bunbase/refusals".to_owned(), refusals.into());
    Some(MetaObject(meta))
}

fn credential(security: &Security) -> Value {
    let place = match security.credential {
        Credential::Header(name) => format!("header {name}"),
        Credential::Cookie(name) => format!("cookie {name}"),
        Credential::Bearer => "header Authorization: Bearer".to_owned(),
        Credential::Session => "cookie of the session".to_owned(),
    };
    json!({ "scheme": security.scheme, "in": place })
}

/// Returns the whole doc comment: a model reads no title.
fn description(meta: &ActionMeta) -> Option<Cow<'static, str>> {
    match (meta.summary, meta.description) {
        ("", "") => None,
        (summary, "") => Some(summary.into()),
        (summary, description) => Some(format!("{summary}\n\n{description}").into()),
    }
}

/// Returns what the action's HTTP doors promise: their methods have meanings (RFC 9110 section 9.2). Without any it promises nothing.
fn hints(action: &Registered) -> ToolAnnotations {
    let has = |method: Method| action.routes.iter().any(|route| route.method == method);
    let mut hints = ToolAnnotations::new();
    if action.routes.is_empty() {
        return hints;
    }
    let is_safe = has(Method::Get);
    hints.read_only_hint = Some(is_safe);
    if !is_safe {
        // POST may add or destroy: nothing is known.
        let replaces = [Method::Put, Method::Patch, Method::Delete].into_iter().any(has);
        hints.destructive_hint = replaces.then_some(true);
        hints.idempotent_hint = Some(!has(Method::Post) && !has(Method::Patch));
    }
    hints
}
