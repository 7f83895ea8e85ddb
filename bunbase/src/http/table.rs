//! The route table: one `matchit` tree, a table of methods at each path. Its cost does not grow with the number of routes.

use std::{collections::BTreeMap, fmt, sync::Arc};

use actix_web::{
    HttpResponse,
    dev::Payload,
    http::{Method, header::HeaderValue},
};
use futures_util::future::LocalBoxFuture;

use super::{
    access::{Page, Token},
    detach::{InFlight, Running},
    endpoint::{self, Endpoint, HttpRoute},
    head::{Head, Places},
    measure::{Measures, Place},
    plan::{Plan, TextSource},
    respond::Overrides,
    settings::Settings,
    webhook::{self, Webhook},
};
use crate::{
    Error, Result,
    action::{self, CachePolicy},
    context::Services,
    guard::{Credential, GuardDoc},
    invoke::{self, Calls, Runner},
    observe::trace::{Parent, Tracer},
    registry::{Registry, Route},
};

type Handler<A, T> = Arc<dyn Fn(A) -> LocalBoxFuture<'static, T> + Send + Sync>;

/// A built-in endpoint.
#[derive(Clone)]
pub(crate) enum Builtin {
    /// Answers GET and HEAD.
    Get(Handler<Arc<Head>, Result<HttpResponse>>),
    /// Takes POST with its body.
    Post(Handler<Arrival, Result<HttpResponse>>),
}

/// A request with its body, as it arrives at a built-in endpoint.
pub(crate) struct Arrival {
    pub(crate) head: Arc<Head>,
    pub(crate) payload: Payload,
    pub(crate) trace: Parent,
    pub(crate) running: Running,
    pub(crate) settings: Arc<Settings>,
}

impl Builtin {
    fn method(&self) -> action::Method {
        match self {
            Self::Get(_) => action::Method::Get,
            Self::Post(_) => action::Method::Post,
        }
    }
}

/// All routes of a server.
pub struct Table {
    tree: matchit::Router<usize>,
    paths: Vec<PathEntry>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) in_flight: InFlight,
    pub(crate) measures: Measures,
    pub(crate) tracer: Tracer,
}

/// What is at one path.
pub(crate) struct PathEntry {
    methods: [Option<Arc<HttpRoute>>; 5],
    builtin: Option<(Builtin, Option<Token>)>,
    allow: HeaderValue,
    param_names: Arc<[String]>,
    measured: Place,
}

