//! What generated code calls, so that little of it has to be generated.
//!
//! Reached through `__private` only. Here: starting a runtime, the guards of an action, and names made from `module_path!()`. Not
//! here: anything that a person would call.

use std::{fmt, future::Future, marker::PhantomData, process::ExitCode};

use crate::{
    Error, Result,
    context::Ctx,
    error::code,
    guard::{DynGuard, Guard, GuardDoc, Provider},
    webhook::Verify,
};

/// Puts a guard behind a pointer.
pub fn boxed_guard<G: Guard>(guard: G) -> Box<dyn DynGuard> {
    Box::new(guard)
}

/// Puts a signature scheme behind a pointer.
pub fn boxed_verify<V: Verify>(verify: V) -> Box<dyn Verify> {
    Box::new(verify)
}

/// The type of a `#[guard]` parameter.
#[derive(Debug)]
pub struct ProviderOf<P>(PhantomData<P>);

/// What is done with the type of a `#[guard]` parameter. Both uses ask for one bound in the same words, so that the compiler
/// reports a type that is no provider once.
pub trait Provide {
    /// The provider.
    type Value;

    /// Whether it refuses every run that nobody called.
    const NEEDS_CALLER: bool;

    /// Describes the provider.
    fn doc() -> GuardDoc;

    /// Makes the value.
    ///
    /// # Errors
    /// The guard's refusal.
    fn provide(ctx: &Ctx) -> impl Future<Output = Result<Self::Value>> + Send;
}

impl<P: Provider> Provide for ProviderOf<P> {
    type Value = P;

    const NEEDS_CALLER: bool = P::NEEDS_CALLER;

    fn doc() -> GuardDoc {
        P::describe()
    }

    async fn provide(ctx: &Ctx) -> Result<P> {
        ctx.provide::<P>().await
    }
}

/// What `#[bunbase::main]` may return.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "write `Result<()>`",
    note = "`#[bunbase::main]` is for `async fn main() -> Result<()>`, with any error, or for one that returns nothing"
)]
pub trait MainOutput {
    /// Returns what went wrong.
    fn into_result(self) -> Result<(), Box<dyn std::error::Error>>;
}

