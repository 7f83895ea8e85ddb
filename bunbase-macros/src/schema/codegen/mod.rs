//! The implementations. Nothing here can fail, and every name is that of `::bunbase::__private`.

mod debug;
mod enums;
mod fields;
mod output;
mod record;
mod unnamed;

use std::cell::RefCell;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{GenericParam, Generics, LitStr, parse_quote};

use super::{
    item,
    model::{Body, Field, Kind, Model},
};
use crate::paths::private;

/// Emits everything that `#[schema]` implements for a type.
pub(super) fn all(model: &Model) -> TokenStream {
    let scope = Scope::new(model);
    let k = &scope.k;
    let target = scope.target();
    let main = match &model.kind {
        Kind::Record(fields) => record::of_struct(&scope, fields),
        Kind::Newtype(field) => unnamed::newtype(&scope, field),
        Kind::Tuple(fields) => unnamed::tuple(&scope, fields),
        Kind::Enum(tagging, variants) => enums::all(&scope, tagging, variants),
    };
    let output = output::output(&scope, &target);
    let debug = item::has_secrets(model).then(|| debug::redacted(&scope));
    let patterns = scope.patterns.borrow();
    let patterns = patterns.iter().enumerate().map(|(index, pattern)| {
        let name = pattern_name(index);
        quote! {
            static #name: #k::std::sync::LazyLock<#k::Regex> = #k::std::sync::LazyLock::new(|| #k::schema::regex(#pattern));
        }
    });
    quote! {
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        const _: () = {
            #[allow(unused_imports)]
            use #k::schema::{NoSchema as _, NoText as _, NotRecord as _};
            #(#patterns)*
            #main
            #output
            #debug
        };
    }
}

/// What all parts of one expansion share.
struct Scope<'m> {
    model: &'m Model,
    /// `::bunbase::__private`
    k: TokenStream,
    /// The patterns met so far; each becomes a static.
    patterns: RefCell<Vec<LitStr>>,
    /// On each implementation that names fields: `#[allow(deprecated)]` where one of them is.
    allow: TokenStream,
}

