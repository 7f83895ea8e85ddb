//! `#[schema]`: one line above a struct or an enum for its JSON, its JSON Schema and its checks.
//!
//! Here: the syntax (`attr`, `serde_attr`, `rules`, `cookie`, `values`), the checked form (`model`, `places`) and what is emitted
//! (`item` for the type itself, `codegen` for its implementations). Not here: how a value is decoded or described, which is in
//! `bunbase::schema`; what is emitted is glue that names it.

mod attr;
pub(crate) mod case;
mod codegen;
mod cookie;
mod item;
mod model;
mod places;
mod rules;
mod serde_attr;
pub(crate) mod values;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

pub(crate) use self::attr::docs;
use crate::errors::Errors;

/// Expands `#[schema(args)] item`.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(mut parsed) = errors.keep(syn::parse2::<syn::DeriveInput>(item.clone())) else {
        let errors = errors.to_tokens();
        return quote!(#item #errors);
    };
    let model = model::Model::check(args, &mut parsed, &mut errors);
    item::complete(&mut parsed, model.as_ref(), &mut errors);
    // The type and what can be made for it always come back: a typo must not break every user of the type too.
    let generated = model.as_ref().map(codegen::all);
    let errors = errors.to_tokens();
    quote!(#parsed #generated #errors)
}
