//! placeholder
pub mod config;
pub mod db;
pub mod error;
pub mod openapi;

pub use error::{Error, Result};
