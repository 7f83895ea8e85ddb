//! The one place that knows how generated code names the framework.

use proc_macro2::TokenStream;
use quote::quote;

/// Returns the path of everything that generated code names.
///
/// A crate that renames its dependency says so once, `extern crate renamed as bunbase;`, at its root.
pub(crate) fn private() -> TokenStream {
    quote!(::bunbase::__private)
}
