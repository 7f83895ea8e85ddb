//! One annotated function is the whole contract: HTTP bindings, validation, typed errors, an OpenAPI operation, jobs, events,
//! schedules, tools and a typed in-process call.
//!
//! ```no_run
//! use bunbase::prelude::*;
//!
//! /// Greets somebody.
//! #[action(get = "/hello/{name}")]
//! async fn hello(name: String, #[validate(range(min = 1, max = 10))] times: Option<u8>) -> Result<String> {
//!     Ok(format!("Hello, {name}! ").repeat(times.unwrap_or(1).into()))
//! }
//!
//! #[bunbase::main]
//! async fn main() -> Result<()> {
//!     App::new().run().await
//! }
//! ```
//!
//! Where to look: [`App`] puts an application together, [`action`](macro@action) and [`schema`](macro@schema) say what can
//! be written on functions and types, [`Ctx`] is what a handler may reach, [`testing`] runs an application in a test. How
//! the rooms of the code belong together is in `ARCHITECTURE.md`.

// So that generated code, which names `::bunbase`, also compiles in this crate.
extern crate self as bunbase;

#[cfg(test)]
#[path = "../tests/it/certificates.rs"]
mod certificates;

pub mod action;
pub mod app;
pub mod asset;
pub mod cache;
pub mod clock;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
pub mod events;
mod glue;
pub mod guard;
pub mod http;
pub mod idempotency;
pub mod invoke;
pub mod kv;
pub mod limit;
pub mod lock;
#[cfg(feature = "mcp")]
pub mod mcp;
pub mod observe;
pub mod openapi;
pub mod password;
pub mod queue;
#[cfg(feature = "redis")]
pub mod redis;
pub mod registry;
pub mod runs;
pub mod schedule;
pub mod schema;
pub mod seal;
pub mod service;
pub mod session;
pub mod tenant;
#[cfg(feature = "testing")]
pub mod testing;
pub mod webhook;

