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
    /// The check with its kind. Where a function cannot check this input there is no such type, and the compiler says so once.
    type Checked;

    /// The check with its kind.
    const CHECKED: Self::Checked;

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
    type Checked = Checked<F, M, Awaits<A, E>>;

    const CHECKED: Self::Checked = Checked(PhantomData);
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
    type Checked = Checked<F, M, Answers<E>>;

    const CHECKED: Self::Checked = Checked(PhantomData);
    const ERRORS: ErrorDoc = ErrorDoc::of::<E>();

    fn check(&self, ctx: &'a Ctx, input: &'a M) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(self(ctx, input).map_err(Into::into))
    }
}

/// An [`InputCheck`] with the kind that it is.
#[derive(Debug)]
pub struct Checked<F, M, K>(PhantomData<fn(F, M, K)>);

/// Finds out of which kind a function is that checks the input `M`. What generated code does with one begins here.
pub const fn checked<'a, M: 'a, F: InputCheck<'a, M, K>, K>(_function: &F) -> F::Checked {
    F::CHECKED
}

impl<'a, M: 'a, F: InputCheck<'a, M, K>, K> Checked<F, M, K> {
    /// Returns how it refuses.
    pub const fn errors(&self) -> ErrorDoc {
        F::ERRORS
    }

    /// Runs it.
    pub fn run(&self, function: &F, ctx: &'a Ctx, input: &'a M) -> impl Future<Output = Result<()>> + Send {
        function.check(ctx, input)
    }
}
