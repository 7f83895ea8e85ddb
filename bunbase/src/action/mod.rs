//! What an action is: its messages, its description and the doors that it declares. Data and traits, no I/O.
//!
//! Here: the [`Action`] trait that `#[action]` implements on the message type, [`ActionMeta`], triggers, typed errors and
//! outputs. Not here: collecting actions (`registry`), running them (`invoke`), and how a door speaks (`http`).

mod check;
mod error;
mod meta;
mod output;
#[doc(hidden)]
pub mod parts;
pub mod placement;
mod reply;
pub mod rules;

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    check::{Answers, Awaits, Checked, InputCheck, checked},
    error::{ActionError, ErrorDoc, ErrorVariant, count, internal, internal_class, join, passed},
    meta::{ActionMeta, CachePolicy, Door, Method, ModuleMeta, RetryPolicy, Trigger},
    output::{ByteStream, Created, HeaderDoc, Html, NoContent, Output, OutputDoc, Redirect, Sse, SseEvent, Text},
    reply::{Body, Reply, SetCookie},
};
use crate::{Result, context::Ctx, guard::DynGuard, schema::Record};

/// An annotated function, seen from outside. `#[action]` implements it on the message type, `CreateTask` for
/// `async fn create_task`; the value of that type *is* the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the message of an action",
    note = "`#[action]` on `async fn create_task` makes the message `CreateTask`"
)]
pub trait Action: Record + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the function answers.
    type Output: Output;

    /// How the function fails.
    type Error: ActionError;

    /// The values of its `#[guard]` parameters, as a tuple.
    type Provided: Clone + Send + Sync + 'static;

    /// Everything that is known of it at compile time.
    const META: ActionMeta;

    /// Returns the guards of its `guards = […]`, in order. Called once, at start-up.
    fn guards() -> Vec<Box<dyn DynGuard>>;

    /// Returns what its `#[guard]` parameters say about themselves, in order.
    fn providers() -> Vec<crate::guard::GuardDoc>;

    /// Makes the values of its `#[guard]` parameters, in order; each provider once per run.
    fn provide(ctx: &Ctx) -> impl Future<Output = Result<Self::Provided>> + Send;

    /// How the function of `check_input = path::to::function` refuses.
    const CHECK_ERRORS: ErrorDoc = ErrorDoc::NONE;

    /// Runs the function of `check_input = path::to::function`, once the input is decoded and before anything else happens.
    fn check_input(ctx: &Ctx, message: &Self) -> impl Future<Output = Result<()>> + Send {
        let _ = (ctx, message);
        std::future::ready(Ok(()))
    }

    /// Returns a copy, for another attempt. `None` where there is none to be had: then there is one attempt.
    fn copy(&self) -> Option<Self> {
        None
    }

    /// Calls the function.
    fn run(
        ctx: Ctx,
        provided: Self::Provided,
        message: Self,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// What an annotated function may return: names the two types of a `Result`, whatever alias it is written with.
#[diagnostic::on_unimplemented(
    message = "an action returns a `Result`, not `{Self}`",
    label = "write `Result<{Self}>`, or `Result<{Self}, YourError>`"
)]
pub trait ActionResult {
    /// The `Ok` type.
    type Output;
    /// The `Err` type.
    type Error;
}

impl<T, E> ActionResult for Result<T, E> {
    type Output = T;
    type Error = E;
}
