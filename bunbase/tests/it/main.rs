//! The behaviour of the framework, seen from outside.
#![allow(clippy::unwrap_used, reason = "a test fails where something is not there")]

mod schema;
