//! bunbase
pub mod action;
pub mod app;
pub mod asset;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
pub mod guard;
pub mod http;
pub mod invoke;
#[cfg(feature = "testing")]
pub mod testing;
pub mod openapi;
pub mod registry;
pub mod schema;

pub use error::{Error, Result};

/// What generated code names. Not for people: nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;
    pub use serde_json;
    pub use std;

    pub use crate::{action, context, error, guard, http, invoke, registry, schema};
}
