//! What looks at an input once it is decoded: `check_input = path::to::function`.

use std::{future::Future, marker::PhantomData};

use super::{ActionError, ErrorDoc};
use crate::{Result, context::Ctx};

/// A function that lets an input pass or refuses it: `async fn(ctx: &Ctx, input: &CreateTask) -> Result<()>`, or the same as a plain
/// `fn`. A guard cannot do that, because it runs before the input is decoded.
///
/// `K` says which of the two it is, and is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot check the input of this action",
    label = "not a function of the context and this input",
    note = "write `async fn check(ctx: &Ctx, input: &{M}) -> Result<()>`, with any error that is an `ActionError`"
)]
pub trait InputCheck<'a, M: 'a, K> {
    /// How it refuses.
    const ERRORS: ErrorDoc;

    /// Lets the input pass, or refuses it.
    fn check(&self, ctx: &'a Ctx, input: &'a M) -> impl Future<Output = Result<()>> + Send;
}

/// An [`InputCheck`] that awaits.
#[derive(Debug)]
pub struct Awaits<F, E>(PhantomData<(F, E)>);

/// An [`InputCheck`] that answers at once.
#[derive(Debug)]
pub struct Answers<E>(PhantomData<E>);

impl<'a, M, F, A, E> InputCheck<'a, M, Awaits<A, E>> for F
where
    M: 'a,
    F: Fn(&'a Ctx, &'a M) -> A,
    A: Future<Output = Result<(), E>> + Send,
    E: ActionError,
{
    const ERRORS: ErrorDoc = ErrorDoc::of::<E>();

    fn check(&self, ctx: &'a Ctx, input: &'a M) -> impl Future<Output = Result<()>> + Send {
        let answer = self(ctx, input);
        async move { answer.await.map_err(Into::into) }
    }
}

impl<'a, M, F, E> InputCheck<'a, M, Answers<E>> for F
where
    M: 'a,
    F: Fn(&'a Ctx, &'a M) -> Result<(), E>,
    E: ActionError,
{
    const ERRORS: ErrorDoc = ErrorDoc::of::<E>();

    fn check(&self, ctx: &'a Ctx, input: &'a M) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(self(ctx, input).map_err(Into::into))
    }
}

/// An [`InputCheck`] with the kind that it is. What generated code does with one begins here, so that the compiler reports a function
/// that is none once.
#[derive(Debug)]
pub struct Checked<'f, F, M, K>(&'f F, PhantomData<(fn(M), K)>);

/// Takes a function that checks the input `M`.
pub const fn checked<'a, M: 'a, F: InputCheck<'a, M, K>, K>(function: &F) -> Checked<'_, F, M, K> {
    Checked(function, PhantomData)
}

impl<'a, M: 'a, F: InputCheck<'a, M, K>, K> Checked<'_, F, M, K> {
    /// Returns how it refuses.
    pub const fn errors(&self) -> ErrorDoc {
        F::ERRORS
    }

    /// Runs it.
    pub fn run(&self, ctx: &'a Ctx, input: &'a M) -> impl Future<Output = Result<()>> + Send {
        self.0.check(ctx, input)
    }
}
