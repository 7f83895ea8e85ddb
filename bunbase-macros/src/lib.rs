//! The procedural macros of bunbase. Use them through the `bunbase` crate, which documents them.
//!
//! Each folder is one macro: `attr` parses syntax, `model` is the checked form, `codegen` emits and cannot fail. All of it is on
//! `proc_macro2`, so that unit tests can call it.

mod errors;
mod paths;
mod error;
mod schema;

use proc_macro::TokenStream;

/// See `bunbase::schema`.
#[proc_macro_attribute]
pub fn schema(args: TokenStream, item: TokenStream) -> TokenStream {
    schema::expand(args.into(), item.into()).into()
}

/// See `bunbase::ActionError`.
#[proc_macro_derive(ActionError, attributes(error, from, source))]
pub fn action_error(item: TokenStream) -> TokenStream {
    error::expand(item.into()).into()
}
