//! What an action becomes: the implementation of `Action`, its registration, and assertions. One function for each.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Index, Type, spanned::Spanned};

use super::{
    message,
    model::{Action, Argument, Message},
};
use crate::paths;

/// Emits everything beside the function itself.
pub(crate) fn action(action: &Action) -> TokenStream {
    let private = paths::private();
    let (message, implementation) = (message::declaration(action), implementation(action));
    let (texts, rules, content_type) = (texts(action), rules(action), raw_output(action));
    let (cfgs, ty) = (action.cfgs(), action.message().ty());
    quote! {
        #message
        #implementation
        #(#cfgs)*
        #private::register! { #ty }
        #texts
        #rules
        #content_type
    }
}

fn implementation(action: &Action) -> TokenStream {
    let private = paths::private();
    let (cfgs, ty, result) = (action.cfgs(), action.message().ty(), action.result());
    let (output, error) = (projection(result, 0, "Output"), projection(result, 1, "Error"));
    let providers = action.providers();
    let (meta, guards, provide, run) = (meta(action), guards(action), provide(action), run(action));
    quote! {
        #(#cfgs)*
        #[allow(deprecated, unused_variables, clippy::all, clippy::pedantic)]
        impl #private::action::Action for #ty {
            type Output = #output;
            type Error = #error;
            type Provided = (#(#providers,)*);
            #meta
            #guards
            #provide
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

fn meta(action: &Action) -> TokenStream {
    let private = paths::private();
    let name = action.name();
    let (summary, description) = (&action.docs().summary, &action.docs().description);
    let (tags, deprecated) = (action.tags(), action.deprecated());
    let triggers = action.doors().iter().map(|(method, path)| {
        let method = format_ident!("{}", method.variant());
        quote!(#private::action::Trigger::Http { method: #private::action::Method::#method, path: #path })
    });
    let status = option(action.status());
    let content_type = option(action.content_type());
    let timeout = option(action.timeout().map(|time| {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        quote!(#private::std::time::Duration::from_millis(#millis))
    }));
    let body_limit = option(action.body_limit_bytes());
    // With the function's own span these are the function's place, not the attribute's.
    let place = action.ident().span();
    let here = paths::private_at(place);
    let (file, line) = (quote_spanned!(place=> #here::std::file!()), quote_spanned!(place=> #here::std::line!()));
    quote! {
        const META: #private::action::ActionMeta = #private::action::ActionMeta {
            name: #name,
            module_path: #private::std::module_path!(),
            file: #file,
            line: #line,
            summary: #summary,
            description: #description,
            tags: &[#(#tags),*],
            deprecated: #deprecated,
            triggers: &[#(#triggers),*],
            status: #status,
            content_type: #content_type,
            timeout: #timeout,
            body_limit_bytes: #body_limit,
            retry: #private::std::option::Option::None,
            idempotent: false,
            cpu: false,
            queue: "default",
            priority: #private::queue::Priority::Normal,
        };
    }
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    let private = paths::private();
    value.map_or_else(
        || quote!(#private::std::option::Option::None),
        |value| quote!(#private::std::option::Option::Some(#value)),
    )
}

/// Emits the two functions about guards. Both name `ProviderOf`, so that a type that is no provider is one error, not two.
fn guards(action: &Action) -> TokenStream {
    let private = paths::private();
    let guards = list(action.guards());
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
fn provider(ty: &Type) -> TokenStream {
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

fn provide(action: &Action) -> TokenStream {
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
        Argument::Whole if matches!(action.message(), Message::Own { .. }) => quote!(#message),
        Argument::Whole => quote!(#message.0),
    });
    // With the function's own span, rustc underlines its name when what it does cannot leave its thread.
    let span = function.span();
    let private = paths::private_at(span);
    quote_spanned! {span=>
        async fn run(
            #ctx: #private::context::Ctx,
            #provided: Self::Provided,
            #message: Self,
        ) -> #private::std::result::Result<Self::Output, Self::Error> {
            #function(#(#arguments),*).await
        }
    }
}

/// Lets rustc underline the type of a field that comes from text and cannot.
fn texts(action: &Action) -> TokenStream {
    let cfgs = action.cfgs();
    let assertions = action.texts().iter().map(|ty| {
        let private = paths::private_at(ty.span());
        quote_spanned!(ty.span()=> #(#cfgs)* const _: () = #private::action::rules::from_text::<#ty>();)
    });
    quote!(#(#assertions)*)
}

/// Checks an input struct of the user's against every door.
fn rules(action: &Action) -> TokenStream {
    if matches!(action.message(), Message::Fields { .. }) {
        return TokenStream::new();
    }
    let (cfgs, ty, name) = (action.cfgs(), action.message().ty(), action.name());
    let assertions = action.doors().iter().map(|(method, path)| {
        let method = format_ident!("{}", method.variant());
        let private = paths::private_at(path.span());
        quote_spanned! {path.span()=>
            #(#cfgs)*
            const _: () = #private::action::rules::check(
                <#ty as #private::schema::Record>::FIELDS, #private::action::Method::#method, #path, #name,
            );
        }
    });
    quote!(#(#assertions)*)
}

/// Only bytes and text have a content type to choose.
fn raw_output(action: &Action) -> TokenStream {
    let Some(text) = action.content_type() else { return TokenStream::new() };
    let private = paths::private_at(text.span());
    let (cfgs, ty) = (action.cfgs(), action.message().ty());
    quote_spanned! {text.span()=>
        #(#cfgs)*
        const _: () = #private::action::rules::raw::<<#ty as #private::action::Action>::Output>();
    }
}
