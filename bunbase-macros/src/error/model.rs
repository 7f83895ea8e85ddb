//! The checked form of an error enum.

use quote::{ToTokens, format_ident};
use syn::{Attribute, Data, DeriveInput, Fields, Ident, LitStr, Member, Type, ext::IdentExt, spanned::Spanned};

use super::{
    attr::{self, Args, Retry},
    message,
};
use crate::{
    errors::Errors,
    schema::{case::snake, docs, values::is_snake_case},
};

/// An error enum, checked.
pub(super) struct Model {
    pub(super) ident: Ident,
    pub(super) variants: Vec<Variant>,
}

/// A variant, checked.
pub(super) struct Variant {
    pub(super) ident: Ident,
    pub(super) docs: String,
    pub(super) deprecated: bool,
    pub(super) kind: Kind,
    /// The fields: member, and the local that a pattern binds it to.
    pub(super) fields: Vec<(Member, Ident)>,
    pub(super) source: Option<Source>,
}

/// The field that holds the cause.
pub(super) struct Source {
    /// Which of the fields.
    pub(super) index: usize,
    pub(super) ty: Type,
    /// Whether `From` makes the variant of it.
    pub(super) from: bool,
}

/// How a variant answers.
pub(super) enum Kind {
    /// With a status, a code and a text of its own.
    Own(Box<Own>),
    /// 500 with a fixed text.
    Internal,
    /// As the error that it holds: the framework's, or that of another action.
    Framework,
}

/// The answer of a variant with a status of its own.
pub(super) struct Own {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) retry: Option<Retry>,
    pub(super) message: LitStr,
    /// The message with its placeholders named after the locals.
    pub(super) format: LitStr,
    /// Which fields the message shows.
    pub(super) shown: Vec<usize>,
}

const EXAMPLE: &str = "`#[error(status = 404, code = \"project_missing\", \"project {0} does not exist\")]`, `#[error(internal)]` or \
                       `#[error(framework)]`";

impl Model {
    /// Checks a type; variants with mistakes are kept in the plainest form that they allow.
    pub(super) fn check(item: &DeriveInput, errors: &mut Errors) -> Option<Self> {
        let data = match &item.data {
            Data::Enum(data) => data,
            Data::Struct(data) => {
                let advice = format!(
                    "`ActionError` is for enums, because the document lists each way to fail with its status: write `enum {} {{ … }}` \
                     with one variant",
                    item.ident
                );
                errors.at(data.struct_token, advice);
                return None;
            }
            Data::Union(data) => {
                errors.at(data.union_token, "`ActionError` is for enums: a union does not know what it holds");
                return None;
            }
        };
        if !item.generics.params.is_empty() {
            let advice =
                "an action's error is one type with one list of variants: remove the parameters, or name the types";
            errors.at(&item.generics, advice);
            return None;
        }
        let mut variants: Vec<Variant> = data.variants.iter().map(|item| variant(item, errors)).collect();
        one_status_a_code(&variants, errors);
        one_from_a_type(&mut variants, errors);
        Some(Self { ident: item.ident.clone(), variants })
    }
}

fn variant(item: &syn::Variant, errors: &mut Errors) -> Variant {
    let fields: Vec<(Member, Ident)> = item
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| match &field.ident {
            Some(ident) => (Member::Named(ident.clone()), format_ident!("__{}", ident.unraw(), span = field.ty.span())),
            None => (Member::Unnamed(index.into()), format_ident!("__{index}", span = field.ty.span())),
        })
        .collect();
    let source = source(&item.fields, errors);
    let attrs: Vec<&Attribute> = item.attrs.iter().filter(|attr| attr.path().is_ident("error")).collect();
    for twice in attrs.iter().skip(1) {
        errors.at(twice, "a variant answers in one way: keep one `#[error(…)]`");
    }
    let kind = if let Some(attr) = attrs.first() {
        kind(item, attr, source.as_ref(), errors)
    } else {
        errors.at(
            &item.ident,
            format!("the variant `{}` does not say how it answers: write {EXAMPLE} above it", item.ident),
        );
        Kind::Internal
    };
    let deprecated = item.attrs.iter().any(|attr| attr.path().is_ident("deprecated"));
    Variant { ident: item.ident.clone(), docs: docs(&item.attrs), deprecated, kind, fields, source }
}

fn source(fields: &Fields, errors: &mut Errors) -> Option<Source> {
    let mut found: Option<Source> = None;
    for (index, field) in fields.iter().enumerate() {
        for attr in &field.attrs {
            let from = attr.path().is_ident("from");
            if !from && !attr.path().is_ident("source") {
                if attr.path().is_ident("error") {
                    errors.at(attr, "`#[error(…)]` stands above the variant, not in it");
                }
                continue;
            }
            errors.keep(attr.meta.require_path_only());
            if found.is_some() {
                errors.at(attr, "an error has one cause: keep one of `#[from]` and `#[source]`");
                continue;
            }
            found = Some(Source { index, ty: field.ty.clone(), from });
            if from && fields.len() > 1 {
                errors.at(
                    attr,
                    "`#[from]` makes the variant of this field alone: write `#[source]`, or remove the other fields",
                );
                found = Some(Source { index, ty: field.ty.clone(), from: false });
            }
        }
    }
    found
}

