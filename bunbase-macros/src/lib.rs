//! The procedural macros of bunbase. Use them through the `bunbase` crate, which documents them.
//!
//! Each folder is one macro: `attr` parses syntax, `model` is the checked form, `codegen` emits and cannot fail. All of it is on
//! `proc_macro2`, so that unit tests can call it.

mod errors;
mod paths;
