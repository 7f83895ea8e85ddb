//! `Debug` for types with `#[sensitive]` fields: it ends up in logs, so it leaves those out.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Scope, unnamed};
use crate::schema::model::{Body, Field, Kind};

/// Emits `Debug`, with `[sensitive]` in the place of what must not be shown.
pub(super) fn redacted(scope: &Scope<'_>) -> TokenStream {
    let k = &scope.k;
    let name = scope.model.ident.to_string();
    let body = match &scope.model.kind {
        Kind::Record(fields) => {
            let members: Vec<_> = fields.iter().map(|field| &field.member).collect();
            named(scope, &name, fields, &members.iter().map(|member| quote!(&self.#member)).collect::<Vec<_>>())
        }
        Kind::Newtype(field) => tuple(scope, &name, std::slice::from_ref(field), &[quote!(&self.0)]),
        Kind::Tuple(fields) => {
            let places: Vec<_> = fields
                .iter()
                .map(|field| {
                    let member = &field.member;
                    quote!(&self.#member)
                })
                .collect();
            tuple(scope, &name, fields, &places)
        }
        Kind::Enum(_, variants) => {
            let arms = variants.iter().map(|variant| {
                let ident = &variant.ident;
                let name = ident.to_string();
                match &variant.body {
                    Body::Plain => quote!(Self::#ident => f.write_str(#name)),
                    Body::Record(fields) => {
                        let shown = fields.iter().enumerate().filter(|(_, field)| !field.sensitive);
                        let bound = shown.map(|(index, field)| {
                            let (member, local) = (&field.member, format_ident!("__{index}"));
                            quote!(#member: #local)
                        });
                        let places: Vec<_> = (0..fields.len())
                            .map(|index| {
                                let local = format_ident!("__{index}");
                                quote!(#local)
                            })
                            .collect();
                        let body = named(scope, &name, fields, &places);
                        quote!(Self::#ident { #(#bound,)* .. } => #body)
                    }
                    Body::Newtype(field) => of_tuple_variant(scope, &name, ident, std::slice::from_ref(field)),
                    Body::Tuple(fields) => of_tuple_variant(scope, &name, ident, fields),
                }
            });
            quote!(match self { #(#arms,)* })
        }
    };
    let mut generics = scope.model.generics.clone();
    let parameters: Vec<_> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    for parameter in parameters {
        generics.make_where_clause().predicates.push(syn::parse_quote!(#parameter: #k::std::fmt::Debug));
    }
    let (parameters, arguments, clause) = generics.split_for_impl();
    let (ident, allow) = (&scope.model.ident, &scope.allow);
    quote! {
        #[automatically_derived]
        #allow
        impl #parameters #k::std::fmt::Debug for #ident #arguments #clause {
            fn fmt(&self, f: &mut #k::std::fmt::Formatter<'_>) -> #k::std::fmt::Result { #body }
        }
    }
}

fn of_tuple_variant(scope: &Scope<'_>, name: &str, ident: &syn::Ident, fields: &[Field]) -> TokenStream {
    let locals = unnamed::pattern(fields);
    let bound =
        locals.iter().zip(fields).map(|(local, field)| if field.sensitive { quote!(_) } else { quote!(#local) });
    let places: Vec<_> = locals.iter().map(|local| quote!(#local)).collect();
    let body = tuple(scope, name, fields, &places);
    quote!(Self::#ident(#(#bound),*) => #body)
}

fn named(scope: &Scope<'_>, name: &str, fields: &[Field], places: &[TokenStream]) -> TokenStream {
    let k = &scope.k;
    let entries = fields.iter().zip(places).map(|(field, place)| {
        let (name, value) = (&field.name, shown(scope, field, place));
        quote!(.field(#name, #value))
    });
    quote!(#k::std::fmt::Formatter::debug_struct(f, #name)#(#entries)*.finish())
}

fn tuple(scope: &Scope<'_>, name: &str, fields: &[Field], places: &[TokenStream]) -> TokenStream {
    let k = &scope.k;
    let entries = fields.iter().zip(places).map(|(field, place)| {
        let value = shown(scope, field, place);
        quote!(.field(#value))
    });
    quote!(#k::std::fmt::Formatter::debug_tuple(f, #name)#(#entries)*.finish())
}

fn shown(scope: &Scope<'_>, field: &Field, place: &TokenStream) -> TokenStream {
    let k = &scope.k;
    if field.sensitive { quote!(&#k::std::format_args!("[sensitive]")) } else { place.clone() }
}