impl MainOutput for () {
    fn into_result(self) -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn std::error::Error>>> MainOutput for Result<(), E> {
    fn into_result(self) -> Result<(), Box<dyn std::error::Error>> {
        self.map_err(Into::into)
    }
}

/// Notes the version of the user's package, which only code that is compiled in it knows: the default of `app.version`.
pub fn package(version: Option<&'static str>) {
    if let Some(version) = version {
        crate::config::note_version(version);
    }
}

/// Runs `main` on a runtime with `worker_threads` threads, one a core unless said, and tells a failure on standard error.
pub fn run_main<T: MainOutput>(worker_threads: Option<usize>, main: impl Future<Output = T>) -> ExitCode {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = worker_threads {
        builder.worker_threads(threads);
    }
    let result = match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(main).into_result(),
        Err(error) => Err(Error::internal(error).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Runs a test on a runtime of its own: on this thread alone, or on `worker_threads` threads.
///
/// # Panics
/// When the system gives no runtime: a test has no better way to fail.
pub fn run_test<T>(worker_threads: Option<usize>, test: impl Future<Output = T>) -> T {
    let mut builder = match worker_threads {
        None => tokio::runtime::Builder::new_current_thread(),
        Some(threads) => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(test),
        Err(error) => panic!("the runtime of the test could not start: {error}"),
    }
}

/// An error and its causes, one a line.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl Chain<'_> {
    /// Returns the first error that says something here: the fixed text of an internal error is for callers over HTTP.
    fn first(&self) -> &(dyn std::error::Error + 'static) {
        let is_fixed = self.0.downcast_ref::<Error>().is_some_and(|error| error.code() == code::INTERNAL);
        self.0.source().filter(|_| is_fixed).unwrap_or(self.0)
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first();
        write!(f, "error: {first}")?;
        let mut last = first.to_string();
        let mut cause = first.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their cause's text; once is enough.
            if !last.contains(&text) {
                write!(f, "\n  because: {text}")?;
            }
            last = text;
            cause = error.source();
        }
        Ok(())
    }
}

/// Returns the last part of a module's path; nothing for a crate's root.
pub const fn module_name(path: &'static str) -> &'static str {
    match last_colons(path) {
        Some(colons) => bare(path.split_at(colons + 2).1),
        None => "",
    }
}

/// Returns the name of the crate that a module is in.
pub const fn crate_name(path: &'static str) -> &'static str {
    let bytes = path.as_bytes();
    let mut end = 0;
    while end < bytes.len() && bytes[end] != b':' {
        end += 1;
    }
    path.split_at(end).0
}

/// Returns the module `steps` above another; the crate's root at the most.
pub const fn outer_module(mut path: &'static str, mut steps: usize) -> &'static str {
    while steps > 0 {
        path = match last_colons(path) {
            Some(colons) => path.split_at(colons).0,
            None => return path,
        };
        steps -= 1;
    }
    path
}

const fn last_colons(path: &str) -> Option<usize> {
    let bytes = path.as_bytes();
    let mut end = bytes.len();
    while end > 1 {
        if bytes[end - 1] == b':' && bytes[end - 2] == b':' {
            return Some(end - 2);
        }
        end -= 1;
    }
    None
}

/// Returns a name without the `r#` of one that is a keyword.
const fn bare(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0] == b'r' && bytes[1] == b'#' { name.split_at(2).1 } else { name }
}

/// Joins two texts whose lengths make `N`.
pub const fn join<const N: usize>(first: &str, second: &str) -> [u8; N] {
    let (first, second) = (first.as_bytes(), second.as_bytes());
    let mut joined = [0; N];
    let mut index = 0;
    while index < N {
        joined[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    joined
}

/// Reads joined texts back; nothing where they are none.
pub const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// No modules: what a broken list is, beside its mistake.
pub const fn no_modules() -> &'static [&'static str] {
    &[]
}

/// Registers an action, for every door that has a table of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __bunbase_register {
    ($message:ty) => {
        $crate::__private::inventory::submit! { $crate::registry::ActionEntry::of::<$message>() }
        $crate::__private::inventory::submit! { $crate::invoke::Callable::of::<$message>() }
        $crate::__private::inventory::submit! { $crate::http::Endpoint::of::<$message>() }
    };
}

/// Makes a message of an input that is a struct of its own: it is on the wire what that struct is.
#[doc(hidden)]
#[macro_export]
macro_rules! __bunbase_wrap_input {
    ($(#[$attr:meta])* $vis:vis $name:ident $input:ty) => {
        $(#[$attr])*
        #[derive(Clone, Debug)]
        #[allow(unreachable_pub)]
        $vis struct $name(
            /// The input.
            pub $input,
        );

        impl $crate::__private::std::convert::From<$input> for $name {
            fn from(input: $input) -> Self {
                Self(input)
            }
        }

        impl $crate::__private::serde::Serialize for $name {
            fn serialize<S: $crate::__private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> $crate::__private::std::result::Result<S::Ok, S::Error> {
                <$input as $crate::schema::Schema>::encode(&self.0, serializer)
            }
        }

        impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> $crate::__private::std::result::Result<Self, D::Error> {
                <$input as $crate::schema::Schema>::decode(deserializer).map(Self)
            }
        }

        impl $crate::schema::Schema for $name {
            const OPTIONAL: $crate::__private::std::primitive::bool = <$input as $crate::schema::Schema>::OPTIONAL;

            fn label() -> $crate::__private::std::borrow::Cow<'static, $crate::__private::std::primitive::str> {
                <$input as $crate::schema::Schema>::label()
            }

            fn schema(
                generator: &mut $crate::schema::Generator,
            ) -> $crate::__private::SchemaObject {
                <$input as $crate::schema::Schema>::schema(generator)
            }

            fn check(value: &$crate::__private::serde_json::Value, checker: &mut $crate::schema::Checker) {
                <$input as $crate::schema::Schema>::check(value, checker);
            }

            fn valid(&self) -> $crate::__private::std::primitive::bool {
                $crate::schema::Schema::valid(&self.0)
            }

            fn absent() -> $crate::__private::std::option::Option<Self> {
                <$input as $crate::schema::Schema>::absent().map(Self)
            }
        }

        impl $crate::schema::Record for $name {
            const FIELDS: &'static [$crate::schema::Field] = <$input as $crate::schema::Record>::FIELDS;

            type Slots = <$input as $crate::schema::Record>::Slots;

            fn slots() -> Self::Slots {
                <$input as $crate::schema::Record>::slots()
            }

            fn index(
                key: &$crate::__private::std::primitive::str,
            ) -> $crate::__private::std::option::Option<$crate::__private::std::primitive::usize> {
                <$input as $crate::schema::Record>::index(key)
            }

            fn put<'de, D: $crate::__private::serde::Deserializer<'de>>(
                slots: &mut Self::Slots,
                index: $crate::__private::std::primitive::usize,
                value: D,
            ) -> $crate::__private::std::result::Result<(), D::Error> {
                <$input as $crate::schema::Record>::put(slots, index, value)
            }

            fn put_texts(
                slots: &mut Self::Slots,
                index: $crate::__private::std::primitive::usize,
                texts: &[$crate::__private::std::borrow::Cow<'_, $crate::__private::std::primitive::str>],
            ) -> $crate::__private::std::result::Result<(), $crate::schema::Mistake> {
                <$input as $crate::schema::Record>::put_texts(slots, index, texts)
            }

            fn take(
                slots: Self::Slots,
            ) -> $crate::__private::std::result::Result<Self, $crate::__private::std::primitive::usize> {
                <$input as $crate::schema::Record>::take(slots).map(Self)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_by_its_last_part_and_a_crate_root_by_nothing() {
        const JOINED: [u8; 5] = join("ab", "::c");
        assert_eq!(module_name("app"), "");
        assert_eq!(module_name("app::api::tasks"), "tasks");
        assert_eq!(module_name("app::r#type"), "type");
        assert_eq!(crate_name("app::api::tasks"), "app");
        assert_eq!(outer_module("app::api::tasks", 1), "app::api");
        assert_eq!(outer_module("app::api", 5), "app");
        assert_eq!(text(&JOINED), "ab::c");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let cause = || std::io::Error::other("the port is taken");
        let error = Error::new(500, "listen", "cannot listen").caused_by(cause());
        assert_eq!(Chain(&error).to_string(), "error: cannot listen\n  because: the port is taken");
        assert_eq!(Chain(&Error::internal(cause())).to_string(), "error: the port is taken");
    }
}
