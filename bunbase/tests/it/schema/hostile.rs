//! The output of the macros compiles where the names of the standard library mean something else.
#![deny(warnings, missing_docs, unused, unreachable_pub, missing_debug_implementations)]
#![allow(dead_code, reason = "only whether it compiles matters")]

macro_rules! taken {
    ($($name:ident)*) => { $(#[derive(Clone, Copy, Debug)] pub(super) struct $name;)* };
}

mod std {
    // No `std::…` path of generated code comes here.
}
mod serde {}
mod core {}
mod bunbase_macros {}

taken!(Option Result String Vec Box Some Ok Err Cow Schema Record Field Value Generator Send Default From Into ToString);

/// A struct.
#[::bunbase::schema]
pub(super) struct Thing {
    /// A field.
    #[validate(range(min = 1), multiple_of = 1)]
    #[default(1)]
    pub(super) id: i64,
    #[validate(length(max = 5), pattern = "a", email)]
    text: ::std::string::String,
    #[deprecated]
    old: ::std::option::Option<u8>,
    #[serde(skip)]
    cached: u8,
    slots: u8,
    index: u8,
    value: u8,
    checker: u8,
    generator: u8,
    deserializer: u8,
}

#[::bunbase::schema]
enum Plain {
    None,
    Some,
}

#[::bunbase::schema(tag = "type")]
enum Tagged<T> {
    A {
        value: T,
    },
    B,
    #[deprecated]
    C {
        f: u8,
    },
}

#[::bunbase::schema]
struct New(#[validate(range(max = 9))] u8);

#[::bunbase::schema]
struct Pair<const N: u8>(u8, u16);

#[::bunbase::schema]
struct Output {
    #[header]
    etag: ::std::string::String,
    rest: u8,
}

#[::bunbase::schema]
struct Input {
    #[path]
    id: u8,
    #[body]
    body: Output,
}

#[::bunbase::schema]
struct Nothing {}

#[derive(::bunbase::ActionError, Debug)]
enum Failure {
    #[error(status = 400, "bad {f} {error}")]
    Bad { f: u8, error: u8 },
    #[error(internal)]
    Io(#[from] ::std::io::Error),
    #[error(framework)]
    Other(#[from] ::bunbase::Error),
}

#[derive(::bunbase::ActionError, Debug)]
enum Never {}
