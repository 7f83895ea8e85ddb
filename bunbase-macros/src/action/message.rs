//! The message type: the struct, its constructor and its setters.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::{
    model::{Action, Message},
    param::{Absent, Field},
};
use crate::paths;

/// Emits the message type, unless it is the user's own.
pub(crate) fn declaration(action: &Action) -> TokenStream {
    match action.message() {
        Message::Own { .. } => TokenStream::new(),
        Message::Wrapped { name, ty } => wrapped(action, name, ty),
        Message::Fields { name, fields } => {
            let (declared, constructor) = (structure(action, name, fields), constructor(action, name, fields));
            quote!(#declared #constructor)
        }
    }
}

/// Around a struct of the user's. What it is is what that struct is.
fn wrapped(action: &Action, name: &Ident, ty: &syn::Type) -> TokenStream {
    let private = paths::private();
    let (vis, cfgs, docs) = (action.vis(), action.cfgs(), docs(action));
    quote! {
        #(#cfgs)*
        #private::wrap_input! { #docs #vis #name #ty }
    }
}

fn structure(action: &Action, name: &Ident, fields: &[Field]) -> TokenStream {
    let private = paths::private();
    let (vis, cfgs, docs) = (action.vis(), action.cfgs(), docs(action));
    let fields = fields.iter().map(|Field { ident, ty, attrs, .. }| quote!(#(#attrs)* pub #ident: #ty));
    quote! {
        #(#cfgs)*
        #[#private::schema_macro]
        #docs
        // A parameter needs no comment; a comment made up here would be in the document.
        #[allow(missing_docs, unreachable_pub)]
        #vis struct #name { #(#fields,)* }
    }
}

/// Returns the function's own comment, or a line that says what the type is.
fn docs(action: &Action) -> TokenStream {
    let own = action.doc_attrs();
    if own.is_empty() {
        let text = format!("The input of [`{}`].", action.ident().unraw());
        return quote!(#[doc = #text]);
    }
    quote!(#(#own)*)
}

fn constructor(action: &Action, name: &Ident, fields: &[Field]) -> TokenStream {
    let private = paths::private();
    let cfgs = action.cfgs();
    let (required, others): (Vec<_>, Vec<_>) =
        fields.iter().partition(|field| matches!(field.absent, Absent::Required));
    let parameters = required.iter().map(|Field { ident, ty, .. }| quote!(#ident: #ty));
    let values = fields.iter().map(|field| {
        let ident = &field.ident;
        match &field.absent {
            Absent::Required => quote!(#ident),
            Absent::Option(_) => quote!(#ident: #private::std::option::Option::None),
            Absent::Patch => quote!(#ident: #private::schema::Patch::Keep),
            Absent::Default(value) => quote!(#ident: #value),
        }
    });
    let about = match (required.is_empty(), others.is_empty()) {
        (_, true) => "Creates the call.",
        (true, false) => "Creates the call with nothing given; the methods add the rest.",
        (false, false) => "Creates the call with what must be given; the methods add the rest.",
    };
    // The attributes of a parameter may stand on an optional field called `new`; it is set by its name.
    let setters = others.iter().filter(|field| field.ident != "new").map(|field| setter(field));
    let default = required.is_empty().then(|| {
        quote! {
            #(#cfgs)*
            impl #private::std::default::Default for #name {
                fn default() -> Self {
                    Self::new()
                }
            }
        }
    });
    quote! {
        #(#cfgs)*
        #[allow(dead_code, deprecated, unreachable_pub, clippy::too_many_arguments)]
        impl #name {
            #[doc = #about]
            #[must_use]
            pub fn new(#(#parameters),*) -> Self {
                Self { #(#values,)* }
            }
            #(#setters)*
        }
        #default
    }
}

fn setter(field: &Field) -> TokenStream {
    let private = paths::private();
    let (ident, ty) = (&field.ident, &field.ty);
    let about = format!("Sets `{}`.", ident.unraw());
    let value = format_ident!("value", span = proc_macro2::Span::mixed_site());
    let (ty, value_of) = match &field.absent {
        Absent::Option(inner) => (quote!(#inner), quote!(#private::std::option::Option::Some(#value))),
        _ => (quote!(#ty), quote!(#value)),
    };
    quote! {
        #[doc = #about]
        #[must_use]
        pub fn #ident(mut self, #value: #ty) -> Self {
            self.#ident = #value_of;
            self
        }
    }
}
