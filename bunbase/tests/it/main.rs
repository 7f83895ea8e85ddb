//! The behaviour of the framework, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

mod schema;
