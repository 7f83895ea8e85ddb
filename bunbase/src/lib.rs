//! bunbase
pub mod action;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
mod glue;
pub mod guard;
pub mod invoke;
pub mod registry;
pub mod schema;

/// Turns an `async fn` into an action.
pub use bunbase_macros::action;
/// Starts `async fn main` on a runtime.
pub use bunbase_macros::main;
/// Says what the actions of a Rust module share.
pub use bunbase_macros::module;
/// Lists modules that the binary must hold.
pub use bunbase_macros::modules;
/// Runs an `async fn` as a test.
pub use bunbase_macros::test;
pub use error::{Error, Result};

/// What generated code names. Not for people: nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;
    pub use serde_json;
    pub use std;

    pub use bunbase_macros::schema as schema_macro;
    pub use schemars::schema::SchemaObject;

    pub use crate::{
        __bunbase_register as register, __bunbase_wrap_input as wrap_input, action, context, error,
        glue::{
            MainOutput, Provide, ProviderOf, boxed_guard, crate_name, join, module_name, no_modules, outer_module, run_main,
            run_test, text,
        },
        guard, registry, schema,
    };
}