/// What a request reaches.
pub(crate) enum Target<'t> {
    /// An action.
    Action(&'t Arc<HttpRoute>),
    /// A built-in endpoint, and what opens it.
    Builtin(&'t Builtin, Option<&'t Token>),
    /// OPTIONS at a path that exists.
    Options(&'t HeaderValue),
    /// A path that exists, by a method that it has not.
    WrongMethod(&'t HeaderValue),
    /// Nothing.
    Nothing,
}

/// The answer of the table: the target, the names and places of the path's parameters.
pub(crate) struct Found<'t> {
    pub(crate) target: Target<'t>,
    /// What is measured at the path; none where there is nothing.
    pub(crate) measured: Option<&'t Place>,
    pub(crate) param_names: Arc<[String]>,
    pub(crate) params: Places,
}

impl Table {
    /// Builds the table of all actions, and the one for calls between them.
    ///
    /// # Errors
    /// 500 when an action was registered without its HTTP entry, or a built-in path clashes with a route.
    pub(crate) fn new(
        registry: &Registry,
        services: &Arc<Services>,
        settings: Settings,
        pages: Vec<Page>,
    ) -> Result<(Self, Calls)> {
        let settings = Arc::new(settings);
        let in_flight = InFlight::default();
        let endpoints = endpoint::all();
        let mut shapes: BTreeMap<String, PathEntry> = BTreeMap::new();
        let mut runners = Vec::new();
        let mut problems: Vec<String> = Vec::new();
        let of_runs = invoke::Measures::new(&services.metrics);
        for action in registry.actions() {
            let meta = &action.entry.meta;
            let at = (meta.module_path, meta.name);
            let runner = Arc::new(Runner::new(action, settings.request_timeout, &of_runs));
            runners.push((at, runner.clone()));
            let endpoint = endpoints
                .get(&at)
                .ok_or_else(|| Error::internal(format!("`{}` is registered without its HTTP entry", action.name)))?;
            let guards = action.guard_docs();
            let challenge = challenge(&guards);
            let mut add = |route: &Route, plan: Plan, endpoint: Endpoint, webhook: Option<Webhook>| {
                let entry = shapes.entry(route.shape()).or_insert_with(|| PathEntry::empty(&route.path));
                let vary = meta.cache.and_then(|cache| vary(cache, &plan, &guards));
                entry.param_names = plan.param_names.clone();
                entry.methods[slot(route.method)] = Some(Arc::new(HttpRoute {
                    endpoint,
                    runner: runner.clone(),
                    plan: Arc::new(plan),
                    overrides: Overrides {
                        status: meta.status,
                        content_type: meta.content_type,
                        conditional: meta.cache.is_some(),
                    },
                    settings: settings.clone(),
                    services: services.clone(),
                    in_flight: in_flight.clone(),
                    webhook,
                    challenge: challenge.clone(),
                    vary,
                }));
            };
            for route in &action.routes {
                add(route, Plan::new(action, route, settings.max_body_bytes), *endpoint, None);
            }
            for hook in &action.webhooks {
                let verify = (hook.verify)();
                if let Some(problem) = verify.problem() {
                    problems.push(format!("the webhook `{}` of `{}`: {problem}", hook.path, action.name));
                }
                for guard in guards.iter().filter(|guard| guard.counts_nothing_of_deliveries()) {
                    problems.push(format!(
                        "the webhook `{}` of `{}`: `{}` does not count deliveries; put the `rate_limit` into `guards` by itself",
                        hook.path, action.name, guard.name
                    ));
                }
                let plan = webhook::plan(action, hook.own, &hook.path, settings.max_body_bytes);
                let endpoint = Endpoint { at, handle: webhook::handle };
                add(&hook.route(), plan, endpoint, Some(Webhook { verify, action: action.name }));
            }
        }
        if !problems.is_empty() {
            return Err(Error::new(500, "webhook_configuration", problems.join("\n")));
        }
        let table = Self {
            tracer: services.tracer.clone(),
            measures: Measures::new(&services.metrics, of_runs.errors()),
            ..Self::assemble(shapes, pages, settings, in_flight)?
        };
        Ok((table, Calls::new(runners.into_iter())))
    }

    /// Builds the table of what is built in alone.
    ///
    /// # Errors
    /// 500 when two of them have one path.
    pub(crate) fn of_pages(settings: Settings, pages: Vec<Page>) -> Result<Self> {
        Self::assemble(BTreeMap::new(), pages, Arc::new(settings), InFlight::default())
    }

    fn assemble(
        mut shapes: BTreeMap<String, PathEntry>,
        pages: Vec<Page>,
        settings: Arc<Settings>,
        in_flight: InFlight,
    ) -> Result<Self> {
        for Page { path, builtin, token } in pages {
            let entry = shapes.entry(path.clone()).or_insert_with(|| PathEntry::empty(&path));
            if entry.builtin.is_some() {
                return Err(Error::internal(format!("two of the built-in endpoints have the path `{path}`")));
            }
            if entry.methods.iter().any(Option::is_some) {
                let text =
                    format!("the path `{path}` is one of the built-in endpoints; move the action or the endpoint");
                return Err(Error::internal(text));
            }
            entry.builtin = Some((builtin, token));
        }
        let (tree, paths, measures, tracer) = (matchit::Router::new(), Vec::new(), Measures::default(), Tracer::off());
        let mut table = Self { tree, paths, settings, in_flight, measures, tracer };
        for (shape, mut entry) in shapes {
            entry.allow = entry.allowed();
            table.tree.insert(shape, table.paths.len()).map_err(Error::internal)?;
            table.paths.push(entry);
        }
        Ok(table)
    }

    /// Returns whether a request is the delivery of a webhook.
    pub(crate) fn is_webhook(&self, method: &Method, path: &str) -> bool {
        matches!(self.find(method, path).target, Target::Action(route) if route.webhook.is_some())
    }

    /// Finds what a request reaches.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Ok(found) = self.tree.at(path) else {
            let (param_names, params) = (Arc::default(), Places::new());
            return Found { target: Target::Nothing, measured: None, param_names, params };
        };
        let entry = &self.paths[*found.value];
        let start = path.as_ptr() as usize;
        #[expect(clippy::cast_possible_truncation, reason = "no head is that long")]
        let place = |value: &str| {
            let from = value.as_ptr() as usize - start;
            (from as u32, (from + value.len()) as u32)
        };
        let params = found.params.iter().map(|(_, value)| place(value)).collect();
        let target = match entry.route(method) {
            Some(target) => target,
            None if *method == Method::OPTIONS => Target::Options(&entry.allow),
            None => Target::WrongMethod(&entry.allow),
        };
        Found { target, measured: Some(&entry.measured), param_names: entry.param_names.clone(), params }
    }
}

