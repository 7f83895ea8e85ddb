//! The procedural macros of bunbase. Use them through the `bunbase` crate, which documents them.
//!
//! Each folder is one macro: `attr` parses syntax, `model` is the checked form, `codegen` emits and cannot fail. All of it is on
//! `proc_macro2`, so that unit tests can call it.

mod action;
mod entries;
mod error;
mod errors;
mod event;
mod function;
mod main_fn;
mod module;
mod paths;
mod schema;

use proc_macro::TokenStream;

/// See `bunbase::action`.
#[proc_macro_attribute]
pub fn action(args: TokenStream, item: TokenStream) -> TokenStream {
    action::expand(args.into(), &item.into()).into()
}

/// See `bunbase::module!`.
#[proc_macro]
pub fn module(tokens: TokenStream) -> TokenStream {
    module::expand(tokens.into()).into()
}

/// See `bunbase::modules!`.
#[proc_macro]
pub fn modules(tokens: TokenStream) -> TokenStream {
    module::list(tokens.into()).into()
}

/// See `bunbase::main`.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::main(args.into(), &item.into()).into()
}

/// See `bunbase::test`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::test(args.into(), &item.into()).into()
}

/// See `bunbase::schema`.
#[proc_macro_attribute]
pub fn schema(args: TokenStream, item: TokenStream) -> TokenStream {
    schema::expand(args.into(), item.into()).into()
}

/// See `bunbase::event`.
#[proc_macro_attribute]
pub fn event(args: TokenStream, item: TokenStream) -> TokenStream {
    event::expand(args.into(), &item.into()).into()
}

/// See `bunbase::ActionError`.
#[proc_macro_derive(ActionError, attributes(error, from, source))]
pub fn action_error(item: TokenStream) -> TokenStream {
    error::expand(item.into()).into()
}
