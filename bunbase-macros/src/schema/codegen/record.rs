//! Structs with named fields, and the struct variants of enums, which decode in the same way.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::{SchemaParts, Scope, number};
use crate::{
    paths::private_at,
    schema::model::{Field, span},
};

/// Emits the implementations for a struct.
pub(super) fn of_struct(scope: &Scope<'_>, fields: &[Field]) -> TokenStream {
    let ident = &scope.model.ident;
    let valid: Vec<TokenStream> = fields
        .iter()
        .filter(|field| !field.skip)
        .map(|field| {
            let member = &field.member;
            scope.valid(field, &quote!(&self.#member))
        })
        .collect();
    let valid = (!valid.is_empty()).then(|| quote!(#(#valid)&&*));
    let shape = Shape {
        target: scope.target(),
        component: true,
        label: scope.label(),
        docs: &scope.model.docs,
        valid,
        build: quote!(#ident),
        wrap: None,
    };
    let assertions = scope.assertions(fields);
    let record = record(scope, &shape, fields);
    quote!(#record #assertions)
}

/// Emits a hidden type that decodes to one struct variant: it holds the enum itself.
pub(super) fn of_variant(
    scope: &Scope<'_>,
    hidden: &Ident,
    variant: &Ident,
    docs: &str,
    fields: &[Field],
) -> TokenStream {
    let ident = &scope.model.ident;
    let (_, arguments, _) = scope.model.generics.split_for_impl();
    let shape = Shape {
        target: quote!(#hidden #arguments),
        component: false,
        label: scope.hidden_label(&variant.to_string()),
        docs,
        valid: None,
        build: quote!(#ident::#variant),
        wrap: Some(hidden),
    };
    let assertions = scope.assertions(fields);
    let record = record(scope, &shape, fields);
    let hidden = scope.hidden(hidden);
    quote! {
        #hidden
        #record
        #assertions
    }
}

/// What differs between a struct and a variant.
struct Shape<'a> {
    target: TokenStream,
    component: bool,
    label: TokenStream,
    docs: &'a str,
    valid: Option<TokenStream>,
    /// What stands before the braces of the value.
    build: TokenStream,
    /// The tuple struct around the value.
    wrap: Option<&'a Ident>,
}

fn record(scope: &Scope<'_>, shape: &Shape<'_>, fields: &[Field]) -> TokenStream {
    let k = &scope.k;
    let target = &shape.target;
    let docs = shape.docs;
    let schema = scope.schema(
        target,
        &SchemaParts {
            component: shape.component,
            label: shape.label.clone(),
            schema: quote!(#k::schema::record::schema(<Self as #k::schema::Record>::FIELDS, #docs, generator)),
            check: quote!(#k::schema::record::check(<Self as #k::schema::Record>::FIELDS, value, checker, |_| true)),
            valid: shape.valid.clone(),
        },
    );
    let deserialize = scope.deserialize(target, &quote!(#k::schema::record::deserialize(deserializer)));
    let sent: Vec<&Field> = fields.iter().filter(|field| !field.skip).collect();
    let table = sent.iter().map(|field| scope.entry(field));
    let types = sent.iter().map(|field| &field.ty);
    let nothing = sent.iter().map(|_| quote!(#k::std::option::Option::None));
    let indices = sent.iter().enumerate().map(|(index, field)| {
        let (key, index) = (&field.key, number(index));
        quote!(#key => #k::std::option::Option::Some(#index))
    });
    let put = put(scope, &sent);
    let put_texts = put_texts(scope, &sent);
    let take = take(scope, shape, fields, &sent);
    let body = quote! {
        const FIELDS: &'static [#k::schema::Field] = &[#(#table),*];
        type Slots = (#(#k::std::option::Option<#types>,)*);
        fn slots() -> Self::Slots { (#(#nothing,)*) }
        fn index(key: &#k::std::primitive::str) -> #k::std::option::Option<#k::std::primitive::usize> {
            match key {
                #(#indices,)*
                _ => #k::std::option::Option::None,
            }
        }
        #put
        #put_texts
        #take
    };
    let record = scope.implement(&quote!(#k::schema::Record), target, &body);
    quote!(#schema #deserialize #record)
}

fn put(scope: &Scope<'_>, sent: &[&Field]) -> TokenStream {
    let k = &scope.k;
    let arms = sent.iter().enumerate().map(|(index, field)| {
        let (index, ty) = (number(index), &field.ty);
        let k = private_at(span(ty));
        quote_spanned! {span(ty)=>
            #index => slots.#index = #k::std::option::Option::Some(#k::schema::Probe::<#ty>::decode(value)?)
        }
    });
    let [slots, index, value] = names(sent, ["slots", "index", "value"]);
    let body = (!sent.is_empty()).then(|| quote!(match index { #(#arms,)* _ => {} }));
    quote! {
        fn put<'de, __D: #k::serde::Deserializer<'de>>(
            #slots: &mut Self::Slots,
            #index: #k::std::primitive::usize,
            #value: __D,
        ) -> #k::std::result::Result<(), __D::Error> {
            #body
            #k::std::result::Result::Ok(())
        }
    }
}

fn put_texts(scope: &Scope<'_>, sent: &[&Field]) -> TokenStream {
    let k = &scope.k;
    let arms = sent.iter().enumerate().map(|(index, field)| {
        let (index, ty) = (number(index), &field.ty);
        quote!(#index => slots.#index = #k::std::option::Option::Some(#k::schema::Probe::<#ty>::parse(texts)?))
    });
    let [slots, index, texts] = names(sent, ["slots", "index", "texts"]);
    let body = (!sent.is_empty()).then(|| quote!(match index { #(#arms,)* _ => {} }));
    quote! {
        fn put_texts(
            #slots: &mut Self::Slots,
            #index: #k::std::primitive::usize,
            #texts: &[#k::std::borrow::Cow<'_, #k::std::primitive::str>],
        ) -> #k::std::result::Result<(), #k::schema::Mistake> {
            #body
            #k::std::result::Result::Ok(())
        }
    }
}

fn take(scope: &Scope<'_>, shape: &Shape<'_>, fields: &[Field], sent: &[&Field]) -> TokenStream {
    let k = &scope.k;
    let locals: Vec<Ident> = (0..sent.len()).map(|index| format_ident!("__{index}")).collect();
    let mut next = 0;
    let values: Vec<TokenStream> = fields
        .iter()
        .map(|field| {
            let (member, ty) = (&field.member, &field.ty);
            let default = scope.default_value(field);
            if field.skip {
                let value = default.unwrap_or_else(|| quote!(<#ty as #k::std::default::Default>::default()));
                return quote!(#member: #value);
            }
            let (local, index) = (&locals[next], number(next));
            next += 1;
            if let Some(default) = default {
                return quote! {
                    #member: match #local {
                        #k::std::option::Option::Some(__value) => __value,
                        #k::std::option::Option::None => #default,
                    }
                };
            }
            let k = private_at(span(ty));
            quote_spanned!(span(ty)=> #member: #k::schema::Probe::<#ty>::slot(#local, #index)?)
        })
        .collect();
    let build = &shape.build;
    let value = quote!(#build { #(#values),* });
    let value = shape.wrap.map_or_else(|| value.clone(), |wrap| quote!(#wrap(#value)));
    let [slots] = names(sent, ["slots"]);
    let open = (!sent.is_empty()).then(|| quote!(let (#(#locals,)*) = slots;));
    quote! {
        fn take(#slots: Self::Slots) -> #k::std::result::Result<Self, #k::std::primitive::usize> {
            #open
            #k::std::result::Result::Ok(#value)
        }
    }
}

/// Returns the names of parameters, with an underscore where there are no fields to use them for.
fn names<const N: usize>(sent: &[&Field], names: [&str; N]) -> [Ident; N] {
    names.map(|name| if sent.is_empty() { format_ident!("_{name}") } else { format_ident!("{name}") })
}