/// Returns the request headers on which the answers of a cached action depend; `None` where it is none. Without the callers' answers
/// apart they are those of fields, and of what guards look at.
fn vary(cache: CachePolicy, plan: &Plan, guards: &[GuardDoc]) -> Option<HeaderValue> {
    let mut names: Vec<&str> = Vec::new();
    for (_, source) in &plan.texts {
        match source {
            TextSource::Header(name) => names.push(name.as_str()),
            TextSource::Cookie(_) => names.push("cookie"),
            TextSource::Path(_) | TextSource::Query(_) => {}
        }
    }
    for security in guards.iter().flat_map(GuardDoc::credentials) {
        names.push(match security.credential {
            Credential::Header(name) => name,
            Credential::Cookie(_) | Credential::Session => "cookie",
            Credential::Bearer => "authorization",
        });
    }
    // Nothing says how callers show who they are.
    if cache.user && guards.iter().all(|guard| guard.security.is_empty()) {
        names.extend(["authorization", "cookie"]);
    }
    let mut names: Vec<String> = names.into_iter().map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    HeaderValue::from_str(&names.join(", ")).ok().filter(|value| !value.is_empty())
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} paths)", self.paths.len())
    }
}

impl PathEntry {
    fn empty(path: &str) -> Self {
        Self {
            measured: Place::new(path),
            methods: [const { None }; 5],
            builtin: None,
            allow: HeaderValue::from_static(""),
            param_names: Arc::default(),
        }
    }

    /// Returns what answers a method. HEAD is answered as GET; the server leaves the body out.
    fn route(&self, method: &Method) -> Option<Target<'_>> {
        let slot = match *method {
            Method::GET | Method::HEAD => 0,
            Method::POST => 1,
            Method::PUT => 2,
            Method::PATCH => 3,
            Method::DELETE => 4,
            _ => return None,
        };
        match (&self.methods[slot], &self.builtin) {
            (Some(route), _) => Some(Target::Action(route)),
            (None, Some((builtin, token))) if slot == self::slot(builtin.method()) => {
                Some(Target::Builtin(builtin, token.as_ref()))
            }
            _ => None,
        }
    }

    fn allowed(&self) -> HeaderValue {
        let mut names = Vec::new();
        for (method, route) in action::Method::ALL.iter().zip(&self.methods) {
            if route.is_some() || self.builtin.as_ref().is_some_and(|(builtin, _)| builtin.method() == *method) {
                names.push(method.as_str());
                if *method == action::Method::Get {
                    names.push("HEAD");
                }
            }
        }
        names.push("OPTIONS");
        HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
    }
}

fn slot(method: action::Method) -> usize {
    action::Method::ALL.iter().position(|one| *one == method).unwrap_or_default()
}

/// Returns the value of `WWW-Authenticate`: a scheme for each credential that the guards ask for.
fn challenge(guards: &[GuardDoc]) -> Option<HeaderValue> {
    let mut schemes: Vec<String> = Vec::new();
    for security in guards.iter().flat_map(GuardDoc::credentials) {
        let scheme = match security.credential {
            // A session's token does as a bearer, too, and that is a scheme.
            Credential::Bearer | Credential::Session => "Bearer".to_owned(),
            Credential::Header(name) => format!("ApiKey header=\"{name}\""),
            Credential::Cookie(name) => format!("Cookie cookie-name=\"{name}\""),
        };
        if !schemes.contains(&scheme) {
            schemes.push(scheme);
        }
    }
    if schemes.is_empty() { None } else { HeaderValue::from_str(&schemes.join(", ")).ok() }
}
