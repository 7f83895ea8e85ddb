//! The behaviour of the framework, seen from outside.

mod schema;
