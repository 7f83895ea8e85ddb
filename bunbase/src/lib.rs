//! bunbase
pub mod action;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
pub mod guard;
pub mod schema;

pub use error::{Error, Result};
