//! Generated code compiles where the lints are strict and the names of the standard library mean something else.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
#![allow(dead_code)]

use bunbase::{context::Ctx, error::Result as Answer, guard::Provider};

bunbase::module!(name = "hostile", prefix = "/h/{tenant}", tags = ["hostile"], description = "Everything is shadowed.");

/// Not the one of the standard library.
pub mod shadows {
    /// Takes the name of a trait.
    pub trait Default {}
    /// Takes the name of a trait.
    pub trait From {}
    /// Takes the name of a trait.
    pub trait Into {}
    /// Takes the name of a trait.
    pub trait Clone {}
}
#[allow(unused_imports)]
use shadows::{Default, From, Into};

struct Result;
struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct Vec;
struct Box;
struct String;
struct Cow;
mod std {}
mod core {}
mod serde {}

/// Who calls.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct Caller;

impl Provider for Caller {
    type Error = bunbase::Error;

    async fn provide(_ctx: &Ctx) -> Answer<Self> {
        ::std::result::Result::Ok(Self)
    }
}

/// Creates a thing.
///
/// With everything.
#[bunbase::action(post = "/things/{id}", put = "/things/{id}", status = 200, timeout = "10s", tags = ["things"])]
pub async fn create_thing(
    ctx: Ctx,
    #[guard] _caller: Caller,
    id: i64,
    /// Its tenant.
    #[path]
    tenant: u32,
    name: ::std::string::String,
    #[query] r#type: ::std::option::Option<u8>,
    #[header("X-Source")] source: ::std::option::Option<::std::string::String>,
) -> Answer<u8> {
    let _ = (ctx, id, tenant, name, source);
    ::std::result::Result::Ok(r#type.unwrap_or(1))
}

#[bunbase::action(get = "/things")]
async fn things() -> Answer<()> {
    ::std::result::Result::Ok(())
}

/// An action that is only called.
#[bunbase::action]
pub(crate) async fn called(message: u8, provided: u8, run: u8, called: u8, new: ::std::option::Option<u8>) -> Answer<u8> {
    ::std::result::Result::Ok(message + provided + run + called + new.unwrap_or(0))
}

/// Something has happened.
#[bunbase::event("thing.made")]
pub struct ThingMade {
    /// Which thing.
    pub id: i64,
}

/// Signs nothing.
pub struct Open;

impl bunbase::webhook::Verify for Open {
    fn verify(&self, _delivery: &bunbase::webhook::Delivery<'_>) -> Answer<::std::string::String> {
        ::std::result::Result::Ok(::std::string::String::new())
    }

    fn headers(&self) -> ::std::vec::Vec<(&'static str, &'static str)> {
        ::std::vec::Vec::new()
    }
}

impl bunbase::guard::Guard for Open {
    type Error = bunbase::Error;

    async fn check(&self, _ctx: &Ctx) -> Answer<()> {
        ::std::result::Result::Ok(())
    }
}

/// Lets everything pass.
fn pass(_ctx: &Ctx, _input: &Sweep) -> Answer<()> {
    ::std::result::Result::Ok(())
}

/// Computes, by every door.
#[bunbase::action(
    webhook = "/sweep",
    verify = Open,
    event = ThingMade,
    event("thing.gone", ordered),
    cron("0 2 * * *", zone = "UTC", missed = once, overlap = queue),
    every = "1h",
    tool = "sweep",
    guards = [Open, self::Open],
    check_input = pass,
    retry(attempts = 3, backoff = exponential, base = "200ms", max = "30s", jitter = full),
    idempotent,
    queue = "mail",
    priority = low
)]
fn sweep(guard_0: ::std::option::Option<u8>, message: ::std::option::Option<u8>) -> Answer<u8> {
    ::std::result::Result::Ok(guard_0.or(message).unwrap_or(0))
}

fn main() {
    let call = CreateThing::new(1, 2, ::std::string::String::new()).r#type(3);
    assert_eq!(call.r#type, ::std::option::Option::Some(3));
    let _ = (Called::new(1, 2, 3, 4), <Things as ::std::default::Default>::default());
}
