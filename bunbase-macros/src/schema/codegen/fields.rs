//! The table of fields, and the rules of their values.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprLit, Lit, Type, spanned::Spanned};

use super::{Scope, option};
use crate::{
    paths::private_at,
    schema::{
        attr::{DefaultValue, Place},
        cookie::{Cookie, SameSite},
        model::{Field, is_generic, last_name, span},
        places,
        rules::{Number, Rule},
    },
};

impl Scope<'_> {
    /// Emits one entry of the table.
    pub(super) fn entry(&self, field: &Field) -> TokenStream {
        let k = &self.k;
        let (name, ty) = (&field.name, &field.ty);
        let mut parts = Vec::new();
        if field.key != field.name {
            let key = &field.key;
            parts.push(quote!(key: #key));
        }
        if let Some(mark) = &field.mark {
            let source = match &mark.place {
                Place::Path => quote!(Path),
                Place::Query => quote!(Query),
                Place::Header => quote!(Header),
                Place::Cookie(_) => quote!(Cookie),
                Place::Body => quote!(Body),
                Place::File(_) => quote!(File),
            };
            parts.push(quote!(source: #k::schema::Source::#source));
            if let Some(name) = &mark.name {
                parts.push(quote!(param: #k::std::option::Option::Some(#name)));
            }
            match &mark.place {
                Place::File(file) => {
                    let size = option(k, file.max_size_bytes);
                    let types = &file.content_types;
                    parts.push(quote! {
                        file: #k::std::option::Option::Some(#k::schema::FileRules {
                            max_size_bytes: #size,
                            content_types: &[#(#types),*],
                        })
                    });
                }
                Place::Cookie(cookie) => {
                    let rules = self.cookie_rules(cookie);
                    parts.push(quote!(cookie: #rules));
                }
                _ => {}
            }
        }
        if !field.docs.is_empty() {
            let docs = &field.docs;
            parts.push(quote!(docs: #docs));
        }
        if let Some(value) = self.default_value(field) {
            parts.push(quote!(required: false));
            // A value of a generic type cannot be written here: nothing says that it serialises.
            if !is_generic(ty, &self.model.generics) {
                parts.push(quote! {
                    default: #k::std::option::Option::Some(|| #k::serde_json::to_value(#value).ok())
                });
            }
        }
        if field.sensitive {
            parts.push(quote!(sensitive: true));
        }
        if field.deprecated {
            parts.push(quote!(deprecated: true));
        }
        if !field.rules.is_empty() {
            let rules = field.rules.iter().map(|rule| self.constraint(rule));
            parts.push(quote!(constraints: &[#(#rules),*]));
        }
        let start = {
            let k = private_at(span(ty));
            quote_spanned!(span(ty)=> #k::schema::Field::new::<#ty>(#name, #k::schema::Probe::<#ty>::TEXT))
        };
        if parts.is_empty() { start } else { quote!(#k::schema::Field { #(#parts,)* ..#start }) }
    }

    /// Emits the attributes of a cookie.
    pub(super) fn cookie_rules(&self, cookie: &Cookie) -> TokenStream {
        let k = &self.k;
        let mut parts = Vec::new();
        if cookie.http_only {
            parts.push(quote!(http_only: true));
        }
        if cookie.secure {
            parts.push(quote!(secure: true));
        }
        if cookie.partitioned {
            parts.push(quote!(partitioned: true));
        }
        if let Some(same_site) = cookie.same_site {
            let same_site = match same_site {
                SameSite::Strict => quote!(Strict),
                SameSite::Lax => quote!(Lax),
                SameSite::None => quote!(None),
            };
            parts.push(quote!(same_site: #k::std::option::Option::Some(#k::schema::SameSite::#same_site)));
        }
        if let Some(age) = cookie.max_age {
            let seconds = Literal::u64_unsuffixed(age.as_secs());
            parts.push(quote!(max_age: #k::std::option::Option::Some(#k::std::time::Duration::from_secs(#seconds))));
        }
        for (name, value) in [(quote!(path), &cookie.path), (quote!(domain), &cookie.domain)] {
            if let Some(value) = value {
                parts.push(quote!(#name: #k::std::option::Option::Some(#value)));
            }
        }
        if parts.is_empty() {
            return quote!(#k::schema::CookieRules::NONE);
        }
        quote!(#k::schema::CookieRules { #(#parts,)* ..#k::schema::CookieRules::NONE })
    }

    /// Emits what a missing key stands for, where the author said so.
    pub(super) fn default_value(&self, field: &Field) -> Option<TokenStream> {
        let k = &self.k;
        let ty = &field.ty;
        let value = match field.default.as_ref()? {
            DefaultValue::OfType => return Some(quote!(<#ty as #k::std::default::Default>::default())),
            DefaultValue::Call(path) => quote!(#path()),
            DefaultValue::OfStruct => {
                let member = &field.member;
                quote!(<Self as #k::std::default::Default>::default().#member)
            }
            DefaultValue::Expr(expr) => match &**expr {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. })
                    if last_name(ty).is_some_and(|name| name == "String") =>
                {
                    quote!(<#ty as #k::std::convert::From<&#k::std::primitive::str>>::from(#text))
                }
                expr => expr.to_token_stream(),
            },
        };
        Some(quote! { { let __value: #ty = #value; __value } })
    }

    /// Emits a rule as data.
    fn constraint(&self, rule: &Rule) -> TokenStream {
        let k = &self.k;
        let rule = match rule {
            Rule::Length { min, max } => {
                let (min, max) = (option(k, *min), option(k, *max));
                quote!(Length { min: #min, max: #max })
            }
            Rule::Range { min, max, exclusive_min, exclusive_max } => {
                let (min, max) = (self.bound(*min), self.bound(*max));
                quote!(Range { min: #min, max: #max, exclusive_min: #exclusive_min, exclusive_max: #exclusive_max })
            }
            Rule::MultipleOf(step) => {
                let step = self.number(*step);
                quote!(MultipleOf(#step))
            }
            Rule::Pattern(pattern) => {
                let name = self.pattern(pattern);
                quote!(Pattern(&#name))
            }
            Rule::Format(name) => {
                let name = syn::Ident::new(name, Span::call_site());
                quote!(Format(#k::schema::Format::#name))
            }
            Rule::Unique => quote!(Unique),
            Rule::Each(rules) => {
                let rules = rules.iter().map(|rule| self.constraint(rule));
                quote!(Each(&[#(#rules),*]))
            }
            Rule::Custom(path) => quote!(Custom(|__value| #k::schema::rules::custom_json(__value, #path))),
        };
        quote!(#k::schema::Constraint::#rule)
    }

    /// Emits a rule on a value: an expression that is `true` where it holds. The compiler underlines `at` where the value cannot
    /// have the rule; `ty` is the value's type, where it has a name.
    fn rule(&self, rule: &Rule, place: &TokenStream, at: Span, ty: Option<&Type>) -> TokenStream {
        let k = &private_at(at);
        let of = ty.map(|ty| quote_spanned!(at=> ::<#ty>));
        match rule {
            Rule::Length { min, max } => {
                let (min, max) = (option(k, *min), option(k, *max));
                quote_spanned!(at=> #k::schema::rules::length #of(#place, #min, #max))
            }
            Rule::Range { min, max, exclusive_min, exclusive_max } => {
                let (min, max) = (self.bound(*min), self.bound(*max));
                quote_spanned!(at=> #k::schema::rules::range #of(#place, #min, #max, #exclusive_min, #exclusive_max))
            }
            Rule::MultipleOf(step) => {
                let step = self.number(*step);
                quote_spanned!(at=> #k::schema::rules::multiple_of #of(#place, #step))
            }
            Rule::Pattern(pattern) => {
                let name = self.pattern(pattern);
                quote_spanned!(at=> #k::schema::rules::pattern #of(#place, &#name))
            }
            Rule::Format(name) => {
                let name = syn::Ident::new(name, Span::call_site());
                quote_spanned!(at=> #k::schema::rules::format #of(#place, #k::schema::Format::#name))
            }
            Rule::Unique => quote_spanned!(at=> #k::schema::rules::unique #of(#place)),
            Rule::Each(rules) => {
                let item = quote_spanned!(at=> __item);
                let rules = rules.iter().map(|rule| self.rule(rule, &item, at, None));
                quote_spanned!(at=> #k::schema::rules::each #of(#place, |#item| #(#rules)&&*))
            }
            Rule::Custom(path) => {
                let at = path.span().resolved_at(Span::call_site());
                let k = private_at(at);
                // The value too: an argument is what the compiler underlines.
                let place = place.clone().into_iter().map(|mut token| {
                    token.set_span(at);
                    token
                });
                let place: TokenStream = place.collect();
                quote_spanned!(at=> #k::schema::rules::custom(#place, #path))
            }
        }
    }

    /// Emits an expression that is `true` where all rules hold in `place`, a reference to the field's value.
    pub(super) fn valid(&self, field: &Field, place: &TokenStream) -> TokenStream {
        let ty = &field.ty;
        let k = private_at(span(ty));
        let own = quote_spanned!(span(ty)=> #k::schema::Probe::<#ty>::valid(#place));
        let rules = field.rules.iter().map(|rule| self.rule(rule, place, span(ty), Some(ty)));
        quote!(#own #(&& #rules)*)
    }

    fn bound(&self, number: Option<Number>) -> TokenStream {
        option(&self.k, number.map(|number| self.number(number)))
    }

    fn number(&self, number: Number) -> TokenStream {
        let k = &self.k;
        match number {
            Number::Int(n) => {
                let n = Literal::i128_unsuffixed(n);
                quote!(#k::schema::Number::Int(#n))
            }
            Number::Float(n) => {
                let n = Literal::f64_suffixed(n);
                quote!(#k::schema::Number::Float(#n))
            }
        }
    }

    /// Emits what must be true of the types of a struct's fields because of where they go.
    pub(super) fn assertions(&self, fields: &[Field]) -> TokenStream {
        let mut all = TokenStream::new();
        for field in fields.iter().filter(|field| !field.skip && !is_generic(&field.ty, &self.model.generics)) {
            let ty = &field.ty;
            let k = private_at(span(ty));
            if field.mark.as_ref().is_some_and(|mark| matches!(mark.place, Place::Path | Place::Query)) {
                all.extend(quote_spanned! {span(ty)=>
                    const _: fn() = || {
                        fn comes_from_text<T: #k::schema::FromText>() {}
                        comes_from_text::<#ty>();
                    };
                });
            }
            if let Some(path) = &field.skip_if
                && field.default.is_none()
            {
                let message = format!(
                    "`{}` may be left out when it is written, so it must be able to be missing when it is read: make it an `Option`, \
                     or give it `#[default]`",
                    field.name
                );
                let k = private_at(path.span());
                all.extend(quote_spanned! {path.span()=>
                    const _: () = #k::std::assert!(<#ty as #k::schema::Schema>::OPTIONAL, #message);
                });
            }
        }
        all
    }
}

/// Returns the name under which an answer sends a field, in lower case for headers.
pub(super) fn sent_as(field: &Field) -> String {
    places::parameter(field)
}
