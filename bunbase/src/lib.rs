//! bunbase
pub mod action;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
pub mod guard;
pub mod registry;
pub mod schema;

pub use bunbase_macros::{ActionError, schema};
pub use error::{Error, Result};

/// What generated code names. Not for people: nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use regex::Regex;
    pub use schemars;
    pub use serde;
    pub use serde_json;
    pub use std;

    pub use crate::{action, context, error, guard, registry, schema};
}
