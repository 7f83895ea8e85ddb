//! Newtypes and tuple structs, and the tuple variants of enums.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::{SchemaParts, Scope, number};
use crate::{
    paths::private_at,
    schema::model::{Field, span},
};

/// Emits the implementations for a struct of one unnamed field.
pub(super) fn newtype(scope: &Scope<'_>, field: &Field) -> TokenStream {
    let k = &scope.k;
    let target = scope.target();
    let shape = Shape {
        component: true,
        label: scope.label(),
        docs: &scope.model.docs,
        valid: Some(scope.valid(field, &quote!(&self.0))),
        build: quote!(Self),
        wrap: None,
    };
    let main = one(scope, &target, &shape, field);
    let ty = &field.ty;
    // A bound without parameters must hold, unless it is higher-ranked: then it may fail, and the implementation is not there.
    let when = |path: TokenStream| {
        let mut generics = scope.bounded(&TokenStream::new());
        generics.make_where_clause().predicates.push(syn::parse_quote!(for<'__a> #ty: #path));
        generics
    };
    let allow = &scope.allow;
    let from = when(quote!(#k::schema::FromText));
    let (parameters, _, clause) = from.split_for_impl();
    let from_text = quote! {
        #[automatically_derived]
        #allow
        impl #parameters #k::schema::FromText for #target #clause {
            const MANY: #k::std::primitive::bool = <#ty as #k::schema::FromText>::MANY;
            fn from_text(text: &#k::std::primitive::str) -> #k::std::result::Result<Self, #k::schema::Mistake> {
                #k::std::result::Result::Ok(Self(<#ty as #k::schema::FromText>::from_text(text)?))
            }
            fn from_texts(
                texts: &[#k::std::borrow::Cow<'_, #k::std::primitive::str>],
            ) -> #k::std::result::Result<Self, #k::schema::Mistake> {
                #k::std::result::Result::Ok(Self(<#ty as #k::schema::FromText>::from_texts(texts)?))
            }
        }
    };
    let to = when(quote!(#k::schema::ToText));
    let (parameters, _, clause) = to.split_for_impl();
    quote! {
        #main
        #from_text
        #[automatically_derived]
        #allow
        impl #parameters #k::schema::ToText for #target #clause {
            fn to_text(
                &self,
            ) -> #k::std::result::Result<#k::std::option::Option<#k::std::borrow::Cow<'_, #k::std::primitive::str>>, #k::schema::Mistake> {
                #k::schema::ToText::to_text(&self.0)
            }
        }
    }
}

/// Emits the implementations for a struct of several unnamed fields.
pub(super) fn tuple(scope: &Scope<'_>, fields: &[Field]) -> TokenStream {
    let valid = fields.iter().map(|field| {
        let member = &field.member;
        scope.valid(field, &quote!(&self.#member))
    });
    let shape = Shape {
        component: true,
        label: scope.label(),
        docs: &scope.model.docs,
        valid: Some(quote!(#(#valid)&&*)),
        build: quote!(Self),
        wrap: None,
    };
    several(scope, &scope.target(), &shape, fields)
}

/// Emits a hidden type that decodes to one variant with unnamed fields: it holds the enum itself.
pub(super) fn of_variant(scope: &Scope<'_>, hidden: &Ident, variant: &Ident, fields: &[Field]) -> TokenStream {
    let ident = &scope.model.ident;
    let (_, arguments, _) = scope.model.generics.split_for_impl();
    let shape = Shape {
        component: false,
        label: scope.hidden_label(&variant.to_string()),
        docs: "",
        valid: None,
        build: quote!(#ident::#variant),
        wrap: Some(hidden),
    };
    let hidden_target = quote!(#hidden #arguments);
    let main = match fields {
        [field] => one(scope, &hidden_target, &shape, field),
        fields => several(scope, &hidden_target, &shape, fields),
    };
    let hidden = scope.hidden(hidden);
    quote!(#hidden #main)
}

/// What differs between a struct and a variant.
struct Shape<'a> {
    component: bool,
    label: TokenStream,
    docs: &'a str,
    valid: Option<TokenStream>,
    build: TokenStream,
    wrap: Option<&'a Ident>,
}

impl Shape<'_> {
    fn value(&self, parts: &[Ident]) -> TokenStream {
        let build = &self.build;
        let value = quote!(#build(#(#parts),*));
        self.wrap.map_or_else(|| value.clone(), |wrap| quote!(#wrap(#value)))
    }

    fn parts(&self, schema: TokenStream, check: TokenStream) -> SchemaParts {
        SchemaParts { component: self.component, label: self.label.clone(), schema, check, valid: self.valid.clone() }
    }
}

fn one(scope: &Scope<'_>, target: &TokenStream, shape: &Shape<'_>, field: &Field) -> TokenStream {
    let k = &scope.k;
    let (docs, ty) = (shape.docs, &field.ty);
    let table = table(scope, target, std::slice::from_ref(field));
    let the_field = quote!(<Self as #k::schema::wrapper::Unnamed>::FIELDS[0]);
    let schema = scope.schema(
        target,
        &shape.parts(
            quote!(#k::schema::wrapper::newtype(&#the_field, #docs, generator)),
            quote!(#the_field.check(value, checker)),
        ),
    );
    let local = format_ident!("__0");
    let value = shape.value(std::slice::from_ref(&local));
    let decode = {
        let k = private_at(span(ty));
        quote_spanned!(span(ty)=> let #local = #k::schema::Probe::<#ty>::decode(deserializer)?;)
    };
    let deserialize = scope.deserialize(target, &quote!(#decode #k::std::result::Result::Ok(#value)));
    quote!(#table #schema #deserialize)
}

fn several(scope: &Scope<'_>, target: &TokenStream, shape: &Shape<'_>, fields: &[Field]) -> TokenStream {
    let k = &scope.k;
    let docs = shape.docs;
    let table = table(scope, target, fields);
    let all = quote!(<Self as #k::schema::wrapper::Unnamed>::FIELDS);
    let schema = scope.schema(
        target,
        &shape.parts(
            quote!(#k::schema::wrapper::tuple(#all, #docs, generator)),
            quote!(#k::schema::wrapper::check_tuple(#all, value, checker)),
        ),
    );
    let types = fields.iter().map(|field| &field.ty);
    let locals: Vec<Ident> = (0..fields.len()).map(|index| format_ident!("__{index}")).collect();
    let value = shape.value(&locals);
    let body = quote! {
        let (#(#locals,)*) = #k::schema::Probe::<(#(#types,)*)>::decode(deserializer)?;
        #k::std::result::Result::Ok(#value)
    };
    let deserialize = scope.deserialize(target, &body);
    quote!(#table #schema #deserialize)
}

fn table(scope: &Scope<'_>, target: &TokenStream, fields: &[Field]) -> TokenStream {
    let k = &scope.k;
    let entries = fields.iter().map(|field| scope.entry(field));
    let body = quote!(const FIELDS: &'static [#k::schema::Field] = &[#(#entries),*];);
    scope.implement(&quote!(#k::schema::wrapper::Unnamed), target, &body)
}

/// Returns the pattern of a variant with unnamed fields, and the names that it binds.
pub(super) fn pattern(fields: &[Field]) -> Vec<Ident> {
    fields.iter().enumerate().map(|(index, _)| format_ident!("__{}", number(index).to_string())).collect()
}
