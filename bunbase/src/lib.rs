//! One annotated `async fn` is the whole contract: HTTP bindings, validation, typed errors, an OpenAPI operation and a typed
//! in-process call.
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

pub mod action;
pub mod app;
pub mod asset;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
mod glue;
pub mod guard;
pub mod http;
pub mod invoke;
pub mod openapi;
pub mod registry;
pub mod schema;
#[cfg(feature = "testing")]
pub mod testing;

/// Implements `bunbase::action::ActionError` for an enum.
pub use bunbase_macros::ActionError;
/// Turns an `async fn` into an action.
pub use bunbase_macros::action;
/// Starts `async fn main` on a runtime.
pub use bunbase_macros::main;
/// Says what the actions of a Rust module share.
pub use bunbase_macros::module;
/// Lists modules that the binary must hold.
pub use bunbase_macros::modules;
/// Gives a struct or an enum its schema, its checks and its JSON.
pub use bunbase_macros::schema;
/// Runs an `async fn` as a test.
pub use bunbase_macros::test;

pub use self::{
    app::App,
    context::Ctx,
    error::{Error, Result},
};
pub use okapi;
pub use sea_orm;

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

    pub use bunbase_macros::{ActionError, action, schema};
    pub use crate::{
        action::{ActionError, ByteStream, Created, Html, Redirect, Sse, SseEvent, Text},
        app::App,
        context::{Ctx, now},
        db::{
            Tx,
            page::{Cursor, Keyset, Limit, Page, PageQuery},
        },
        error::Result,
        guard::{ApiKey, ApiKeys, Guard, Provider, api_key},
        http::Upload,
        schema::{Base64, Patch},
    };
}

/// What generated code names. Not for people: nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use bunbase_macros::schema as schema_macro;
    pub use regex::Regex;
    pub use schemars::schema::SchemaObject;
    pub use schemars;
    pub use serde;
    pub use serde_json;
    pub use std;

    pub use crate::{
        __bunbase_register as register, __bunbase_wrap_input as wrap_input, action, context, error,
        glue::{
            MainOutput, Provide, ProviderOf, boxed_guard, crate_name, join, module_name, no_modules, outer_module, run_main,
            run_test, text,
        },
        guard, http, invoke, registry, schema,
    };
}