/// Implements `bunbase::action::ActionError` for an enum.
///
/// Each variant says how it answers. `#[error(status = 404, code = "task_missing", "task {0} does not exist")]` is a line of the
/// document. `#[error(internal)]` is 500 with a fixed text, or 503 where the cause is a database that is away. `#[error(framework)]`
/// passes one error on, with its status, code and retry class: `bunbase::Error`, which may be anything, so that the document gets an
/// answer for any status; or another error of an action, which brings its own lines along.
///
/// ```
/// use bunbase::{error::InvalidInput, prelude::*};
///
/// #[derive(ActionError, Debug)]
/// enum TaskError {
///     /// The project has no task with this id.
///     #[error(status = 404, code = "task_missing", "task {0} does not exist in this project")]
///     Missing(i64),
///     #[error(framework)]
///     NoId(#[from] InvalidInput),
///     #[error(internal)]
///     Db(#[from] DbErr),
/// }
/// # const { assert!(!<TaskError as bunbase::action::ActionError>::OPEN) };
/// ```
pub use bunbase_macros::ActionError;
/// Turns a function into an action: a message type, doors, an operation of the document and an entry of the registry.
///
/// The function stays as it is and can be called in a unit test. Beside it stands its message, `CreateTask` for
/// `async fn create_task`, with the input's fields, `new` for those that must be given and a method for each of the others.
/// That value is the typed call: `ctx.call(CreateTask::new(…))`. Every action can be called so, and every action can be a job
/// whose input and answer are data.
///
/// | Door | Meaning |
/// |---|---|
/// | `get`, `post`, `put`, `patch`, `delete` | HTTP, any number of each: `post = "/tasks/{id}"`. |
/// | `webhook`, `verify` | A signed delivery, stored before it is answered: `webhook = "/webhooks/stripe", verify = stripe("SECRET")`. Several are `webhook("/a", verify = …)`. `verify` takes a [`Verify`](webhook::Verify). |
/// | `event` | An event by its name or its type, any number: `event = "task.created"`, `event = TaskCreated`. `event(TaskCreated, ordered)` runs those with one ordering key one at a time; `event(TaskCreated, broadcast)` runs on every instance, without a job. |
/// | `cron` | Five or six fields, any number: `cron = "0 2 * * *"`, `cron("0 2 * * MON-FRI", zone = "Europe/Berlin", missed = once, overlap = queue)`. `zone` is `schedule.zone` unless said; `missed` is one of `skip`, `once`, `all` ([`Missed`](schedule::Missed)), `overlap` one of `skip`, `queue`, `allow` ([`Overlap`](schedule::Overlap)). |
/// | `every` | An interval of whole seconds, any number: `every = "30s"`, `every("30s", missed = …, overlap = …)`. |
/// | `tool` | A tool of the Model Context Protocol, under the action's full name with `_` for its dots, or `tool = "move_task"`. |
///
/// | Key | Meaning |
/// |---|---|
/// | `name` | The name, after its modules'; the function's unless said. |
/// | `tags`, `deprecated` | What the document says. |
/// | `guards` | Guards that run after the module's and the `#[guard]` parameters, in order. |
/// | `check_input` | A function that sees the decoded input and may refuse it: `async fn(ctx: &Ctx, input: &CreateTask) -> Result<()>`, or a plain one, with any [`ActionError`](trait@action::ActionError). Where one struct is the whole input it takes that struct. |
/// | `retry` | How often a run is tried: `retry(attempts = 3, backoff = exponential, base = "1s", max = "30s", jitter = full)`, which is also what is left out. `backoff = fixed` waits `base` each time, `jitter = none` exactly so long. |
/// | `timeout` | `"10s"` until the first byte of the answer; for a job, of each attempt. |
/// | `idempotent` | A call with a key that was used before gets the first one's answer. |
/// | `cache` | Answers are kept for a time, over HTTP and as a tool: `cache(ttl = "5m", vary = [user, input], stale = "1m", tags = ["catalog", "sku/{sku}"])`. `vary` says what makes an answer another one, the input unless said; `stale` how much longer an old one is shown while it is made again; `tags` by what [`Cache::invalidate`](cache::Cache::invalidate) finds it. With `Cache-Control`, `ETag`, `Vary` and 304; `public` only where no guard tells callers apart. |
/// | `cpu` | It computes and does not wait, so it runs on threads for that; a plain `fn` always does. |
/// | `queue`, `priority` | Where its jobs wait, `default` unless said, and how urgent they are: `low`, `normal`, `high` or `critical`. |
/// | `status` | The status of a success over HTTP, 200 to 399; the output's own unless said. |
/// | `body_limit`, `content_type` | `"5MB"`; for outputs of bytes or text. |
/// | `message` | The message's name. |
///
/// A parameter is the context (`Ctx`), what a guard provides (`#[guard]`), the whole input (named `input`, or `#[input]`), or a
/// field of the input. A field comes from where `#[path]`, `#[query]`, `#[header]`, `#[cookie]`, `#[body]` or `#[file]` says; without
/// a mark from the path if the template names it, from the query behind GET and DELETE, else from the JSON body. Fields take what
/// the fields of [`schema`](macro@schema) take: `#[validate(…)]`, `#[default(…)]`, `#[sensitive]`, `#[serde(…)]`, a doc comment.
/// Doors without a request bring all fields as one JSON object, whatever their place.
///
/// What cannot work does not compile: a schedule for an action whose fields need values or whose guards need a caller, a file or a
/// stream behind a door without a request, an event type that lacks a field that the input needs.
///
/// ```
/// use bunbase::{Ctx, Result};
///
/// /// Creates a task in a project.
/// #[bunbase::action(post = "/projects/{project_id}/tasks", status = 201)]
/// async fn create_task(
///     ctx: Ctx,
///     project_id: i64,
///     #[validate(length(min = 1, max = 200))] title: String,
///     #[query] notify: Option<bool>,
/// ) -> Result<String> {
///     tracing::info!(project_id, ?notify, trace = %ctx.trace_id(), "created");
///     Ok(title)
/// }
///
/// let call = CreateTask::new(1, "Write the docs".to_owned()).notify(true);
/// assert_eq!(call.notify, Some(true));
/// ```
///
/// Reached by an event, as a tool, and as a job that is tried up to five times:
///
/// ```
/// use bunbase::{Ctx, Result};
///
/// /// Somebody has registered.
/// #[bunbase::event("user.registered")]
/// pub struct UserRegistered {
///     pub email: String,
///     pub name: Option<String>,
/// }
///
/// /// A function that sees the input before the action runs.
/// async fn is_ours(_ctx: &Ctx, input: &Welcome) -> Result<()> {
///     if input.email.ends_with("@example.com") { Ok(()) } else { Err(bunbase::Error::conflict("not one of ours")) }
/// }
///
/// /// Sends a welcome.
/// #[bunbase::action(
///     event = UserRegistered,
///     tool,
///     check_input = is_ours,
///     retry(attempts = 5, base = "10s", max = "10m"),
///     idempotent,
///     queue = "mail",
///     priority = high
/// )]
/// async fn welcome(email: String) -> Result<()> {
///     tracing::info!(email, "welcome");
///     Ok(())
/// }
/// ```
///
/// Every night, and whenever somebody asks. A plain `fn` keeps no request waiting while it computes:
///
/// ```
/// /// Lists the primes below a number.
/// #[bunbase::action(get = "/primes", cron("0 2 * * *", zone = "Europe/Berlin", missed = once))]
/// fn primes(#[default(1000)] below: u32) -> bunbase::Result<Vec<u32>> {
///     Ok((2..below).filter(|number| (2..*number).all(|divisor| number % divisor != 0)).collect())
/// }
///
/// assert_eq!(primes(10).unwrap(), [2, 3, 5, 7]);
/// ```
pub use bunbase_macros::action;
/// Gives a struct or an enum its schema, its checks and its JSON, as [`schema`](macro@schema) does, and the name of an event.
///
/// The name comes first; what follows it is for `#[schema]`. Who emits and who subscribes then share the type: `event = TaskCreated`
/// on an action, and [`Event::NAME`](events::Event::NAME) wherever a text is needed.
///
/// ```
/// use bunbase::events::Event;
///
/// /// A task has come into being.
/// #[bunbase::event("task.created", rename_all = "camelCase")]
/// pub struct TaskCreated {
///     pub task_id: i64,
/// }
///
/// assert_eq!(TaskCreated::NAME, "task.created");
/// ```
pub use bunbase_macros::event;
/// Starts `async fn main` on a runtime with a thread a core, or with `worker_threads = 4`.
///
/// An error that it returns is written to standard error with its causes, one a line, and the process ends with code 1. The
/// version of the package is the default of `app.version`.
///
/// ```
/// #[bunbase::main]
/// async fn main() -> bunbase::Result<()> {
///     Ok(())
/// }
/// ```
pub use bunbase_macros::main;
/// Says what the actions of a Rust module, and of those inside it, share. Once in a module, anywhere in it.
///
/// | Key | Meaning |
/// |---|---|
/// | `name` | The first part of its actions' names; the Rust module's unless said, nothing at a crate's root. |
/// | `prefix` | The first part of their paths. Its parameters are fields marked `#[path]` in the actions that want them. |
/// | `guards` | Guards that run before the actions' own. |
/// | `tags`, `description` | What the document says. |
///
/// ```
/// mod tasks {
///     bunbase::module!(prefix = "/projects/{project_id}", description = "Units of work.");
///
///     /// Counts the tasks of a project: `tasks.count`, at `/projects/{project_id}/tasks/count`.
///     #[bunbase::action(get = "/tasks/count")]
///     async fn count(#[path] project_id: i64) -> bunbase::Result<i64> {
///         Ok(project_id)
///     }
/// }
/// # fn main() {}
/// ```
pub use bunbase_macros::module;
/// Lists modules that the binary must hold, as a constant of their paths.
///
/// Actions register themselves when they are linked. Rust leaves a dependency out of the binary in silence when no code names it:
/// this names it, and the application checks at start-up that each listed module has registered an action. It is needed for
/// actions in another crate, which includes the library of a package seen from its binary, its examples and its tests.
///
/// A module of this crate begins with `crate`, `self` or `super`. Another crate is written by the name that it has in its own
/// package: `modules![my_actions, crate::tasks]`.
///
/// ```
/// mod tasks {}
/// # fn main() {
/// const LISTED: &[&str] = bunbase::modules![crate::tasks];
/// assert!(LISTED[0].ends_with("::tasks"));
/// # }
/// ```
pub use bunbase_macros::modules;
/// Gives a struct or an enum its schema, its checks and its JSON.
///
/// It derives `Serialize`, `Clone` and `Debug`, writes `Deserialize`, and merges the derives written below it. Decoding takes what the
/// schema says and nothing laxer: no unknown or repeated keys, no arrays for objects, and the forms of dates, decimals and numbers
/// that the document shows.
///
/// | Argument | Meaning |
/// |---|---|
/// | `name` | The name of the component in the document; the type's unless said. |
/// | `rename_all`, `rename_all_fields` | The spelling of keys and variants, as serde has it. |
/// | `tag`, `content`, `untagged` | How an enum says which variant it is, as serde has it; by the variant's name as the only key unless said. |
///
/// Values go straight into their fields, with no copy in between but where that cannot be known in time: a value of an `untagged` enum
/// is held as JSON until the first variant fits, and so are those keys of a tagged one that come before the tag (or the content that
/// comes before it). Write the tag first, as `Serialize` does, and nothing is held.
///
/// ```
/// /// How far a task is.
/// #[bunbase::schema(tag = "kind", rename_all = "snake_case")]
/// enum State {
///     /// It is to be done.
///     Open,
///     /// It is done.
///     Done { by: String },
/// }
///
/// let done: State = serde_json::from_str(r#"{"kind":"done","by":"Ada"}"#).unwrap();
/// assert!(matches!(done, State::Done { by } if by == "Ada"));
/// assert!(serde_json::from_str::<State>(r#"{"kind":"open","by":"Ada"}"#).is_err());
/// ```
pub use bunbase_macros::schema;
/// Runs an `async fn` as a test, on its own thread alone or with `worker_threads = 4`.
///
/// ```
/// #[bunbase::test]
/// async fn a_task_is_awaited() {
///     assert_eq!(std::future::ready(1).await, 1);
/// }
/// ```
pub use bunbase_macros::test;

