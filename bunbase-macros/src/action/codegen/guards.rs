//! The guards of an action: what makes them, what they provide, and what a schedule asks of them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use crate::{action::model::Action, paths};

/// Emits the two functions about guards. All that is emitted for a provider names `ProviderOf`, so that a type that is none is one error.
pub(super) fn guards(action: &Action) -> TokenStream {
    let private = paths::private();
    let guards = if action.schedule().is_some() { unattended(action) } else { list(action.guards()) };
    let providers = action.providers().iter().map(|ty| {
        let provider = provider(ty);
        quote_spanned!(ty.span()=> #provider::doc())
    });
    quote! {
        fn guards() -> #private::std::vec::Vec<#private::std::boxed::Box<dyn #private::guard::DynGuard>> {
            #guards
        }
        fn providers() -> #private::std::vec::Vec<#private::guard::GuardDoc> {
            #private::std::vec::Vec::from([#(#providers),*])
        }
    }
}

/// Names the type that stands for a provider, at the place of the parameter's own type.
pub(super) fn provider(ty: &Type) -> TokenStream {
    let private = paths::private_at(ty.span());
    quote_spanned!(ty.span()=> <#private::ProviderOf::<#ty> as #private::Provide>)
}

/// Emits a list of guards behind pointers; each expression is underlined when it is no guard.
pub(crate) fn list(guards: &[syn::Expr]) -> TokenStream {
    let private = paths::private();
    let guards = guards.iter().map(|guard| {
        let here = paths::private_at(guard.span());
        quote_spanned!(guard.span()=> #here::boxed_guard(#guard))
    });
    quote!(#private::std::vec::Vec::from([#(#guards),*]))
}

/// Emits the list of an action with a schedule. Each guard is made by a function, from which its type is known to the compiler: it
/// must do without a caller.
fn unattended(action: &Action) -> TokenStream {
    let private = paths::private();
    let name = action.name();
    let functions: Vec<Ident> =
        (0..action.guards().len()).map(|index| format_ident!("guard_{index}", span = Span::mixed_site())).collect();
    let made = action.guards().iter().zip(&functions).map(|(guard, function)| {
        let here = paths::private_at(guard.span());
        let written = written(guard);
        quote_spanned! {guard.span()=>
            fn #function() -> impl #here::guard::Guard {
                #guard
            }
            const _: () = #here::action::rules::unattended(
                #here::action::rules::needs_caller(&#function), #written, #name,
            );
        }
    });
    quote! {
        #(#made)*
        #private::std::vec::Vec::from([#(#private::boxed_guard(#functions())),*])
    }
}

/// Returns tokens as an author writes them, for messages.
pub(crate) fn written(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string().replace(' ', "")
}

/// Emits what makes the values of the `#[guard]` parameters.
pub(super) fn provide(action: &Action) -> TokenStream {
    let private = paths::private();
    let ctx = format_ident!("ctx", span = Span::mixed_site());
    let values = action.providers().iter().map(|ty| {
        let provider = provider(ty);
        quote_spanned!(ty.span()=> #provider::provide(#ctx).await?)
    });
    quote! {
        async fn provide(#ctx: &#private::context::Ctx) -> #private::error::Result<Self::Provided> {
            #private::std::result::Result::Ok((#(#values,)*))
        }
    }
}
