//! `#[action]`: a function becomes a contract.
//!
//! `attr` reads the attribute (`trigger` the doors besides HTTP) and `param` the parameters, `model` is the checked form, `rules` and
//! `input` say what must fit together, `message` and `codegen` emit. Not here: what a struct is on the wire; the message type goes through `#[schema]`.

mod attr;
mod cache;
pub(crate) mod codegen;
mod docs;
mod input;
mod message;
mod model;
mod param;
mod retry;
mod rules;
mod signature;
pub(crate) mod template;
mod trigger;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{errors::Errors, function::Function};

/// Expands `#[action(…)]`.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = attr::Args::parse(args, &mut errors);
    let mut function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(not_a_function(item).unwrap_or(error));
            let errors = errors.to_tokens();
            return quote!(#item #errors);
        }
    };
    let action = model::Action::check(args, &function, &mut errors);
    // Beside a method nothing can stand: rustc would only say so again.
    let generated = action.filter(|_| function.sig.receiver().is_none()).map(|action| {
        // With a mistake in the function, the message alone: its own mistakes are shown too, and its users still find it.
        if errors.is_empty() { codegen::action(&action) } else { message::declaration(&action) }
    });
    // The function always comes back: a typo in the attribute must not break every caller too.
    function.strip(param::stays);
    let errors = errors.to_tokens();
    // That it owns its parameters, is async and returns a `Result` is what an action is, not a matter of style.
    let style = if function.sig.asyncness.is_some() {
        quote!(clippy::unused_async)
    } else {
        quote!(clippy::needless_pass_by_value, clippy::unnecessary_wraps)
    };
    quote!(#[allow(clippy::too_many_arguments, #style)] #function #generated #errors)
}

/// Says what the attribute is for when it is on something else.
fn not_a_function(item: &TokenStream) -> Option<syn::Error> {
    let wrong = match syn::parse2::<syn::Item>(item.clone()).ok()? {
        syn::Item::Fn(_) => return None,
        other => other,
    };
    Some(syn::Error::new_spanned(
        wrong,
        "`#[action]` goes on a free function; for a struct or an enum write `#[schema]`",
    ))
}
