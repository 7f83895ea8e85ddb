//! `#[event("task.created")]`: a type with a schema that has a name, so that who emits it and who subscribes to it share the type.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    DeriveInput, LitStr, Token,
    parse::{ParseStream, Parser},
};

use crate::{errors::Errors, paths, schema};

/// Expands `#[event("name", …)] item`; what follows the name is for `#[schema]`.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let (name, rest) = split(args, &mut errors);
    let Ok(mut parsed) = syn::parse2::<DeriveInput>(item.clone()) else {
        errors.push(syn::Error::new(Span::call_site(), "`#[event]` stands above a struct or an enum"));
        let errors = errors.to_tokens();
        return quote!(#item #errors);
    };
    let event = name.and_then(|name| implementation(&name, &parsed, &mut errors));
    parsed.attrs.retain(|attr| {
        let twice = attr.path().segments.last().is_some_and(|last| last.ident == "schema");
        if twice {
            errors.at(
                attr,
                "`#[event]` does what `#[schema]` does: leave this out, and write what it says after the name",
            );
        }
        !twice
    });
    // The type comes back with its schema, whatever is wrong with its name.
    let (item, errors) = (schema::expand(rest, parsed.into_token_stream()), errors.to_tokens());
    quote!(#item #event #errors)
}

/// Takes the name from the front of the arguments.
fn split(args: TokenStream, errors: &mut Errors) -> (Option<LitStr>, TokenStream) {
    let read = |input: ParseStream<'_>| {
        let name: Option<LitStr> = input.parse()?;
        if name.is_some() && !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        Ok((name, input.parse::<TokenStream>()?))
    };
    match read.parse2(args) {
        Ok((Some(name), rest)) => (errors.keep(checked(&name)).map(|()| name), rest),
        Ok((None, rest)) => {
            let message = "an event has a name, which comes first: `#[event(\"task.created\")]`";
            errors.push(if rest.is_empty() {
                syn::Error::new(Span::call_site(), message)
            } else {
                syn::Error::new_spanned(&rest, message)
            });
            (None, TokenStream::new())
        }
        Err(error) => {
            errors.push(error);
            (None, TokenStream::new())
        }
    }
}

fn implementation(name: &LitStr, item: &DeriveInput, errors: &mut Errors) -> Option<TokenStream> {
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics.params,
            "an event has one payload: leave the parameters out, and write a type for each event",
        );
        return None;
    }
    let private = paths::private();
    let (cfgs, ident) = (item.attrs.iter().filter(|attr| attr.path().is_ident("cfg")), &item.ident);
    Some(quote! {
        #(#cfgs)*
        impl #private::events::Event for #ident {
            const NAME: &'static #private::std::primitive::str = #name;
        }
    })
}

/// Checks the name of an event: words of lower-case letters, digits, `_` and `-`, with dots between them.
pub(crate) fn checked(name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    let wrong = match text.chars().enumerate().find(|(_, c)| !plain(*c)) {
        Some((at, c)) => format!("{c:?} at character {} is not allowed", at + 1),
        None if text.split('.').any(str::is_empty) => "a word is missing".to_owned(),
        None => return Ok(()),
    };
    let advice = "write lower-case words with dots between them, such as \"task.created\"";
    Err(syn::Error::new_spanned(name, format!("{text:?} cannot be the name of an event: {wrong}; {advice}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(args: TokenStream, item: &TokenStream) -> String {
        let tokens = expand(args, item).to_string();
        // All but what `#[schema]` makes, which has snapshots of its own.
        let at =
            tokens.find("impl :: bunbase :: __private :: events").or_else(|| tokens.find(":: core :: compile_error"));
        tokens[at.unwrap_or(tokens.len())..].to_owned()
    }

    #[test]
    fn an_event_has_its_name() {
        let item = quote!(
            #[cfg(unix)]
            pub struct TaskCreated {
                pub id: i64,
            }
        );
        insta::assert_snapshot!(print(quote!("task.created", rename_all = "camelCase"), &item));
    }

    #[test]
    fn a_name_is_words_with_dots_between_them() {
        let name = |text| checked(&LitStr::new(text, Span::call_site())).map_err(|error| error.to_string());
        for right in ["task", "task.created", "a-b.c_d.1"] {
            assert_eq!(name(right), Ok(()));
        }
        for wrong in ["", "Task", "task created", ".task", "task.", "task..created", "täsk"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_mistake_is_reported() {
        let item = quote!(
            struct Changed<T> {
                value: T,
            }
        );
        insta::assert_snapshot!(print(quote!("Changed"), &item));
        insta::assert_snapshot!(print(quote!("changed"), &item));
        insta::assert_snapshot!(print(quote!(rename_all = "camelCase"), &item));
    }
}
