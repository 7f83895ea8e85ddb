//! The behaviour of the framework, seen from outside.

mod http;
mod schema;