pub use self::{
    app::App,
    context::Ctx,
    error::{Error, Result},
};
pub use okapi;
pub use prometheus_client;
pub use sea_orm;
#[cfg(feature = "heap-profiling")]
pub use tikv_jemallocator::Jemalloc;

/// What a migration is written with: SeaORM's migration crate.
pub mod migration {
    pub use sea_orm_migration::*;
}

/// What most applications use.
pub mod prelude {
    pub use bytes::Bytes;
    pub use chrono::{NaiveDate, Utc};
    pub use rust_decimal::Decimal;
    // SeaORM's derives name the crate by this name.
    pub use sea_orm;
    pub use sea_orm::{
        DbErr, EntityTrait, FromQueryResult,
        prelude::{DateTimeUtc, Uuid},
    };

    pub use crate::{
        action::{ActionError, ByteStream, Created, Html, Redirect, Sse, SseEvent, Text},
        app::App,
        context::{Ctx, Identity, Tx, now},
        db::page::{Cursor, Keyset, Limit, Page, PageQuery},
        error::Result,
        guard::{
            ApiKey, ApiKeys, DAY, Guard, HOUR, MINUTE, Provider, SECOND, SignedIn, across_tenants, all, any, api_key,
            has_permission, has_role, rate_limit, signed_in, step_up,
        },
        http::Upload,
        schema::{Base64, Patch},
        session::Grant,
    };
    pub use bunbase_macros::{ActionError, action, event, schema};
}

/// What generated code names. Not for people: nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use bunbase_macros::schema as schema_macro;
    pub use inventory;
    pub use regex::Regex;
    pub use schemars;
    pub use schemars::schema::SchemaObject;
    pub use serde;
    pub use serde_json;
    pub use std;

    pub use crate::{
        __bunbase_register as register, __bunbase_wrap_input as wrap_input, action, context, error, events,
        glue::{
            MainOutput, Provide, ProviderOf, boxed_guard, boxed_verify, crate_name, join, module_name, no_modules,
            outer_module, package, run_main, run_test, text,
        },
        guard, http, invoke, queue, registry, schedule, schema, webhook,
    };
}

/// The programs of `docs/performance.md` are compiled as those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/performance.md")]
struct PerformancePage;