fn kind(item: &syn::Variant, attr: &Attribute, source: Option<&Source>, errors: &mut Errors) -> Kind {
    let args = Args::parse(attr, errors);
    let own = [
        args.status.as_ref().map(ToTokens::to_token_stream),
        args.code.as_ref().map(ToTokens::to_token_stream),
        args.message.as_ref().map(ToTokens::to_token_stream),
    ];
    if args.internal.is_some() || args.framework.is_some() {
        let name = if args.internal.is_some() { "internal" } else { "framework" };
        let retry = args.retry.map(|(_, span)| span);
        let given = own.into_iter().flatten().map(|tokens| tokens.span()).chain(retry);
        for span in given {
            errors.push(syn::Error::new(
                span,
                format!("`{name}` decides status, code and text: remove this, or remove `{name}`"),
            ));
        }
    }
    match (args.internal, args.framework) {
        (Some(_), Some(span)) => {
            errors.push(syn::Error::new(span, "a variant is `internal` or `framework`: remove one of them"));
            Kind::Internal
        }
        (Some(_), None) => Kind::Internal,
        (None, Some(span)) => {
            if item.fields.len() == 1 && source.is_some_and(|source| source.from) {
                return Kind::Framework;
            }
            let advice = format!(
                "`framework` passes one error through, with its status and code: write `{}(#[from] bunbase::Error)`, or another \
                 action's error in its place",
                item.ident
            );
            errors.push(syn::Error::new(span, advice));
            Kind::Internal
        }
        (None, None) => answer(item, attr, args, errors).map_or(Kind::Internal, |own| Kind::Own(Box::new(own))),
    }
}

fn answer(item: &syn::Variant, attr: &Attribute, args: Args, errors: &mut Errors) -> Option<Own> {
    let at = attr::span(attr);
    let status = match &args.status {
        None if args.broken => None,
        None => {
            let advice = format!("`{}` has no status: write `status = 404`, or another from 400 to 599", item.ident);
            errors.push(syn::Error::new(at, advice));
            None
        }
        Some(status) => match status.base10_parse::<u16>() {
            Ok(number) if (400..=599).contains(&number) => Some(number),
            _ => {
                let advice =
                    format!("{} is not the status of an error: write one from 400 to 599", status.base10_digits());
                errors.at(status, advice);
                None
            }
        },
    };
    let code = args.code.as_ref().map_or_else(|| snake(&item.ident.unraw().to_string()), LitStr::value);
    if !is_snake_case(&code) {
        let suggestion: String = code.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let suggestion = snake(&suggestion);
        let advice =
            format!("a code is in snake_case: write `code = \"{}\"`", suggestion.replace("__", "_").trim_matches('_'));
        match &args.code {
            Some(code) => errors.at(code, advice),
            None => errors.at(&item.ident, advice),
        }
    }
    let Some(message) = args.message else {
        if args.broken {
            return None;
        }
        let advice = format!(
            "`{}` has no message: add a text for the caller, such as \"the project does not exist\"",
            item.ident
        );
        errors.push(syn::Error::new(at, advice));
        return None;
    };
    let (format, shown) = format(item, &message, errors)?;
    Some(Own { status: status?, code, retry: args.retry.map(|(retry, _)| retry), message, format, shown })
}

/// Reads the message against the variant's fields.
fn format(item: &syn::Variant, message: &LitStr, errors: &mut Errors) -> Option<(LitStr, Vec<usize>)> {
    let parsed = message::parse(&message.value()).map_err(|error| syn::Error::new(message.span(), error));
    let (format, placeholders) = errors.keep(parsed)?;
    let names: Vec<String> = item
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| field.ident.as_ref().map_or_else(|| index.to_string(), |ident| ident.unraw().to_string()))
        .collect();
    let mut shown = Vec::new();
    for placeholder in &placeholders {
        let name = &placeholder.field;
        if let Some(index) = names.iter().position(|known| known == name) {
            shown.push(index);
        } else {
            let there = match names.as_slice() {
                [] => "it has no fields".to_owned(),
                names => format!(
                    "its fields are {}",
                    names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
                ),
            };
            errors.at(message, format!("`{{{name}}}` is not a field of `{}`: {there}", item.ident));
        }
    }
    (shown.len() == placeholders.len()).then(|| (LitStr::new(&format, message.span()), shown))
}

/// A program that matches on a code must be able to rely on its status.
fn one_status_a_code(variants: &[Variant], errors: &mut Errors) {
    let mut seen: Vec<(&str, u16, &Ident)> = Vec::new();
    for variant in variants {
        let Kind::Own(own) = &variant.kind else { continue };
        match seen.iter().find(|(code, ..)| *code == own.code) {
            Some((code, status, first)) if *status != own.status => {
                let advice = format!(
                    "the code `{code}` has the status {status} in `{first}`: give one of them another code, or one status to both"
                );
                errors.at(&variant.ident, advice);
            }
            Some(_) => {}
            None => seen.push((&own.code, own.status, &variant.ident)),
        }
    }
}

fn one_from_a_type(variants: &mut [Variant], errors: &mut Errors) {
    let mut seen: Vec<(String, &Ident)> = Vec::new();
    for variant in variants {
        let Some(source) = variant.source.as_mut().filter(|source| source.from) else { continue };
        let ty = source.ty.to_token_stream().to_string();
        match seen.iter().find(|(known, _)| *known == ty) {
            Some((ty, first)) => {
                let ty = ty.replace(' ', "");
                errors.at(
                    &source.ty,
                    format!(
                        "`{ty}` becomes `{first}` already: write `#[source]` here and make the variant by its name"
                    ),
                );
                source.from = false;
            }
            None => seen.push((ty, &variant.ident)),
        }
    }
}
