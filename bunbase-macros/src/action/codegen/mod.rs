//! What an action becomes: the implementation of `Action`, its registration, and assertions. One function for each.

mod assertions;
mod guards;
mod meta;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Index, Type, spanned::Spanned};

pub(crate) use self::guards::{list, written};
use super::{
    message,
    model::{Action, Argument, Message},
};
use crate::paths;

/// Emits everything beside the function itself.
pub(crate) fn action(action: &Action) -> TokenStream {
    let private = paths::private();
    let (message, implementation) = (message::declaration(action), implementation(action));
    let assertions = assertions::all(action);
    let (cfgs, ty) = (action.cfgs(), action.message().ty());
    quote! {
        #message
        #implementation
        #(#cfgs)*
        #private::register! { #ty }
        #assertions
    }
}

fn implementation(action: &Action) -> TokenStream {
    let private = paths::private();
    let (cfgs, ty, result) = (action.cfgs(), action.message().ty(), action.result());
    let (output, error) = (projection(result, 0, "Output"), projection(result, 1, "Error"));
    let providers = action.providers();
    // At the first of them rustc underlines what cannot be provided.
    let provided = providers.first().map_or_else(Span::call_site, Spanned::span);
    let provided = quote_spanned!(provided=> (#(#providers,)*));
    let (meta, guards, provide) = (meta::meta(action), guards::guards(action), guards::provide(action));
    let (check, copy, run) = (check(action), copy(action), run(action));
    quote! {
        #(#cfgs)*
        #[allow(deprecated, unused_variables, clippy::all, clippy::pedantic)]
        impl #private::action::Action for #ty {
            type Output = #output;
            type Error = #error;
            type Provided = #provided;
            #meta
            #guards
            #provide
            #check
            #copy
            #run
        }
    }
}

/// Names the `Ok` or `Err` type of the return type, under whatever alias it was written. The span is that of the type itself
/// where it is written out, so that rustc underlines it when it cannot be an output or an error.
fn projection(result: &Type, argument: usize, name: &str) -> TokenStream {
    let private = paths::private();
    let written = super::param::last_segment(result).and_then(|segment| match &segment.arguments {
        syn::PathArguments::AngleBracketed(arguments) => arguments.args.get(argument).map(ToTokens::to_token_stream),
        _ => None,
    });
    let (first, last) = ends(&written.unwrap_or_else(|| result.to_token_stream()));
    let name = format_ident!("{name}", span = last);
    let open = quote_spanned!(first=> <);
    let path = quote_spanned!(last=> as #private::action::ActionResult>::#name);
    quote!(#open #result #path)
}

/// Returns the spans of the first and the last token: rustc underlines from one to the other.
fn ends(tokens: &TokenStream) -> (Span, Span) {
    let spans: Vec<Span> = tokens.clone().into_iter().map(|token: TokenTree| token.span()).collect();
    let call_site = Span::call_site();
    (spans.first().copied().unwrap_or(call_site), spans.last().copied().unwrap_or(call_site))
}

fn run(action: &Action) -> TokenStream {
    let [ctx, provided, message] =
        ["ctx", "provided", "message"].map(|name| format_ident!("{name}", span = Span::mixed_site()));
    let function = action.ident();
    let arguments = action.arguments().iter().map(|argument| match argument {
        Argument::Ctx => quote!(#ctx),
        Argument::Provided(index) => {
            let index = Index::from(*index);
            quote!(#provided.#index)
        }
        Argument::Field(field) => quote!(#message.#field),
        Argument::Whole => match action.message() {
            Message::Wrapped { .. } => quote!(#message.0),
            Message::Own { .. } | Message::Fields { .. } => quote!(#message),
        },
    });
    let wait = action.is_async().then(|| quote_spanned!(function.span()=> .await));
    // With the function's own span, rustc underlines its name when what it does cannot leave its thread.
    let span = function.span();
    let private = paths::private_at(span);
    quote_spanned! {span=>
        async fn run(
            #ctx: #private::context::Ctx,
            #provided: Self::Provided,
            #message: Self,
        ) -> #private::std::result::Result<Self::Output, Self::Error> {
            #function(#(#arguments),*) #wait
        }
    }
}

/// Emits what looks at the input, where something does.
fn check(action: &Action) -> Option<TokenStream> {
    let function = action.check_input()?;
    let private = paths::private();
    let [ctx, message] = ["ctx", "message"].map(|name| format_ident!("{name}", span = Span::mixed_site()));
    // The input as its author knows it: the message, or the struct that it wraps.
    let (ty, input) = match action.message() {
        Message::Wrapped { ty, .. } => (ty.to_token_stream(), quote!(&#message.0)),
        Message::Own { .. } | Message::Fields { .. } => (quote!(Self), message.to_token_stream()),
    };
    let span = function.span();
    let here = paths::private_at(span);
    let checked = quote_spanned!(span=> #here::action::checked::<#ty, _, _>);
    let check = format_ident!("check", span = Span::mixed_site());
    Some(quote! {
        const CHECK_ERRORS: #private::action::ErrorDoc = #checked(&#function).errors();
        async fn check_input(#ctx: &#private::context::Ctx, #message: &Self) -> #private::error::Result<()> {
            let #check = #function;
            #checked(&#check).run(&#check, #ctx, #input).await
        }
    })
}

/// Emits how another attempt gets its input, where there can be one.
fn copy(action: &Action) -> Option<TokenStream> {
    action.retry()?;
    let private = paths::private();
    Some(quote! {
        fn copy(&self) -> #private::std::option::Option<Self> {
            #private::std::option::Option::Some(#private::std::clone::Clone::clone(self))
        }
    })
}
