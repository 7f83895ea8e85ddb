//! `#[schema]`: one line above a struct or an enum for its JSON, its JSON Schema and its checks.
//!
//! Here: the syntax (`attr`, `serde_attr`, `rules`, `cookie`, `values`), the checked form (`model`, `variants`, `places`) and what is emitted
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
mod variants;

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::quote;

pub(crate) use self::attr::docs;
use crate::errors::Errors;

/// Expands `#[schema(args)] item`.
#[expect(clippy::needless_pass_by_value, reason = "an expansion takes its tokens, as the compiler gives them")]
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Ok(mut parsed) = syn::parse2::<syn::DeriveInput>(item.clone()) else {
        let advice =
            syn::Error::new(Span::call_site(), "`#[schema]` stands above a struct or an enum").to_compile_error();
        return quote!(#item #advice);
    };
    let model = model::Model::check(args, &mut parsed, &mut errors);
    item::complete(&mut parsed, model.as_ref(), &mut errors);
    // The type and what can be made for it always come back: a typo must not break every user of the type too.
    let generated = model.as_ref().map(codegen::all);
    let errors = errors.to_tokens();
    quote!(#parsed #generated #errors)
}