impl<'m> Scope<'m> {
    fn new(model: &'m Model) -> Self {
        let any = |fields: &[Field]| fields.iter().any(|field| field.deprecated);
        let deprecated = match &model.kind {
            Kind::Record(fields) | Kind::Tuple(fields) => any(fields),
            Kind::Newtype(field) => field.deprecated,
            Kind::Enum(_, variants) => variants.iter().any(|variant| {
                variant.deprecated
                    || match &variant.body {
                        Body::Plain => false,
                        Body::Record(fields) | Body::Tuple(fields) => any(fields),
                        Body::Newtype(field) => field.deprecated,
                    }
            }),
        };
        let allow = if deprecated { quote!(#[allow(deprecated)]) } else { TokenStream::new() };
        Self { model, k: private(), patterns: RefCell::default(), allow }
    }

    /// Returns the type itself, with its parameters.
    fn target(&self) -> TokenStream {
        let ident = &self.model.ident;
        let (_, parameters, _) = self.model.generics.split_for_impl();
        quote!(#ident #parameters)
    }

    /// Returns the generics with what every implementation needs of a type parameter, and with `more`.
    fn bounded(&self, more: &TokenStream) -> Generics {
        let k = &self.k;
        let mut generics = self.model.generics.clone();
        let names: Vec<Ident> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
        if !names.is_empty() {
            let clause = generics.make_where_clause();
            for name in names {
                clause.predicates.push(parse_quote! {
                    #name: #k::schema::Schema + #k::std::marker::Send #more
                });
            }
        }
        generics
    }

    /// Emits `impl trait for target { body }`.
    fn implement(&self, path: &TokenStream, target: &TokenStream, body: &TokenStream) -> TokenStream {
        self.implement_with(&TokenStream::new(), path, target, body)
    }

    fn implement_with(
        &self,
        more: &TokenStream,
        path: &TokenStream,
        target: &TokenStream,
        body: &TokenStream,
    ) -> TokenStream {
        let generics = self.bounded(more);
        let (parameters, _, clause) = generics.split_for_impl();
        let allow = &self.allow;
        quote! {
            #[automatically_derived]
            #allow
            impl #parameters #path for #target #clause { #body }
        }
    }

    /// Emits `impl Deserialize for target`, where `body` decodes from `deserializer`.
    fn deserialize(&self, target: &TokenStream, body: &TokenStream) -> TokenStream {
        let k = &self.k;
        let mut generics = self.bounded(&TokenStream::new());
        generics.params.insert(0, parse_quote!('de));
        let (parameters, _, clause) = generics.split_for_impl();
        let allow = &self.allow;
        quote! {
            #[automatically_derived]
            #allow
            impl #parameters #k::serde::Deserialize<'de> for #target #clause {
                fn deserialize<__D: #k::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> #k::std::result::Result<Self, __D::Error> {
                    #body
                }
            }
        }
    }

    /// Emits `fn label`.
    fn label(&self) -> TokenStream {
        let k = &self.k;
        let name = &self.model.name;
        let parameters: Vec<TokenStream> = self
            .model
            .generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(parameter) => {
                    let ident = &parameter.ident;
                    Some(quote!(<#ident as #k::schema::Schema>::label()))
                }
                GenericParam::Const(parameter) => {
                    let ident = &parameter.ident;
                    Some(quote!(#k::std::borrow::Cow::Owned(#k::std::string::ToString::to_string(&#ident))))
                }
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        let value = if parameters.is_empty() {
            quote!(#k::std::borrow::Cow::Borrowed(#name))
        } else {
            quote!(#k::schema::wrapper::label(#name, &[#(#parameters),*]))
        };
        quote! {
            fn label() -> #k::std::borrow::Cow<'static, #k::std::primitive::str> { #value }
        }
    }

    /// Emits `impl Schema for target`.
    fn schema(&self, target: &TokenStream, parts: &SchemaParts) -> TokenStream {
        let k = &self.k;
        let component = parts.component.then(|| quote!(const COMPONENT: #k::std::primitive::bool = true;));
        let SchemaParts { label, schema, check, valid, .. } = parts;
        let valid = valid.as_ref().map(|valid| {
            quote! { fn valid(&self) -> #k::std::primitive::bool { #valid } }
        });
        let body = quote! {
            #component
            #label
            fn schema(generator: &mut #k::schema::Generator) -> #k::schemars::schema::SchemaObject { #schema }
            fn check(value: &#k::serde_json::Value, checker: &mut #k::schema::Checker) { #check }
            #valid
        };
        self.implement(&quote!(#k::schema::Schema), target, &body)
    }

    /// Emits the hidden type that decodes to one variant: it holds the enum itself, and is written like it.
    fn hidden(&self, ident: &Ident) -> TokenStream {
        let k = &self.k;
        let target = self.target();
        let (parameters, arguments, clause) = self.model.generics.split_for_impl();
        let body = quote! {
            fn serialize<__S: #k::serde::Serializer>(&self, serializer: __S) -> #k::std::result::Result<__S::Ok, __S::Error> {
                #k::serde::Serialize::serialize(&self.0, serializer)
            }
        };
        let serialize = self.implement(&quote!(#k::serde::Serialize), &quote!(#ident #arguments), &body);
        quote! {
            struct #ident #parameters (#target) #clause;
            #serialize
        }
    }

    /// Returns the name of the static that holds a pattern.
    fn pattern(&self, pattern: &LitStr) -> Ident {
        let mut patterns = self.patterns.borrow_mut();
        let known = patterns.iter().position(|other| other.value() == pattern.value());
        pattern_name(known.unwrap_or_else(|| {
            patterns.push(pattern.clone());
            patterns.len() - 1
        }))
    }

    /// Returns the name of a part of a value, for a `static str` of the expansion.
    fn hidden_label(&self, name: &str) -> TokenStream {
        let k = &self.k;
        quote! {
            fn label() -> #k::std::borrow::Cow<'static, #k::std::primitive::str> { #k::std::borrow::Cow::Borrowed(#name) }
        }
    }
}

/// What differs between the implementations of `Schema`.
struct SchemaParts {
    component: bool,
    label: TokenStream,
    schema: TokenStream,
    check: TokenStream,
    valid: Option<TokenStream>,
}

fn pattern_name(index: usize) -> Ident {
    format_ident!("__PATTERN_{index}")
}

/// Writes an `Option` of something that can be written.
fn option<T: ToTokens>(k: &TokenStream, value: Option<T>) -> TokenStream {
    value.map_or_else(|| quote!(#k::std::option::Option::None), |value| quote!(#k::std::option::Option::Some(#value)))
}

/// Writes an index without a suffix.
fn number(index: usize) -> Literal {
    Literal::usize_unsuffixed(index)
}
