//! `#[derive(ActionError)]`: one line above an enum for its texts, its conversions and its entry in the document.
//!
//! Here: the syntax (`attr`), message texts (`message`), the checked form (`model`) and what is emitted (`codegen`). Not here: how
//! an error becomes a problem on the wire (`bunbase::http`).

mod attr;
mod codegen;
mod message;
mod model;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

/// Expands `#[derive(ActionError)] item`.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let generated = errors
        .keep(syn::parse2::<syn::DeriveInput>(item))
        .and_then(|item| model::Model::check(&item, &mut errors))
        // What can be made is made: callers of the type must not fail because of a typo in it.
        .map(|model| codegen::all(&model));
    let errors = errors.to_tokens();
    quote!(#generated #errors)
}
