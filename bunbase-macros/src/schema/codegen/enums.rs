//! Enums: a table of variants, and how each decodes.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Type, ext::IdentExt};

use super::{SchemaParts, Scope, number, record, unnamed};
use crate::{
    paths::private_at,
    schema::model::{Body, Field, Tagging, Variant, is_generic, span},
};

/// Emits the implementations for an enum.
pub(super) fn all(scope: &Scope<'_>, tagging: &Tagging, variants: &[Variant]) -> TokenStream {
    let k = &scope.k;
    let target = scope.target();
    let docs = &scope.model.docs;
    let hidden = variants.iter().map(|variant| payload_type(scope, variant));
    let assertions = variants.iter().map(|variant| assertion(scope, tagging, variant));
    let plain = variants.iter().all(|variant| matches!(variant.body, Body::Plain));
    let text = (plain && matches!(tagging, Tagging::External) && !variants.is_empty()).then(|| text(scope, variants));
    let schema = scope.schema(
        &target,
        &SchemaParts {
            component: true,
            label: scope.label(),
            schema: quote!(#k::schema::variant::schema_of::<Self>(#docs, generator)),
            check: quote! {
                #k::schema::variant::check(
                    <Self as #k::schema::variant::Enum>::TAGGING,
                    <Self as #k::schema::variant::Enum>::VARIANTS,
                    value,
                    checker,
                )
            },
            valid: (!plain).then(|| valid(scope, variants)),
        },
    );
    let decode = match tagging {
        Tagging::External => quote!(external(deserializer)),
        Tagging::Internal(tag) => quote!(internal(#tag, deserializer)),
        Tagging::Adjacent(tag, content) => quote!(adjacent(#tag, #content, deserializer)),
        Tagging::Untagged => quote!(untagged(deserializer)),
    };
    let deserialize = scope.deserialize(&target, &quote!(#k::schema::variant::#decode));
    let table = table(scope, &target, tagging, variants);
    quote!(#(#hidden)* #table #schema #deserialize #text #(#assertions)*)
}

/// Returns the name of the hidden type that decodes to a variant; `None` where the payload's own type does.
fn hidden(variant: &Variant) -> Option<Ident> {
    match &variant.body {
        Body::Plain => None,
        Body::Newtype(field) if field.is_bare() => None,
        _ => Some(format_ident!("__{}", variant.ident.unraw())),
    }
}

fn payload_type(scope: &Scope<'_>, variant: &Variant) -> TokenStream {
    let Some(hidden) = hidden(variant) else { return TokenStream::new() };
    match &variant.body {
        Body::Plain => TokenStream::new(),
        // Beside a tag the variant's words are the component's; elsewhere they stand with the variant.
        Body::Record(fields) => record::of_variant(scope, &hidden, &variant.ident, "", fields),
        Body::Newtype(field) => unnamed::of_variant(scope, &hidden, &variant.ident, std::slice::from_ref(field)),
        Body::Tuple(fields) => unnamed::of_variant(scope, &hidden, &variant.ident, fields),
    }
}

fn table(scope: &Scope<'_>, target: &TokenStream, tagging: &Tagging, variants: &[Variant]) -> TokenStream {
    let k = &scope.k;
    let (_, arguments, _) = scope.model.generics.split_for_impl();
    let tagging = match tagging {
        Tagging::External => quote!(External),
        Tagging::Internal(tag) => quote!(Internal { tag: #tag }),
        Tagging::Adjacent(tag, content) => quote!(Adjacent { tag: #tag, content: #content }),
        Tagging::Untagged => quote!(Untagged),
    };
    let entries = variants.iter().map(|variant| {
        let (rust_name, name, docs) = (variant.ident.unraw().to_string(), &variant.name, &variant.docs);
        let payload = match (&variant.body, hidden(variant)) {
            (_, Some(hidden)) => quote!(#k::std::option::Option::Some(#k::schema::Payload::of::<#hidden #arguments>())),
            (Body::Newtype(field), None) => {
                let ty = &field.ty;
                let k = private_at(span(ty));
                quote_spanned!(span(ty)=> #k::std::option::Option::Some(#k::schema::Payload::of::<#ty>()))
            }
            _ => quote!(#k::std::option::Option::None),
        };
        quote!(#k::schema::Variant { rust_name: #rust_name, name: #name, docs: #docs, payload: #payload })
    });
    let plain = variants.iter().enumerate().filter(|(_, variant)| matches!(variant.body, Body::Plain)).map(
        |(index, variant)| {
            let (index, ident) = (number(index), &variant.ident);
            quote!(#index => #k::std::option::Option::Some(Self::#ident))
        },
    );
    let carry: Vec<TokenStream> = variants
        .iter()
        .enumerate()
        .filter_map(|(index, variant)| {
            let (index, ident) = (number(index), &variant.ident);
            match (&variant.body, hidden(variant)) {
                (_, Some(hidden)) => Some(quote! {
                    #index => #k::std::result::Result::Ok(
                        <#hidden #arguments as #k::serde::Deserialize<'de>>::deserialize(payload)?.0
                    )
                }),
                (Body::Newtype(field), None) => {
                    let ty = &field.ty;
                    let k = private_at(span(ty));
                    Some(quote_spanned! {span(ty)=>
                        #index => #k::std::result::Result::Ok(
                            Self::#ident(#k::schema::Probe::<#ty>::decode(payload)?)
                        )
                    })
                }
                _ => None,
            }
        })
        .collect();
    let [index, payload] = ["index", "payload"]
        .map(|name| if carry.is_empty() { format_ident!("_{name}") } else { format_ident!("{name}") });
    let nothing = quote!(#k::std::result::Result::Err(#k::schema::variant::no_payload()));
    let carry = if carry.is_empty() { nothing } else { quote!(match index { #(#carry,)* _ => #nothing }) };
    let body = quote! {
        const TAGGING: #k::schema::Tagging = #k::schema::Tagging::#tagging;
        const VARIANTS: &'static [#k::schema::Variant] = &[#(#entries),*];
        fn plain(index: #k::std::primitive::usize) -> #k::std::option::Option<Self> {
            match index {
                #(#plain,)*
                _ => #k::std::option::Option::None,
            }
        }
        fn carry<'de, __D: #k::serde::Deserializer<'de>>(
            #index: #k::std::primitive::usize,
            #payload: __D,
        ) -> #k::std::result::Result<Self, __D::Error> {
            #carry
        }
    };
    scope.implement(&quote!(#k::schema::variant::Enum), target, &body)
}

fn valid(scope: &Scope<'_>, variants: &[Variant]) -> TokenStream {
    let arms = variants.iter().map(|variant| {
        let ident = &variant.ident;
        let (pattern, fields): (TokenStream, Vec<(&Field, Ident)>) = match &variant.body {
            Body::Plain => return quote!(Self::#ident => true),
            Body::Record(fields) => {
                let bound: Vec<_> = fields
                    .iter()
                    .enumerate()
                    .filter(|(_, field)| !field.skip)
                    .map(|(index, field)| (field, format_ident!("__{index}")))
                    .collect();
                let members = bound.iter().map(|(field, local)| {
                    let member = &field.member;
                    quote!(#member: #local)
                });
                (quote!(Self::#ident { #(#members,)* .. }), bound)
            }
            Body::Newtype(field) => (quote!(Self::#ident(__0)), vec![(&**field, format_ident!("__0"))]),
            Body::Tuple(fields) => {
                let locals = unnamed::pattern(fields);
                (quote!(Self::#ident(#(#locals),*)), fields.iter().zip(locals).collect())
            }
        };
        let rules: Vec<_> = fields.iter().map(|(field, local)| scope.valid(field, &quote!(#local))).collect();
        if rules.is_empty() { quote!(#pattern => true) } else { quote!(#pattern => #(#rules)&&*) }
    });
    quote!(match self { #(#arms,)* })
}

/// Plain names can stand in a path, a query, a header or a cookie.
fn text(scope: &Scope<'_>, variants: &[Variant]) -> TokenStream {
    let k = &scope.k;
    let target = scope.target();
    let from = scope.implement(
        &quote!(#k::schema::FromText),
        &target,
        &quote! {
            fn from_text(text: &#k::std::primitive::str) -> #k::std::result::Result<Self, #k::schema::Mistake> {
                #k::schema::variant::from_text(text)
            }
        },
    );
    let names = variants.iter().map(|variant| {
        let (ident, name) = (&variant.ident, &variant.name);
        quote!(Self::#ident => #name)
    });
    let to = scope.implement(
        &quote!(#k::schema::ToText),
        &target,
        &quote! {
            fn to_text(
                &self,
            ) -> #k::std::result::Result<#k::std::option::Option<#k::std::borrow::Cow<'_, #k::std::primitive::str>>, #k::schema::Mistake> {
                #k::std::result::Result::Ok(#k::std::option::Option::Some(
                    #k::std::borrow::Cow::Borrowed(match self { #(#names,)* }),
                ))
            }
        },
    );
    quote!(#from #to)
}

/// Beside a tag only the fields of a struct can stand.
fn assertion(scope: &Scope<'_>, tagging: &Tagging, variant: &Variant) -> TokenStream {
    let (Tagging::Internal(tag), Body::Newtype(field)) = (tagging, &variant.body) else { return TokenStream::new() };
    let ty: &Type = &field.ty;
    let k = private_at(span(ty));
    if is_generic(ty, &scope.model.generics) {
        return TokenStream::new();
    }
    let taken = format!(
        "a field of the struct in the variant `{}` has the key `{tag}`, which holds the variant's name",
        variant.ident
    );
    quote_spanned! {span(ty)=>
        const _: fn() = || {
            fn stands_beside_a_tag<T: #k::schema::BesideTag>() {}
            stands_beside_a_tag::<#ty>();
        };
        const _: () = match #k::schema::Probe::<#ty>::RECORD {
            #k::std::option::Option::Some(__fields) => #k::std::assert!(!#k::schema::record::has_key(__fields, #tag), #taken),
            #k::std::option::Option::None => {}
        };
    }
}
