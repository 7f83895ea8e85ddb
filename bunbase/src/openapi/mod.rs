//! The OpenAPI 3.0.3 document: a pure function of the registry.
//!
//! Here: what each operation takes and answers, in okapi's types; a pass that turns what those types (and hand-written
//! schemas) say into strict OpenAPI 3.0; and the bytes that are served. Not here: serving them (`http`), the page that shows
//! them ([`mod@reference`]), and where schemas come from
//! (`schema`). Nothing here does I/O.
//!
//! What OpenAPI 3.0 has no words for is said in extensions:
//!
//! | Extension | Says |
//! |---|---|
//! | `x-event-schema` | on a `text/event-stream`: the schema of each event's data |
//! | `x-enum-descriptions` | on an enum: the meaning of each value |
//! | `x-prefix-items` | on a tuple: the schemas by position |
//! | `x-rest-of-path` | on a path parameter: it spans segments (`{*rest}`) |
//! | `x-sensitive` | on a property or parameter: its values are kept out of logs; `writeOnly` would say that no answer has it |
//! | `x-max-size-bytes` | on a body or a file: the largest that is taken |
//!
//! Any keyword of a later JSON Schema that a hand-written [`Schema`](crate::schema::Schema) uses is kept as `x-` and its name.

mod body;
mod normalise;
mod operation;
mod parameters;
mod problem;
pub mod reference;
mod responses;
mod security;
#[cfg(test)]
mod tests;
#[cfg(feature = "testing")]
pub mod validate;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use okapi::{
    Map,
    openapi3::{Components, Info as ApiInfo, OpenApi, PathItem, RefOr, Response, Server as ApiServer, Tag},
};
use schemars::schema::SchemaObject;
use serde_json::Value;

pub use self::problem::{CONTENT_TYPE, FIELD_ERROR, PROBLEM, field_error_schema, problem_schema};
use self::security::Schemes;
use crate::{
    action::{Method, placement},
    asset::Asset,
    registry::{Registered, Registry, Route},
    schema::Generator,
};

/// What the document says beyond the actions.
#[derive(Clone, Debug, Default)]
pub struct Info {
    /// The name of the service.
    pub title: String,
    /// The version of the service, not of the format.
    pub version: String,
    /// What the service is for; Markdown.
    pub description: Option<String>,
    /// Where the service is; empty for where the document came from.
    pub servers: Vec<Server>,
    /// Whether actions without a time limit of their own have one: they can answer 504 then.
    pub request_timeout: bool,
    /// The largest body of actions without a limit of their own, in bytes; `None` leaves it unsaid.
    pub body_limit_bytes: Option<u64>,
    /// Whether operations are a tenant's, unless their guards say otherwise.
    pub tenants: bool,
    /// The header in which a request says its tenant, where it is one.
    pub tenant_header: Option<String>,
    /// The name of the cookie of sessions.
    pub session_cookie: String,
    /// What a request is refused for before its action is looked at.
    pub refusals: Refusals,
}

/// What a request is refused for, whatever its action is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// 403 for what changes something and comes from a page of another origin.
    pub cross_site: bool,
    /// 408 for bodies that come slowly.
    pub slow_bodies: bool,
    /// 414 for long targets.
    pub long_targets: bool,
    /// 421 for hosts that are not the server's.
    pub other_hosts: bool,
}

impl Info {
    /// Names the service and its version; everything else is unsaid.
    pub fn new(title: impl Into<String>, version: impl Into<String>) -> Self {
        Self { title: title.into(), version: version.into(), ..Self::default() }
    }
}

/// A place where the service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its URL, without a slash at the end.
    pub url: String,
    /// What it is for, such as "staging".
    pub description: Option<String>,
}

/// A finished document.
#[derive(Debug)]
pub struct Document {
    asset: Arc<Asset>,
    value: OnceLock<Value>,
}

impl Document {
    /// Returns the document as compact JSON.
    pub fn json(&self) -> &Bytes {
        self.asset.identity()
    }

    /// Returns the document as it is served, with its compressed forms and its `ETag`.
    pub fn asset(&self) -> &Arc<Asset> {
        &self.asset
    }

    /// Returns the document for looking into.
    pub fn value(&self) -> &Value {
        // It was written by `document` from a `Value`, so it reads. Serving needs the bytes alone.
        self.value.get_or_init(|| serde_json::from_slice(self.asset.identity()).unwrap_or_default())
    }

    /// Returns the document as JSON for people.
    pub fn pretty(&self) -> String {
        format!("{:#}", self.value())
    }
}

/// Describes all HTTP routes of a registry. The same registry and information give the same bytes.
pub fn document(registry: &Registry, info: &Info) -> Document {
    let mut builder = Builder::new(registry, info);
    // Templates that differ only in the names of their parameters are one path, with the names of the first.
    let mut paths: BTreeMap<String, (String, PathItem)> = BTreeMap::new();
    for action in registry.actions() {
        for route in &action.routes {
            let (path, item) =
                paths.entry(route.shape()).or_insert_with(|| (route.path.replace("{*", "{"), PathItem::default()));
            let names: Vec<String> = placement::parameters(path).map(str::to_owned).collect();
            let operation = operation::of(action, route, &names, &mut builder);
            let slot = match route.method {
                Method::Get => &mut item.get,
                Method::Post => &mut item.post,
                Method::Put => &mut item.put,
                Method::Patch => &mut item.patch,
                Method::Delete => &mut item.delete,
            };
            *slot = Some(operation);
        }
        for hook in &action.webhooks {
            let shape = hook.route().shape();
            let (path, item) =
                paths.entry(shape).or_insert_with(|| (hook.path.replace("{*", "{"), PathItem::default()));
            let names: Vec<String> = placement::parameters(path).map(str::to_owned).collect();
            item.post = Some(operation::of_webhook(action, hook, &names, &mut builder));
        }
    }
    let api = OpenApi {
        openapi: "3.0.3".to_owned(),
        info: ApiInfo {
            title: info.title.clone(),
            version: info.version.clone(),
            description: info.description.clone(),
            ..ApiInfo::default()
        },
        servers: info.servers.iter().map(server).collect(),
        paths: paths.into_values().collect(),
        tags: tags(registry),
        components: Some(builder.into_components()),
        ..OpenApi::default()
    };
    // Only a map with keys that are no text could fail, and there is none in the model.
    let mut value = serde_json::to_value(&api).unwrap_or_default();
    normalise::document(&mut value);
    Document { asset: Asset::new("application/json", value.to_string()).into(), value: OnceLock::new() }
}

