//! What only types know: constants that the compiler evaluates, each at the token that is wrong if it does not hold.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    guards::{provider, written},
    meta::event_name,
};
use crate::{
    action::{
        attr::Method,
        model::{Action, Message},
        trigger::{Event, Named, Trigger, Webhook},
    },
    paths,
};

/// Emits all of them.
pub(super) fn all(action: &Action) -> TokenStream {
    let (texts, rules, content_type) = (texts(action), rules(action), raw_output(action));
    let (carried, scheduled, unattended) = (carried(action), scheduled(action), unattended(action));
    let (delivered, replayed, cached) = (delivered(action), replayed(action), cached(action));
    quote!(#texts #rules #content_type #carried #scheduled #unattended #delivered #replayed #cached)
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
    let post = |webhook: &Webhook| (Method::Post, webhook.path.clone());
    let doors = action.doors().iter().cloned().chain(action.webhooks().map(post));
    let assertions = doors.map(|(method, path)| {
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

/// A door without a request brings no file and takes no stream.
fn carried(action: &Action) -> TokenStream {
    let (cfgs, ty) = (action.cfgs(), action.message().ty());
    let mut told: Vec<&Ident> = Vec::new();
    let assertions = action.triggers().iter().map(Trigger::key).filter_map(|key| {
        // Once for each key is enough.
        if told.contains(&key) {
            return None;
        }
        told.push(key);
        let (name, private) = (key.to_string(), paths::private_at(key.span()));
        Some(quote_spanned!(key.span()=> #(#cfgs)* const _: () = #private::action::rules::carried::<#ty>(#name);))
    });
    quote!(#(#assertions)*)
}

/// A schedule brings no input. For parameters the macro has seen to it.
fn scheduled(action: &Action) -> Option<TokenStream> {
    let key = action.schedule().filter(|_| !matches!(action.message(), Message::Fields { .. }))?;
    let (cfgs, ty, name, door) = (action.cfgs(), action.message().ty(), action.name(), key.to_string());
    let private = paths::private_at(key.span());
    Some(quote_spanned! {key.span()=>
        #(#cfgs)*
        const _: () = #private::action::rules::scheduled(<#ty as #private::schema::Record>::FIELDS, #door, #name);
    })
}

/// A schedule has no caller. For `guards = […]` this stands where they are made.
fn unattended(action: &Action) -> Option<TokenStream> {
    action.schedule()?;
    let (cfgs, name) = (action.cfgs(), action.name());
    let assertions = action.providers().iter().map(|ty| {
        let private = paths::private_at(ty.span());
        let (provider, written) = (provider(ty), written(ty));
        quote_spanned! {ty.span()=>
            #(#cfgs)*
            const _: () = #private::action::rules::unattended_parameter(#provider::NEEDS_CALLER, #written, #name);
        }
    });
    Some(quote!(#(#assertions)*))
}

/// A typed event brings what the input needs.
fn delivered(action: &Action) -> TokenStream {
    let (cfgs, ty, name) = (action.cfgs(), action.message().ty(), action.name());
    let assertions = action.triggers().iter().filter_map(|trigger| match trigger {
        Trigger::Event(Event { named: named @ Named::Type(event), .. }) => {
            let private = paths::private_at(event.span());
            let event_name = event_name(named);
            Some(quote_spanned! {event.span()=>
                #(#cfgs)*
                const _: () = {
                    #[allow(unused_imports)]
                    use #private::schema::NotRecord as _;
                    #private::action::rules::delivered(
                        <#ty as #private::schema::Record>::FIELDS,
                        #private::schema::Probe::<#event>::RECORD,
                        #event_name,
                        #name,
                    );
                };
            })
        }
        _ => None,
    });
    quote!(#(#assertions)*)
}

/// An answer that is given again is one that can be stored.
fn replayed(action: &Action) -> Option<TokenStream> {
    let key = action.idempotent()?;
    let private = paths::private_at(key.span());
    let (cfgs, ty) = (action.cfgs(), action.message().ty());
    Some(quote_spanned!(key.span()=> #(#cfgs)* const _: () = #private::action::rules::replayed::<#ty>();))
}

/// An answer that is kept is one that can be stored.
fn cached(action: &Action) -> Option<TokenStream> {
    let key = &action.cache()?.key;
    let private = paths::private_at(key.span());
    let (cfgs, ty) = (action.cfgs(), action.message().ty());
    Some(quote_spanned!(key.span()=> #(#cfgs)* const _: () = #private::action::rules::cached::<#ty>();))
}
