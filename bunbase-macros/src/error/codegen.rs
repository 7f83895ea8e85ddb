//! What `#[derive(ActionError)]` emits. Nothing here can fail.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Member, spanned::Spanned};

use super::{
    attr::Retry,
    model::{Kind, Model, Own, Variant},
};
use crate::paths::private;

/// Emits everything for an enum.
pub(super) fn all(model: &Model) -> TokenStream {
    let k = private();
    let allow = model.variants.iter().any(|variant| variant.deprecated).then(|| quote!(#[allow(deprecated)]));
    let parts = [display(&k, model), error(&k, model), into_error(&k, model), action_error(&k, model)];
    let from = model.variants.iter().filter_map(|variant| from(&k, model, variant));
    let all = parts.into_iter().chain(from);
    quote! {
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        const _: () = {
            #(#[automatically_derived] #allow #all)*
        };
    }
}

impl Variant {
    /// Returns a pattern that binds the fields of these indices, inside the enum's own implementations.
    fn pattern(&self, indices: &[usize]) -> TokenStream {
        self.pattern_of(&format_ident!("Self"), indices)
    }

    fn pattern_of(&self, enumeration: &Ident, indices: &[usize]) -> TokenStream {
        let ident = &self.ident;
        let bound = indices.iter().map(|index| {
            let (member, local) = &self.fields[*index];
            quote!(#member: #local)
        });
        let rest = (indices.len() < self.fields.len()).then(|| quote!(..));
        if self.fields.is_empty() {
            quote!(#enumeration::#ident)
        } else {
            quote!(#enumeration::#ident { #(#bound,)* #rest })
        }
    }

    fn local(&self, index: usize) -> &Ident {
        &self.fields[index].1
    }
}

fn display(k: &TokenStream, model: &Model) -> TokenStream {
    let arms = model.variants.iter().map(|variant| match (&variant.kind, &variant.source) {
        (Kind::Own(own), _) => {
            let pattern = variant.pattern(&own.shown);
            let format = &own.format;
            let values = own.shown.iter().map(|index| {
                let local = variant.local(*index);
                quote!(#local = #local)
            });
            quote!(#pattern => f.write_fmt(#k::std::format_args!(#format, #(#values),*)))
        }
        (Kind::Framework, Some(source)) => {
            let (pattern, local) = (variant.pattern(&[source.index]), variant.local(source.index));
            quote!(#pattern => #k::std::fmt::Display::fmt(#local, f))
        }
        _ => {
            let pattern = variant.pattern(&[]);
            quote!(#pattern => f.write_str("an internal error"))
        }
    });
    let body = matched(model, &quote!(*self), &quote!(self), arms);
    let ident = &model.ident;
    let f = parameter(model, "f");
    quote! {
        impl #k::std::fmt::Display for #ident {
            fn fmt(&self, #f: &mut #k::std::fmt::Formatter<'_>) -> #k::std::fmt::Result { #body }
        }
    }
}

fn error(k: &TokenStream, model: &Model) -> TokenStream {
    let arms: Vec<TokenStream> = model
        .variants
        .iter()
        .filter_map(|variant| {
            let source = variant.source.as_ref()?;
            let (pattern, local) = (variant.pattern(&[source.index]), variant.local(source.index));
            let at = source.ty.span();
            // The framework's error stands for itself: its cause is the cause.
            let cause = if let Kind::Framework = variant.kind {
                quote!(#k::std::error::Error::source(#local))
            } else {
                quote_spanned!(at=> #k::std::option::Option::Some(#local))
            };
            Some(quote!(#pattern => #cause))
        })
        .collect();
    let source = (!arms.is_empty()).then(|| {
        let rest = (arms.len() < model.variants.len()).then(|| quote!(_ => #k::std::option::Option::None,));
        quote! {
            fn source(&self) -> #k::std::option::Option<&(dyn #k::std::error::Error + 'static)> {
                match self { #(#arms,)* #rest }
            }
        }
    });
    let ident = &model.ident;
    quote! {
        impl #k::std::error::Error for #ident { #source }
    }
}

fn into_error(k: &TokenStream, model: &Model) -> TokenStream {
    let ident = &model.ident;
    // `error` and `text` cannot be shadowed: what patterns bind begins with two underscores.
    let arms = model.variants.iter().map(|variant| {
        let name = &variant.ident;
        match (&variant.kind, &variant.source) {
            (Kind::Own(own), source) => {
                let (status, code) = (Literal::u16_unsuffixed(own.status), &own.code);
                let retry = own.retry.map(|_| {
                    let retry = retry(k, own);
                    quote!(.retry(#retry))
                });
                let shown: Vec<usize> = source.iter().map(|source| source.index).collect();
                let pattern = variant.pattern_of(ident, &shown);
                let cause = source.as_ref().map(|source| {
                    let local = variant.local(source.index);
                    quote_spanned!(source.ty.span()=> .caused_by(#local))
                });
                quote!(#pattern => #k::error::Error::new(#status, #code, text) #retry #cause)
            }
            (Kind::Framework, Some(source)) => {
                let (pattern, local) = (variant.pattern_of(ident, &[source.index]), variant.local(source.index));
                quote_spanned!(source.ty.span()=> #pattern => #k::action::passed(#local))
            }
            (_, Some(source)) => {
                let (pattern, local) = (variant.pattern_of(ident, &[source.index]), variant.local(source.index));
                quote_spanned!(source.ty.span()=> #pattern => #k::action::internal(#local))
            }
            (_, None) => {
                // The log has the name and what it holds, which is all that there is.
                if variant.fields.is_empty() {
                    let text = format!("{ident}::{name}");
                    quote!(#ident::#name => #k::action::internal(#text))
                } else {
                    // Field by field, so that the compiler does not call them unread.
                    let all: Vec<usize> = (0..variant.fields.len()).collect();
                    let pattern = variant.pattern_of(ident, &all);
                    let locals = variant.fields.iter().map(|(_, local)| local);
                    let shown = variant.fields.iter().map(|(member, _)| match member {
                        Member::Named(name) => format!("{name}: {{:?}}"),
                        Member::Unnamed(_) => "{:?}".to_owned(),
                    });
                    let text = format!("{ident}::{name}({})", shown.collect::<Vec<_>>().join(", "));
                    quote!(#pattern => #k::action::internal(#k::std::format!(#text, #(#locals),*)))
                }
            }
        }
    });
    let texts = model.variants.iter().any(|variant| matches!(variant.kind, Kind::Own(_)));
    let text = texts.then(|| quote!(let text = #k::std::string::ToString::to_string(&error);));
    let body = matched(model, &quote!(error), &quote!(error), arms);
    quote! {
        impl #k::std::convert::From<#ident> for #k::error::Error {
            fn from(error: #ident) -> Self { #text #body }
        }
    }
}

fn action_error(k: &TokenStream, model: &Model) -> TokenStream {
    let entries = model.variants.iter().filter_map(|variant| {
        let Kind::Own(own) = &variant.kind else { return None };
        let (status, code, message, docs) =
            (Literal::u16_unsuffixed(own.status), &own.code, &own.message, &variant.docs);
        let retry = retry(k, own);
        Some(quote! {
            #k::action::ErrorVariant { status: #status, code: #code, message: #message, docs: #docs, retry: #retry }
        })
    });
    let own = quote!(&[#(#entries),*]);
    let passed: Vec<_> = model
        .variants
        .iter()
        .filter(|variant| matches!(variant.kind, Kind::Framework))
        .filter_map(|variant| variant.source.as_ref().map(|source| &source.ty))
        .collect();
    let variants = if passed.is_empty() {
        own
    } else {
        quote!({
            const PARTS: &[&[#k::action::ErrorVariant]] = &[#own, #(<#passed as #k::action::ActionError>::VARIANTS),*];
            const ALL: [#k::action::ErrorVariant; #k::action::count(PARTS)] = #k::action::join(PARTS);
            &ALL
        })
    };
    // The framework's own error can have any status; another one that is passed through says what it can be.
    let internal = model.variants.iter().any(|variant| matches!(variant.kind, Kind::Internal));
    let (ident, class) = (&model.ident, class(k, model));
    quote! {
        impl #k::action::ActionError for #ident {
            const VARIANTS: &'static [#k::action::ErrorVariant] = #variants;
            const OPEN: #k::std::primitive::bool = false #(|| <#passed as #k::action::ActionError>::OPEN)*;
            const HIDES: #k::std::primitive::bool = #internal #(|| <#passed as #k::action::ActionError>::HIDES)*;
            #class
        }
    }
}

fn class(k: &TokenStream, model: &Model) -> TokenStream {
    let arms = model.variants.iter().map(|variant| match (&variant.kind, &variant.source) {
        (Kind::Own(own), _) => {
            let pattern = variant.pattern(&[]);
            let (status, code, retry) = (Literal::u16_unsuffixed(own.status), &own.code, retry(k, own));
            quote!(#pattern => #k::error::ErrorClass { status: #status, code: #code, retry: #retry })
        }
        (Kind::Framework, Some(source)) => {
            let (pattern, local) = (variant.pattern(&[source.index]), variant.local(source.index));
            quote!(#pattern => #k::action::ActionError::class(#local))
        }
        _ => {
            let pattern = variant.pattern(&[]);
            quote!(#pattern => #k::action::internal_class(#k::std::error::Error::source(self)))
        }
    });
    let body = matched(model, &quote!(*self), &quote!(self), arms);
    quote! {
        fn class(&self) -> #k::error::ErrorClass<'_> { #body }
    }
}

fn retry(k: &TokenStream, own: &Own) -> TokenStream {
    match own.retry {
        None => quote!(#k::error::Retry::ByStatus),
        Some(Retry::Never) => quote!(#k::error::Retry::Never),
        Some(Retry::After(after)) => {
            let millis = Literal::u64_unsuffixed(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            quote!(#k::error::Retry::After(#k::std::time::Duration::from_millis(#millis)))
        }
    }
}

fn from(k: &TokenStream, model: &Model, variant: &Variant) -> Option<TokenStream> {
    let source = variant.source.as_ref().filter(|source| source.from)?;
    let (enumeration, ident, ty) = (&model.ident, &variant.ident, &source.ty);
    let (member, _) = &variant.fields[source.index];
    Some(quote! {
        impl #k::std::convert::From<#ty> for #enumeration {
            fn from(__source: #ty) -> Self { Self::#ident { #member: __source } }
        }
    })
}

/// Emits a `match`, on the place itself where there are no variants to match.
fn matched(
    model: &Model,
    empty: &TokenStream,
    value: &TokenStream,
    arms: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    if model.variants.is_empty() { quote!(match #empty {}) } else { quote!(match #value { #(#arms,)* }) }
}

/// Returns the name of a parameter that a `match` without arms does not use.
fn parameter(model: &Model, name: &str) -> Ident {
    if model.variants.is_empty() { format_ident!("_{name}") } else { format_ident!("{name}") }
}