fn server(server: &Server) -> ApiServer {
    ApiServer { url: server.url.clone(), description: server.description.clone(), ..ApiServer::default() }
}

/// Returns the tags in use, in the order in which they are met, with what their modules say about them.
fn tags(registry: &Registry) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for action in registry.actions().iter().filter(|action| action.all_routes().next().is_some()) {
        for name in &action.tags {
            if tags.iter().all(|tag| tag.name != *name) {
                tags.push(Tag { name: (*name).to_owned(), ..Tag::default() });
            }
        }
    }
    for module in registry.modules().iter().map(|module| &module.meta).filter(|meta| !meta.description.is_empty()) {
        let name = module.tags.first().copied().unwrap_or(module.name);
        if let Some(tag) = tags.iter_mut().find(|tag| tag.name == name) {
            tag.description.get_or_insert_with(|| module.description.to_owned());
        }
    }
    tags
}

/// What is shared by the operations of one document while it is made.
struct Builder<'r> {
    info: &'r Info,
    generator: Generator,
    schemes: Schemes,
    responses: Map<String, Response>,
    /// Names of actions and ids of operations that are taken.
    ids: BTreeSet<String>,
    /// The bodies made so far: action, component, schema.
    bodies: Vec<(&'static str, String, SchemaObject)>,
}

impl<'r> Builder<'r> {
    fn new(registry: &Registry, info: &'r Info) -> Self {
        let mut generator = Generator::default();
        // First, so that these keep their names and a type of the application gets another.
        generator.define(PROBLEM, |_| problem_schema());
        generator.define(FIELD_ERROR, |_| field_error_schema());
        Self {
            info,
            generator,
            schemes: Schemes::default(),
            responses: Map::default(),
            ids: registry.actions().iter().map(|action| action.name.to_owned()).collect(),
            bodies: Vec::new(),
        }
    }

    /// Returns the id of a route's operation: the action's name for its first route, with the method for the others.
    fn operation_id(&mut self, action: &Registered, route: &Route) -> String {
        if action.routes.first() == Some(route) {
            return action.name.to_owned();
        }
        let base = format!("{}_{}", action.name, route.method.as_str().to_lowercase());
        self.free(&base, |builder, id| builder.ids.insert(id.to_owned()))
    }

    /// Returns the id of a webhook's operation.
    fn webhook_id(&mut self, action: &Registered) -> String {
        let base = format!("{}_webhook", action.name);
        self.free(&base, |builder, id| builder.ids.insert(id.to_owned()))
    }

    /// Makes a component of a body and returns a reference to it. Routes of one action with the same body share it.
    fn body_component(&mut self, action: &Registered, route: &Route, schema: SchemaObject) -> SchemaObject {
        let mine = |(owner, ..): &&(&'static str, String, SchemaObject)| *owner == action.name;
        if let Some((_, name, _)) = self.bodies.iter().filter(mine).find(|(.., known)| *known == schema) {
            return SchemaObject::new_ref(problem::component(name));
        }
        let method =
            if self.bodies.iter().any(|body| mine(&body)) { pascal(route.method.as_str()) } else { String::new() };
        let short = format!("{}{method}Body", pascal(action.entry.meta.name));
        let long = format!("{}{method}Body", pascal(action.name));
        let base = if self.generator.has(&short) { long } else { short };
        let name = self.free(&base, |builder, name| !builder.generator.has(name));
        self.bodies.push((action.name, name.clone(), schema.clone()));
        self.generator.define(&name, |_| schema).into_object()
    }

    /// Returns the first of `base`, `base_2`, `base_3`, … that can be taken.
    fn free(&mut self, base: &str, take: impl Fn(&mut Self, &str) -> bool) -> String {
        let mut name = base.to_owned();
        let mut number = 2;
        while !take(self, &name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        name
    }

    fn into_components(self) -> Components {
        Components {
            schemas: self.generator.into_definitions().into_iter().collect(),
            responses: self.responses.into_iter().map(|(name, response)| (name, RefOr::Object(response))).collect(),
            headers: responses::header_components(),
            security_schemes: self.schemes.into_components(&self.info.session_cookie),
            ..Components::default()
        }
    }
}

/// Writes `tasks.create_task` or `POST` as `TasksCreateTask` and `Post`.
fn pascal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut chars = word.chars();
            let rest = |chars: std::str::Chars<'_>| {
                let rest = chars.as_str();
                if word.chars().all(char::is_uppercase) { rest.to_lowercase() } else { rest.to_owned() }
            };
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest(chars).chars()).collect())
        })
        .collect()
}
