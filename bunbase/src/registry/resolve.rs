//! Joins actions with the modules that they are in.

use std::{borrow::Cow, sync::Arc};

use super::{ActionEntry, BuiltInPath, Mistakes, ModuleEntry, check, collect};
use crate::{
    action::{Method, Trigger},
    guard::{DynGuard, GuardDoc},
    webhook::Verify,
};

/// All actions of the binary, checked.
#[derive(Debug)]
pub struct Registry {
    actions: Vec<Registered>,
    modules: Vec<&'static ModuleEntry>,
}

/// One action with everything that its modules add.
#[derive(Clone, Debug)]
pub struct Registered {
    /// What the macro said.
    pub entry: &'static ActionEntry,
    /// The full name: its modules' names and its own, joined by dots. Kept for the life of the process.
    pub name: &'static str,
    /// Its modules, outermost first.
    pub modules: Vec<&'static ModuleEntry>,
    /// Its HTTP routes.
    pub routes: Vec<Route>,
    /// Its webhooks.
    pub webhooks: Vec<WebhookRoute>,
    /// All guards that refuse, in their order: each module's, then `guards = […]`.
    pub module_guards: Arc<[Box<dyn DynGuard>]>,
    /// Its own `guards = […]`.
    pub guards: Arc<[Box<dyn DynGuard>]>,
    /// What its `#[guard]` parameters say about themselves.
    pub providers: Vec<GuardDoc>,
    /// Its tags in the document: its own, its modules', or the innermost module's name.
    pub tags: Vec<&'static str>,
}

/// One HTTP route of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The template as the action wrote it.
    pub own: &'static str,
    /// The template with the prefixes of all modules.
    pub path: String,
}

/// The route of one webhook, reached by POST.
#[derive(Clone, Debug)]
pub struct WebhookRoute {
    /// The template as the action wrote it.
    pub own: &'static str,
    /// The template with the prefixes of all modules.
    pub path: String,
    /// Makes the signature scheme.
    pub verify: fn() -> Box<dyn Verify>,
}

impl WebhookRoute {
    /// Returns the route that it takes among all others.
    pub fn route(&self) -> Route {
        Route { method: Method::Post, own: self.own, path: self.path.clone() }
    }
}

