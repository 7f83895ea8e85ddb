//! `Action::META`: what is known of an action at compile time, its doors included.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::{
    action::{
        cache::Cache,
        model::Action,
        retry::Retry,
        trigger::{Event, Named, Order, Schedule, Trigger},
    },
    paths,
};

/// Emits the constant.
pub(super) fn meta(action: &Action) -> TokenStream {
    let private = paths::private();
    let name = action.name();
    let (summary, description) = (&action.docs().summary, &action.docs().description);
    let routes = action.doors().iter().map(|(method, path)| {
        let method = format_ident!("{}", method.variant());
        quote!(#private::action::Trigger::Http { method: #private::action::Method::#method, path: #path })
    });
    let triggers = routes.chain(action.triggers().iter().map(trigger));
    let tags = Some(action.tags()).filter(|tags| !tags.is_empty()).map(|tags| quote!(tags: &[#(#tags),*],));
    let flags =
        [("deprecated", action.deprecated()), ("idempotent", action.idempotent().is_some()), ("cpu", action.cpu())];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| {
        let name = format_ident!("{name}");
        quote!(#name: true,)
    });
    let options = [
        ("status", action.status().map(ToTokens::into_token_stream)),
        ("content_type", action.content_type().map(ToTokens::to_token_stream)),
        ("timeout", action.timeout().map(duration)),
        ("body_limit_bytes", action.body_limit_bytes().map(ToTokens::into_token_stream)),
        ("retry", action.retry().map(retry)),
        ("cache", action.cache().map(cache)),
    ];
    let options = options.into_iter().filter_map(|(name, value)| {
        let (name, value) = (format_ident!("{name}"), value?);
        Some(quote!(#name: #private::std::option::Option::Some(#value),))
    });
    let queue = action.queue().map(|queue| quote!(queue: #queue,));
    let priority = action.priority().map(|priority| {
        let priority = format_ident!("{priority}");
        quote!(priority: #private::queue::Priority::#priority,)
    });
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
            triggers: &[#(#triggers),*],
            #tags
            #(#flags)*
            #(#options)*
            #queue
            #priority
            ..#private::action::ActionMeta::DEFAULT
        };
    }
}

/// Emits one door besides HTTP.
fn trigger(trigger: &Trigger) -> TokenStream {
    let private = paths::private();
    match trigger {
        Trigger::Webhook(webhook) => {
            let (path, verify) = (&webhook.path, &webhook.verify);
            let here = paths::private_at(verify.span());
            // A constant holds no values of the heap, but a function that makes one.
            let verify = quote_spanned!(verify.span()=> || #here::boxed_verify(#verify));
            quote!(#private::action::Trigger::Webhook { path: #path, verify: #verify })
        }
        Trigger::Event(Event { named, order, .. }) => {
            let (name, ordered, broadcast) = (event_name(named), *order == Order::Ordered, *order == Order::Broadcast);
            quote!(#private::action::Trigger::Event { name: #name, ordered: #ordered, broadcast: #broadcast })
        }
        Trigger::Schedule(Schedule { rule, zone, missed, overlap, .. }) => {
            let (missed, overlap) = (format_ident!("{missed}"), format_ident!("{overlap}"));
            quote! {
                #private::action::Trigger::Schedule {
                    rule: #rule,
                    zone: #zone,
                    missed: #private::schedule::Missed::#missed,
                    overlap: #private::schedule::Overlap::#overlap,
                }
            }
        }
        Trigger::Tool(tool) => {
            let name = tool.name.as_ref().map_or_else(
                || quote!(#private::std::option::Option::None),
                |name| quote!(#private::std::option::Option::Some(#name)),
            );
            quote!(#private::action::Trigger::Tool { name: #name })
        }
    }
}

/// Names an event; a type that is none is underlined.
pub(super) fn event_name(named: &Named) -> TokenStream {
    match named {
        Named::Text(text) => text.to_token_stream(),
        Named::Type(ty) => {
            let private = paths::private_at(ty.span());
            quote_spanned!(ty.span()=> <#ty as #private::events::Event>::NAME)
        }
    }
}

/// Emits a policy: the default one, but for what is said.
fn retry(retry: &Retry) -> TokenStream {
    let private = paths::private();
    let backoff = retry.backoff.map(|backoff| {
        let backoff = format_ident!("{backoff}");
        quote!(#private::queue::backoff::Backoff::#backoff)
    });
    let said = [
        ("attempts", retry.attempts.map(ToTokens::into_token_stream)),
        ("backoff", backoff),
        ("base", retry.base.map(duration)),
        ("max", retry.max.map(duration)),
        ("jitter", retry.jitter.map(ToTokens::into_token_stream)),
    ];
    let said: Vec<TokenStream> = said
        .into_iter()
        .filter_map(|(name, value)| {
            let (name, value) = (format_ident!("{name}"), value?);
            Some(quote!(#name: #value,))
        })
        .collect();
    let default = quote!(#private::action::RetryPolicy::DEFAULT);
    match said.len() {
        0 => default,
        5 => quote!(#private::action::RetryPolicy { #(#said)* }),
        _ => quote!(#private::action::RetryPolicy { #(#said)* ..#default }),
    }
}

/// Emits for how long answers are kept, and for whom.
fn cache(cache: &Cache) -> TokenStream {
    let private = paths::private();
    let (ttl, stale, tags) = (duration(cache.ttl), duration(cache.stale.unwrap_or_default()), &cache.tags);
    let (user, input) = (cache.user, cache.input);
    quote! {
        #private::action::CachePolicy { ttl: #ttl, stale: #stale, user: #user, input: #input, tags: &[#(#tags),*] }
    }
}

fn duration(time: Duration) -> TokenStream {
    let private = paths::private();
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    quote!(#private::std::time::Duration::from_millis(#millis))
}
