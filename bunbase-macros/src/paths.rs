//! The one place that knows how generated code names the framework.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

/// Returns the path of everything that generated code names.
///
/// A crate that renames its dependency says so once, `extern crate renamed as bunbase;`, at its root.
pub(crate) fn private() -> TokenStream {
    quote!(::bunbase::__private)
}

/// The same, at a place of the user's: rustc underlines a call there, if all of it is there.
pub(crate) fn private_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::bunbase::__private)
}
