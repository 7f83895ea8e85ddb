//! The one place that knows how generated code names the framework.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

/// Returns the path of everything that generated code names.
///
/// A crate that renames its dependency says so once, `extern crate renamed as bunbase;`, at its root.
pub(crate) fn private() -> TokenStream {
    quote!(::bunbase::__private)
}

/// Returns the same path, for code whose mistakes the compiler is to show at `span`.
pub(crate) fn private_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::bunbase::__private)
}
