//! The type itself, as it comes back: its derives and serde's attributes in a plain form.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Fields, LitStr, Path, Token, parse_quote, punctuated::Punctuated};

use super::model::{Body, Field, Kind, Model, Tagging, is_generic, last_name, span};
use crate::{errors::Errors, paths::private};

/// Adds derives, merged with those of the author, and the attributes that serde reads.
pub(super) fn complete(item: &mut DeriveInput, model: Option<&Model>, errors: &mut Errors) {
    if matches!(item.data, Data::Union(_)) {
        return;
    }
    let krate = private();
    let secrets = model.is_some_and(has_secrets);
    let theirs = derives(&mut item.attrs, secrets, errors);
    let mut ours: Vec<TokenStream> = vec![quote!(#krate::serde::Serialize)];
    if !theirs.clone {
        ours.push(quote!(#krate::std::clone::Clone));
    }
    if !theirs.debug && !secrets {
        ours.push(quote!(#krate::std::fmt::Debug));
    }
    let serde = format!("{krate}::serde").replace(' ', "");
    let mut attrs: Vec<Attribute> = vec![parse_quote!(#[derive(#(#ours),*)]), parse_quote!(#[serde(crate = #serde)])];
    if let Some(model) = model {
        attrs.extend(bound(model));
        annotate(item, model, &mut attrs);
    }
    // serde's attributes must follow a derive that knows them.
    attrs.append(&mut item.attrs);
    item.attrs = attrs;
}

/// Returns whether `Debug` is written out, because a derived one would print secrets.
pub(super) fn has_secrets(model: &Model) -> bool {
    match &model.kind {
        Kind::Record(fields) | Kind::Tuple(fields) => fields.iter().any(|field| field.sensitive),
        Kind::Newtype(field) => field.sensitive,
        Kind::Enum(_, variants) => variants.iter().any(|variant| match &variant.body {
            Body::Plain => false,
            Body::Record(fields) | Body::Tuple(fields) => fields.iter().any(|field| field.sensitive),
            Body::Newtype(field) => field.sensitive,
        }),
    }
}

/// Which derives the author wrote below the attribute.
#[derive(Default)]
struct Theirs {
    clone: bool,
    debug: bool,
}

fn derives(attrs: &mut [Attribute], secrets: bool, errors: &mut Errors) -> Theirs {
    let mut theirs = Theirs::default();
    for attr in attrs.iter_mut().filter(|attr| attr.path().is_ident("derive")) {
        let parsed = attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
        let Some(paths) = errors.keep(parsed) else { continue };
        let kept = paths.iter().filter(|path| {
            match path.segments.last().map(|segment| segment.ident.to_string()).as_deref() {
                Some("Clone") => theirs.clone = true,
                Some("Debug") if secrets => return false,
                Some("Debug") => theirs.debug = true,
                // Ours is the same.
                Some("Serialize") => return false,
                Some("Deserialize") => {
                    errors
                        .at(path, "`#[schema]` makes `Deserialize` already, stricter than the derive: remove it here");
                    return false;
                }
                Some("JsonSchema") => {
                    errors.at(path, "`#[schema]` makes the schema already: remove `JsonSchema` here");
                    return false;
                }
                _ => {}
            }
            true
        });
        let kept: Vec<Path> = kept.cloned().collect();
        *attr = parse_quote!(#[derive(#(#kept),*)]);
    }
    theirs
}

/// Returns what `Serialize` needs of the type's parameters; serde's own guess would be `Serialize`.
fn bound(model: &Model) -> Option<Attribute> {
    let schema = format!("{}::schema::Schema", private()).replace(' ', "");
    let bounds: Vec<_> =
        model.generics.type_params().map(|parameter| format!("{}: {schema}", parameter.ident)).collect();
    let bounds = bounds.join(", ");
    (!bounds.is_empty()).then(|| parse_quote!(#[serde(bound(serialize = #bounds))]))
}

fn annotate(item: &mut DeriveInput, model: &Model, attrs: &mut Vec<Attribute>) {
    match (&mut item.data, &model.kind) {
        (Data::Struct(data), Kind::Record(fields) | Kind::Tuple(fields)) => {
            annotate_fields(&mut data.fields, fields, model);
        }
        (Data::Struct(data), Kind::Newtype(field)) => {
            annotate_fields(&mut data.fields, std::slice::from_ref(&**field), model);
        }
        (Data::Enum(data), Kind::Enum(tagging, variants)) => {
            match tagging {
                Tagging::External => {}
                Tagging::Internal(tag) => attrs.push(parse_quote!(#[serde(tag = #tag)])),
                Tagging::Adjacent(tag, content) => attrs.push(parse_quote!(#[serde(tag = #tag, content = #content)])),
                Tagging::Untagged => attrs.push(parse_quote!(#[serde(untagged)])),
            }
            for (item, variant) in data.variants.iter_mut().zip(variants) {
                if item.ident != variant.name {
                    let name = &variant.name;
                    item.attrs.push(parse_quote!(#[serde(rename = #name)]));
                }
                match &variant.body {
                    Body::Record(fields) | Body::Tuple(fields) => annotate_fields(&mut item.fields, fields, model),
                    Body::Newtype(field) => {
                        annotate_fields(&mut item.fields, std::slice::from_ref(&**field), model);
                    }
                    Body::Plain => {}
                }
            }
        }
        _ => {}
    }
}

fn annotate_fields(items: &mut Fields, fields: &[Field], model: &Model) {
    for (item, field) in items.iter_mut().zip(fields) {
        if field.skip {
            item.attrs.push(parse_quote!(#[serde(skip)]));
            continue;
        }
        if item.ident.as_ref().is_some_and(|ident| *ident != field.key) {
            let key = &field.key;
            item.attrs.push(parse_quote!(#[serde(rename = #key)]));
        }
        if let Some(path) = skip_if(field, model) {
            item.attrs.push(parse_quote!(#[serde(skip_serializing_if = #path)]));
        }
        if last_name(&field.ty).is_none_or(|name| !PLAIN.iter().any(|plain| name == plain)) {
            // The compiler underlines the type where it has no schema.
            let encode = format!("{}::schema::wire::encode", private()).replace(' ', "");
            let encode = LitStr::new(&encode, span(&field.ty));
            item.attrs.push(parse_quote!(#[serde(serialize_with = #encode)]));
        }
    }
}

/// Types of which serde writes every value as the schema says: their fields are spared a detour that costs compile time.
const PLAIN: [&str; 12] = ["String", "Uuid", "bool", "char", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];

/// Returns the path of the function that says when a field is left out, as a literal.
///
/// A `Patch` that keeps its field must be left out even where the author did not say so: as `null` it would clear the field.
pub(super) fn skip_if(field: &Field, model: &Model) -> Option<TokenStream> {
    if let Some(path) = &field.skip_if {
        return Some(path.to_token_stream());
    }
    if last_name(&field.ty).is_none_or(|name| name != "Patch") {
        return None;
    }
    let function = if is_generic(&field.ty, &model.generics) { "Patch::is_keep" } else { "record::is_absent" };
    let path = format!("{}::schema::{function}", private()).replace(' ', "");
    Some(path.to_token_stream())
}
