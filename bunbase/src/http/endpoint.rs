//! One route of one action, from the request to the response. Read [`run`] first.

use std::{collections::BTreeMap, fmt, pin::pin, sync::Arc, time::Instant};

use actix_web::{
    HttpResponse,
    dev::Payload,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};

use futures_util::future::LocalBoxFuture;

use super::{
    decode::HttpInput,
    detach::{InFlight, Running},
    head::Head,
    plan::Plan,
    problem,
    respond::{self, Made, Overrides},
    settings::{CancelOnDisconnect, Settings},
    traced,
    webhook::Webhook,
};
use crate::{
    Error,
    action::{Action, Door},
    context::{Ctx, READ_AFTER, Request, Services, TraceId},
    invoke::{Answer, Finish, Invocation, Outcome, Runner, TimeLimit, Written},
    observe::trace::{self, Parent},
};

/// An action by its type, for HTTP. Submitted beside the registry's own entry.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Its place in the code, which tells it from all others.
    pub at: (&'static str, &'static str),
    pub(crate) handle: Handle,
}

/// Takes the request, its place in a trace, and when it came.
pub(crate) type Handle =
    fn(Arc<HttpRoute>, Arc<Head>, Payload, Parent, Instant) -> LocalBoxFuture<'static, HttpResponse>;

impl Endpoint {
    /// Describes `A`.
    pub const fn of<A: Action>() -> Self {
        Self {
            at: (A::META.module_path, A::META.name),
            handle: |route, head, payload, parent, came| Box::pin(handle::<A>(route, head, payload, parent, came)),
        }
    }
}

/// Returns all endpoints of the binary by their place in the code.
pub(super) fn all() -> BTreeMap<(&'static str, &'static str), Endpoint> {
    inventory::iter::<Endpoint>().map(|endpoint| (endpoint.at, *endpoint)).collect()
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("at", &self.at).finish_non_exhaustive()
    }
}

inventory::collect!(Endpoint);

/// What start-up resolved for one route, so that a request looks nothing up.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    pub(crate) endpoint: Endpoint,
    pub(crate) runner: Arc<Runner>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) overrides: Overrides,
    pub(crate) settings: Arc<Settings>,
    pub(crate) services: Arc<Services>,
    pub(crate) in_flight: InFlight,
    /// For the route of a webhook.
    pub(crate) webhook: Option<Webhook>,
    /// The request headers on which kept answers depend.
    pub(crate) vary: Option<HeaderValue>,
    /// How to authenticate, for 401 (RFC 9110 section 11.6.1).
    pub(crate) challenge: Option<HeaderValue>,
}

