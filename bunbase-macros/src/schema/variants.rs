//! The variants of an enum, and how it says which one it is.

use quote::ToTokens;
use syn::{Attribute, Fields, ext::IdentExt};

use super::{
    attr::{self, Container},
    case::Case,
    model::{Body, Field, Tagging, Variant, field, refuse_places, spelling, unique_keys, unnamed_fields},
    serde_attr,
};
use crate::errors::Errors;

/// Reads how the enum is tagged.
pub(super) fn tagging(container: &Container, errors: &mut Errors) -> Tagging {
    match (&container.tag, &container.content, &container.untagged) {
        (None, None, None) => Tagging::External,
        (Some(tag), None, None) => Tagging::Internal(tag.value()),
        (Some(tag), Some(content), None) => {
            if tag.value() == content.value() {
                errors.at(content, "`tag` and `content` are keys of one object: give them two names");
            }
            Tagging::Adjacent(tag.value(), content.value())
        }
        (None, None, Some(_)) => Tagging::Untagged,
        (None, Some(content), _) => {
            errors.at(content, "`content` needs a `tag`: write `#[schema(tag = \"kind\", content = \"value\")]`");
            Tagging::External
        }
        (Some(_), _, Some(untagged)) => {
            errors.at(untagged, "an enum is tagged or `untagged`: remove one of them");
            Tagging::Untagged
        }
    }
}

/// Checks one variant.
pub(super) fn variant(
    variant: &mut syn::Variant,
    tagging: &Tagging,
    rename: Option<Case>,
    rename_fields: Option<Case>,
    errors: &mut Errors,
) -> Variant {
    let serde = serde_attr::Variant::take(&mut variant.attrs, errors);
    refuse_field_attributes(&mut variant.attrs, errors);
    let rust_name = variant.ident.unraw().to_string();
    let name = match (&serde.rename, rename) {
        (Some(name), _) => name.value(),
        (None, Some(case)) => case.variant(&rust_name),
        (None, None) => rust_name,
    };
    let rename_fields = spelling(serde.rename_all.as_ref(), errors).or(rename_fields);
    let mut cannot_be_tagged = false;
    let body = match &mut variant.fields {
        Fields::Unit => Body::Plain,
        Fields::Named(named) => {
            let mut list: Vec<Field> =
                named.named.iter_mut().enumerate().map(|(i, f)| field(i, f, rename_fields, errors)).collect();
            unique_keys(&list, errors);
            refuse_places(&mut list, "a struct's own fields", errors);
            if let Tagging::Internal(tag) = tagging {
                for field in list.iter().filter(|field| !field.skip && field.key == *tag) {
                    errors.at(
                        &field.at,
                        format!("the key `{tag}` holds the variant's name: rename this field or the `tag`"),
                    );
                    cannot_be_tagged = true;
                }
            }
            Body::Record(list)
        }
        Fields::Unnamed(unnamed) => {
            let at = unnamed.to_token_stream();
            let mut list: Vec<Field> =
                unnamed.unnamed.iter_mut().enumerate().map(|(i, f)| field(i, f, None, errors)).collect();
            unnamed_fields(&mut list, errors);
            if matches!(tagging, Tagging::Internal(_)) && list.len() != 1 {
                errors.at(
                    at,
                    "a tuple has no keys to put the tag beside: name its fields, or write `content = \"value\"` too",
                );
                cannot_be_tagged = true;
            }
            match list.len() {
                0 => Body::Plain,
                1 => list.pop().map_or(Body::Plain, |field| Body::Newtype(Box::new(field))),
                _ => Body::Tuple(list),
            }
        }
    };
    if matches!((&body, &variant.fields), (Body::Plain, Fields::Unnamed(_))) {
        errors.at(&variant.ident, format!("`{0}()` carries nothing: write `{0}`", variant.ident));
    }
    let deprecated = variant.attrs.iter().any(|attr| attr.path().is_ident("deprecated"));
    Variant { ident: variant.ident.clone(), name, docs: attr::docs(&variant.attrs), deprecated, cannot_be_tagged, body }
}

/// Our attributes are for fields; a variant keeps those that mean something to others.
fn refuse_field_attributes(attrs: &mut Vec<Attribute>, errors: &mut Errors) {
    const OURS: [&str; 8] = ["path", "query", "header", "cookie", "body", "file", "validate", "sensitive"];
    for attr in attrs.extract_if(.., |attr| OURS.iter().any(|name| attr.path().is_ident(name))) {
        let name = attr.path().to_token_stream();
        errors.at(&attr, format!("`#[{name}]` is for fields: move it into the variant, or remove it"));
    }
    for attr in attrs.extract_if(.., |attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr")) {
        errors.at(&attr, "a variant of `#[schema]` is always there: put it on the whole type");
    }
}

/// Two variants with one name cannot be told apart.
pub(super) fn unique_names(variants: &[Variant], tagging: &Tagging, errors: &mut Errors) {
    if matches!(tagging, Tagging::Untagged) {
        return;
    }
    for (index, variant) in variants.iter().enumerate() {
        if let Some(first) = variants[..index].iter().find(|first| first.name == variant.name) {
            let (name, first) = (&variant.name, &first.ident);
            errors.at(
                &variant.ident,
                format!("the name `{name}` is that of the variant `{first}` already: rename one of them"),
            );
        }
    }
}
