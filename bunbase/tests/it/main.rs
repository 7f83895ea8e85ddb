//! The behaviour of the framework, seen from outside.
#![allow(clippy::struct_field_names, reason = "the fields of a message are those that its sender names")]
#![allow(clippy::unwrap_used, reason = "a test fails where something is not there")]
#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

mod certificates;
mod data;
mod doors;
mod http;
mod mcp;
mod schema;
mod sessions;
mod telemetry;
mod tenants;