impl HttpRoute {
    /// Ends a run with an error. What is logged of it is part of the run.
    fn fail(&self, error: &Error, ctx: &Ctx, outcome: &mut Outcome<'_>) -> HttpResponse {
        let mut response = trace::sync_within(ctx.as_current(), || self.refuse(error, ctx.trace_id()));
        if self.runner.meta.cache.is_some() {
            // An error is not kept here, and not by a cache in between.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        outcome.failed_with(error);
        self.with_headers(response, ctx, false)
    }

    pub(super) fn refuse(&self, error: &Error, trace: TraceId) -> HttpResponse {
        let mut response = problem::respond(error, trace);
        if let (StatusCode::UNAUTHORIZED, Some(challenge)) = (response.status(), &self.challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }

    /// Adds what guards have said, what has become of the session, and what the next request is to see.
    fn with_headers(&self, response: HttpResponse, ctx: &Ctx, succeeded: bool) -> HttpResponse {
        let mut response = with_headers_of_guards(response, ctx);
        let session = ctx.held();
        if let Some(cookie) = session.take_cookie(succeeded)
            && let Ok(value) = HeaderValue::from_str(&cookie)
        {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        if let (Some(read_after), Some(mark)) = (&self.services.read_after, ctx.inner().written.get())
            && let (Ok(value), Ok(cookie)) =
                (HeaderValue::from_str(mark), HeaderValue::from_str(&read_after.cookie(mark)))
        {
            response.headers_mut().insert(HeaderName::from_static(READ_AFTER), value);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        let is_somebodys = self.challenge.is_some() || session.is_used();
        if is_somebodys && !response.headers().contains_key(header::CACHE_CONTROL) {
            // It depends on who is calling, and nothing says that anybody may keep it.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        // What a guard sets is for this caller.
        let is_public = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("public"));
        if response.headers().contains_key(header::SET_COOKIE)
            && response.headers().get(header::CACHE_CONTROL).is_some_and(is_public)
        {
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        }
        response
    }
}

/// Adds what guards have said.
pub(super) fn with_headers_of_guards(mut response: HttpResponse, ctx: &Ctx) -> HttpResponse {
    ctx.answer_with(|headers| {
        for (name, value) in headers.drain(..) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
    });
    response
}

/// Answers one request.
fn handle<A: Action>(
    route: Arc<HttpRoute>,
    head: Arc<Head>,
    payload: Payload,
    parent: Parent,
    came: Instant,
) -> impl Future<Output = HttpResponse> {
    let running = route.in_flight.enter();
    let call = Invocation { request: Some(Request::new(head.clone())), ..Invocation::new(parent, Door::Http, came) };
    let ctx = route.runner.open(&route.services, call);
    ctx.inner().trace.write(|span| traced::describe_route(span, &head, &route.plan.template));
    run::<A>(route, head, ctx, (payload, running), came)
}

/// Runs what a request asks for.
///
/// The first half of the run, guards and decoding, is dropped when the client leaves: nothing has happened yet. The second half is
/// not, unless the method is safe.
async fn run<A: Action>(
    route: Arc<HttpRoute>,
    head: Arc<Head>,
    ctx: Ctx,
    (mut payload, running): (Payload, Running),
    came: Instant,
) -> HttpResponse {
    let runner = &*route.runner;
    let mut outcome = Outcome::begin(&ctx, runner, came);
    let mut limit = TimeLimit::new(runner.timeout, came);
    let input = HttpInput { plan: &route.plan, head: &head, payload: &mut payload, settings: &route.settings };
    let prepared = {
        let preparing = pin!(runner.prepare::<A>(&ctx, input));
        limit.keep_polled(trace::within(ctx.as_current(), preparing), || head.is_polled_again()).await
    };
    // The connection goes on, and sees whether the client is still there.
    drop(payload);
    let (provided, message) = match prepared {
        Some(Ok(prepared)) => prepared,
        Some(Err(error)) => return route.fail(&error, &ctx, &mut outcome),
        None => return route.fail(&runner.timed_out(), &ctx, &mut outcome),
    };
    let goes_on = match route.settings.cancel_on_disconnect {
        CancelOnDisconnect::Safe => !head.method.is_safe(),
        CancelOnDisconnect::Always => false,
        CancelOnDisconnect::Never => true,
    };
    if goes_on {
        head.go_on();
    }
    let finishing = pin!(async {
        let performed = {
            // In a box of its own, and the rest in another: glibc finds up to 1,032 bytes at once, and looks for more.
            let performing = Box::pin(Written.finish(runner, &ctx, provided, message, limit.began()));
            limit.keep_polled(performing, || head.is_polled_again()).await
        };
        let result = match performed {
            Some(result) => result.map_err(Error::from),
            None => Err(runner.timed_out()),
        };
        if ctx.marks_what_it_writes() {
            Box::pin(ctx.mark_written(result.as_ref().is_ok_and(|answer| answer.is_replayed))).await;
        }
        let response = match result {
            Ok(Answer { mut reply, is_replayed }) => {
                if is_replayed {
                    reply.headers.push(("idempotent-replayed".into(), "true".to_owned()));
                }
                match respond::respond(reply, route.overrides, &head, &route.settings, ctx.trace_id(), running) {
                    Ok(Made::Now(response)) => Ok(response),
                    Ok(Made::Later(making)) => making.await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        match response {
            Ok(mut response) => {
                if let Some(vary) = &route.vary {
                    response.headers_mut().append(header::VARY, vary.clone());
                }
                outcome.succeeded(Some(response.status().as_u16()));
                route.with_headers(response, &ctx, true)
            }
            Err(error) => route.fail(&error, &ctx, &mut outcome),
        }
    });
    trace::within(ctx.as_current(), finishing).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// Finds something.
    #[action(get = "/sized/{id}")]
    async fn find_sized(id: i64, limit: i32, q: Option<String>, sort: Option<String>) -> Result<i64> {
        let _ = (limit, q, sort);
        Ok(id)
    }

    /// Returns how large the future is that a function makes.
    fn made_by<F: Fn(Arc<HttpRoute>, Arc<Head>, Payload, Parent, Instant) -> R, R>(_: F) -> usize {
        size_of::<R>()
    }

    #[test]
    fn the_future_of_a_request_is_small_enough_to_be_allocated_quickly() {
        let size = made_by(handle::<FindSized>);
        assert!(size <= 1032, "{size} bytes");
    }
}
