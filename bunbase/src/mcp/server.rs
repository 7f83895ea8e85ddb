//! The server: which tools there are, and calling one.

use std::{any::Any, fmt, sync::Arc, time::Instant};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult, ErrorCode,
        Implementation, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::Value;

use super::{
    answer,
    tool::{self, Entry},
};
use crate::{
    action::Door,
    context::{Identity, Request, Services},
    invoke::{Calls, Invocation},
    observe::trace::Parent,
    registry::Registry,
};

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The name of the service.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the service is for, as instructions to a model.
    pub instructions: Option<String>,
}

/// The tools of an application. Cheap to clone; a clone is the same server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    about: About,
    tools: Vec<Entry>,
    services: Arc<Services>,
}

impl Server {
    /// Describes all tools of a registry.
    pub fn new(registry: &Registry, services: &Arc<Services>, about: About) -> Self {
        Self(Arc::new(Inner { about, tools: tool::all(registry), services: services.clone() }))
    }

    /// Returns the names of all tools, in the registry's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.tools.iter().map(|entry| entry.tool.name.as_ref())
    }

    /// Answers those who call as `identity`, unless a guard establishes another.
    pub(super) fn handler(&self, identity: Identity) -> Handler {
        Handler { server: self.clone(), identity }
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.0.tools.iter().find(|entry| entry.tool.name == name)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The HTTP request that a message came in.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) request: Request,
    pub(super) trace: Parent,
    /// Counts the run until it is over, also when its client has left.
    pub(super) _running: Arc<dyn Any + Send + Sync>,
}

/// The server for one identity.
#[derive(Clone)]
pub(super) struct Handler {
    server: Server,
    identity: Identity,
}

impl Handler {
    async fn run(&self, entry: &Entry, input: Value, caller: Option<Caller>, parent: Parent) -> CallToolResult {
        let services = &self.server.0.services;
        let trace = parent.trace;
        let call = Invocation {
            tool: (parent.sampled && services.tracer.is_on()).then(|| entry.tool.name.to_string()),
            identity: self.identity.clone(),
            request: caller.as_ref().map(|caller| caller.request.clone()),
            ..Invocation::new(parent, Door::Tool, Instant::now())
        };
        let reply = match Calls::of(services) {
            Ok(calls) => calls.reply_by_name(services, entry.action, call, input).await,
            Err(error) => Err(error),
        };
        let result = reply.and_then(|reply| answer::success(entry, reply));
        result.unwrap_or_else(|error| answer::failure(&error, trace))
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let about = &self.server.0.about;
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new(about.name.clone(), about.version.clone());
        info.instructions.clone_from(&about.instructions);
        info
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("all tools are on one page; there is no such cursor", None));
        }
        let tools = self.server.0.tools.iter().map(|entry| entry.tool.clone());
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(entry) = self.server.find(&request.name) else {
            return Err(ErrorData::invalid_params(format!("no tool is named `{}`", request.name), None));
        };
        let parts = context.extensions.get::<http::request::Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Caller>()).cloned();
        // On pipes, a trace travels in the message (SEP-414).
        let told = context.meta.get_traceparent().and_then(Parent::read);
        let told = told.map(|parent| parent.with_state(context.meta.get_tracestate()));
        let trace = match (&caller, told) {
            // What the request's header says counts more.
            (Some(caller), told) if told.is_none() || caller.trace.span.is_some() => caller.trace.clone(),
            (_, told) => self.server.0.services.tracer.decide(told),
        };
        // Before 2026-07-28 a client that left a connection had cancelled nothing.
        let is_cancellable = caller.is_none() || context.protocol_version() >= Some(ProtocolVersion::V_2026_07_28);
        let input = Value::Object(request.arguments.unwrap_or_default());
        tokio::select! {
            biased;
            result = self.run(entry, input, caller, trace) => Ok(CallToolResponse::Complete(result)),
            // Nobody waits for this answer.
            () = context.ct.cancelled(), if is_cancellable => Err(ErrorData::internal_error("cancelled", None)),
        }
    }

    /// Answers what is no message of the protocol, or one of these with members that it cannot have.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        const KNOWN: [&str; 5] = ["initialize", "ping", "server/discover", "tools/call", "tools/list"];
        Err(if KNOWN.contains(&request.method.as_str()) {
            ErrorData::invalid_params(format!("these are no parameters of `{}`", request.method), None)
        } else {
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None)
        })
    }
}
