//! placeholder
pub mod config;
pub mod db;
pub mod error;

pub use error::{Error, Result};