impl Route {
    /// Returns the template with numbers for the names of its parameters: `/a/{b}` and `/a/{c}` are one route.
    pub fn shape(&self) -> String {
        let mut count = 0;
        let parts = self.path.split('/').map(|part| {
            let Some(name) = part.strip_prefix('{') else { return part.to_owned() };
            count += 1;
            if name.starts_with('*') { format!("{{*{count}}}") } else { format!("{{{count}}}") }
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

impl Registry {
    /// Collects and checks all actions of the binary.
    ///
    /// `listed` names modules (Rust paths) that must have registered at least one action each.
    ///
    /// # Errors
    /// Every mistake at once, each with file and line.
    pub fn collect(listed: &[&'static str]) -> Result<Self, Mistakes> {
        Self::collect_beside(&[], listed)
    }

    /// Collects and checks all actions of the binary, which leave the paths of `built_in` alone.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn collect_beside(built_in: &[BuiltInPath], listed: &[&'static str]) -> Result<Self, Mistakes> {
        Self::beside(built_in, &collect::actions(), &collect::modules(), listed)
    }

    /// Checks and joins the given actions and modules.
    #[cfg(test)]
    pub(crate) fn of(
        actions: &[&'static ActionEntry],
        modules: &[&'static ModuleEntry],
        listed: &[&'static str],
    ) -> Result<Self, Mistakes> {
        Self::beside(&[], actions, modules, listed)
    }

    pub(super) fn beside(
        built_in: &[BuiltInPath],
        actions: &[&'static ActionEntry],
        modules: &[&'static ModuleEntry],
        listed: &[&'static str],
    ) -> Result<Self, Mistakes> {
        let actions: Vec<_> = actions.iter().map(|entry| join(entry, modules)).collect();
        check::all(&actions, modules, listed, built_in)?;
        Ok(Self { actions, modules: modules.to_vec() })
    }

    /// Returns all actions, ordered by module path and line.
    pub fn actions(&self) -> &[Registered] {
        &self.actions
    }

    /// Returns all modules, outer ones first.
    pub fn modules(&self) -> &[&'static ModuleEntry] {
        &self.modules
    }

    /// Returns the action with this full name.
    pub fn action(&self, name: &str) -> Option<&Registered> {
        self.actions.iter().find(|action| action.name == name)
    }
}

impl Registered {
    /// Returns all routes that it takes, those of its webhooks included.
    pub fn all_routes(&self) -> impl Iterator<Item = Route> + '_ {
        self.routes.iter().cloned().chain(self.webhooks.iter().map(WebhookRoute::route))
    }

    /// Returns the names of its tools: what it declares, or its full name with `_` for the dots.
    pub fn tools(&self) -> impl Iterator<Item = Cow<'static, str>> {
        self.entry.meta.triggers.iter().filter_map(|trigger| match *trigger {
            Trigger::Tool { name } => Some(name.map_or_else(|| self.name.replace('.', "_").into(), Cow::Borrowed)),
            _ => None,
        })
    }

    /// Returns what all its guards say about themselves, in the order in which they run.
    pub fn guard_docs(&self) -> Vec<GuardDoc> {
        self.guard_sources().into_iter().map(|(_, guard)| guard).collect()
    }

    /// Returns the same, each with where it comes from: the `module`, a `parameter`, or the `action`'s own list.
    pub fn guard_sources(&self) -> Vec<(&'static str, GuardDoc)> {
        let own = |guards: &'_ [Box<dyn DynGuard>]| guards.iter().map(|guard| guard.describe()).collect::<Vec<_>>();
        let of = |source, docs: Vec<GuardDoc>| docs.into_iter().map(move |doc| (source, doc));
        let (module, action) = (own(&self.module_guards), own(&self.guards));
        of("module", module).chain(of("parameter", self.providers.clone())).chain(of("action", action)).collect()
    }
}

fn join(entry: &'static ActionEntry, modules: &[&'static ModuleEntry]) -> Registered {
    let meta = &entry.meta;
    let mine: Vec<_> =
        modules.iter().copied().filter(|module| contains(module.meta.module_path, meta.module_path)).collect();
    let name = mine.iter().map(|module| module.meta.name).chain([meta.name]).filter(|part| !part.is_empty());
    let name = name.collect::<Vec<_>>().join(".");
    let prefix: String = mine.iter().map(|module| module.meta.prefix.trim_end_matches('/')).collect();
    let joined =
        |path: &str| if path == "/" && !prefix.is_empty() { prefix.clone() } else { format!("{prefix}{path}") };
    let routes = meta.triggers.iter().filter_map(|trigger| match *trigger {
        Trigger::Http { method, path } => Some(Route { method, own: path, path: joined(path) }),
        _ => None,
    });
    let routes = routes.collect();
    let webhooks = meta.triggers.iter().filter_map(|trigger| match *trigger {
        Trigger::Webhook { path, verify } => Some(WebhookRoute { own: path, path: joined(path), verify }),
        _ => None,
    });
    let webhooks = webhooks.collect();
    let mut tags: Vec<_> = mine.iter().flat_map(|module| module.meta.tags).chain(meta.tags).copied().collect();
    if tags.is_empty() {
        tags.extend(mine.iter().rev().map(|module| module.meta.name).find(|name| !name.is_empty()));
    }
    tags.dedup();
    Registered {
        entry,
        // One leak an action and process: names go into metrics, spans and records without copies.
        name: Box::leak(name.into_boxed_str()),
        routes,
        webhooks,
        module_guards: mine.iter().flat_map(|module| (module.guards)()).collect(),
        guards: (entry.guards)().into(),
        providers: (entry.providers)(),
        modules: mine,
        tags,
    }
}

/// Returns whether a Rust module is another one or holds it.
pub(super) fn contains(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
