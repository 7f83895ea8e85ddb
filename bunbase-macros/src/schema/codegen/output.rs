//! What a type is as the answer of an action.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::{Scope, fields::sent_as};
use crate::schema::{
    attr::Place,
    item::skip_if,
    model::{Field, Kind, is_input_mark, span},
};

/// Emits `Output`, but for structs whose marks say that they are an input.
pub(super) fn output(scope: &Scope<'_>, target: &TokenStream) -> Option<TokenStream> {
    let k = &scope.k;
    let fields: &[Field] = match &scope.model.kind {
        Kind::Record(fields) => fields,
        _ => &[],
    };
    let marked: Vec<&Field> = fields.iter().filter(|field| field.mark.is_some() && !field.skip).collect();
    if marked.iter().any(|field| field.mark.as_ref().is_some_and(is_input_mark)) {
        return None;
    }
    let body = if marked.is_empty() {
        quote! {
            fn describe(generator: &mut #k::schema::Generator) -> #k::action::OutputDoc {
                #k::action::OutputDoc::json(generator.of::<Self>())
            }
            fn reply(self) -> #k::std::result::Result<#k::action::Reply, #k::error::Error> {
                #k::action::Reply::json(200, &self)
            }
        }
    } else {
        in_parts(scope, target, fields)
    };
    let more = quote!(+ 'static);
    Some(scope.implement_with(&more, &quote!(#k::action::Output), target, &body))
}

/// Headers, cookies, and a body of the rest.
fn in_parts(scope: &Scope<'_>, target: &TokenStream, fields: &[Field]) -> TokenStream {
    let k = &scope.k;
    let whole = fields.iter().find(|field| field.mark.as_ref().is_some_and(|mark| matches!(mark.place, Place::Body)));
    let unmarked: Vec<&Field> = fields.iter().filter(|field| field.mark.is_none() && !field.skip).collect();
    let (hidden, start) = match whole {
        Some(field) => {
            let member = &field.member;
            (None, quote!(#k::action::Reply::json(200, &#k::schema::Wire(&self.#member))?))
        }
        None if unmarked.is_empty() => (None, quote!(#k::action::Reply::empty(204))),
        None => (Some(body_type(scope, target, &unmarked)), quote!(#k::action::Reply::json(200, &__Body(&self))?)),
    };
    let parts = fields.iter().filter(|field| !field.skip).filter_map(|field| {
        let (member, name, at) = (&field.member, sent_as(field), span(&field.ty));
        match &field.mark.as_ref()?.place {
            Place::Header => Some(quote_spanned!(at=> __reply.header(#name, &self.#member)?;)),
            Place::Cookie(cookie) => {
                let rules = scope.cookie_rules(cookie);
                Some(quote_spanned!(at=> __reply.cookie(#name, &self.#member, #rules)?;))
            }
            _ => None,
        }
    });
    let parts: Vec<TokenStream> = parts.collect();
    let mutable = (!parts.is_empty()).then(|| quote!(mut));
    quote! {
        fn describe(generator: &mut #k::schema::Generator) -> #k::action::OutputDoc {
            let __name = #k::std::format!("{}Body", <Self as #k::schema::Schema>::label());
            #k::action::parts::describe(<Self as #k::schema::Record>::FIELDS, &__name, generator)
        }
        fn reply(self) -> #k::std::result::Result<#k::action::Reply, #k::error::Error> {
            #hidden
            let #mutable __reply = #start;
            #(#parts)*
            #k::std::result::Result::Ok(__reply)
        }
    }
}

/// Emits a type that writes the unmarked fields of the value that it borrows.
fn body_type(scope: &Scope<'_>, target: &TokenStream, unmarked: &[&Field]) -> TokenStream {
    let k = &scope.k;
    let entries = unmarked.iter().map(|field| {
        let (member, key) = (&field.member, &field.key);
        let write = quote!(#k::serde::ser::SerializeMap::serialize_entry(&mut __map, #key, &#k::schema::Wire(&self.0.#member))?;);
        match skip_if(field, scope.model)
            .and_then(|path| syn::parse2::<syn::LitStr>(path).ok()?.parse::<syn::ExprPath>().ok())
        {
            Some(path) => quote!(if !#path(&self.0.#member) { #write }),
            None => write,
        }
    });
    let mut generics = scope.bounded(&TokenStream::new());
    generics.params.insert(0, syn::parse_quote!('__a));
    let (parameters, arguments, clause) = generics.split_for_impl();
    let allow = &scope.allow;
    quote! {
        struct __Body #parameters (&'__a #target) #clause;
        #allow
        impl #parameters #k::serde::Serialize for __Body #arguments #clause {
            fn serialize<__S: #k::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> #k::std::result::Result<__S::Ok, __S::Error> {
                let mut __map = #k::serde::Serializer::serialize_map(serializer, #k::std::option::Option::None)?;
                #(#entries)*
                #k::serde::ser::SerializeMap::end(__map)
            }
        }
    }
}
