//! `#[serde(…)]`: what `#[schema]` honours, and what to write instead of the rest.
//!
//! What is honoured is written out again on the item in a plain form (`rename` everywhere), so that both directions and the
//! document use one name.

use quote::ToTokens;
use syn::{Attribute, LitStr, Meta, Path};

use super::attr::{self, Container, DefaultValue};
use crate::errors::Errors;

/// What `#[serde(…)]` says about a field.
#[derive(Default)]
pub(super) struct Field {
    pub(super) rename: Option<LitStr>,
    pub(super) skip: Option<Path>,
    pub(super) skip_serializing_if: Option<LitStr>,
    pub(super) default: Option<DefaultValue>,
    pub(super) default_at: Option<Meta>,
}

impl Field {
    pub(super) fn take(&mut self, attr: &Attribute, errors: &mut Errors) {
        for meta in attr::items(attr, errors) {
            let key = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
            match key.as_str() {
                "rename" => rename(&mut self.rename, &meta, errors),
                "skip" => self.skip = Some(meta.path().clone()),
                "skip_serializing_if" => {
                    if let Some(path) = errors.keep(attr::text(&meta, "Option::is_none"))
                        && errors.keep(path.parse::<syn::ExprPath>()).is_some()
                    {
                        attr::once(&mut self.skip_serializing_if, path, &meta, "skip_serializing_if", errors);
                    }
                }
                "default" => {
                    let Some(default) = default(&meta, errors) else { continue };
                    self.default_at = Some(meta.clone());
                    attr::once(&mut self.default, default, &meta, "default", errors);
                }
                _ => refuse(&meta, "a field", errors),
            }
        }
    }
}

/// What `#[serde(…)]` says about a variant.
#[derive(Default)]
pub(super) struct Variant {
    pub(super) rename: Option<LitStr>,
    pub(super) rename_all: Option<LitStr>,
}

impl Variant {
    pub(super) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut this = Self::default();
        for attr in attrs.extract_if(.., |attr| attr.path().is_ident("serde")) {
            for meta in attr::items(&attr, errors) {
                if meta.path().is_ident("rename") {
                    rename(&mut this.rename, &meta, errors);
                } else if meta.path().is_ident("rename_all") {
                    if let Some(text) = errors.keep(attr::text(&meta, "camelCase")) {
                        attr::once(&mut this.rename_all, text, &meta, "rename_all", errors);
                    }
                } else {
                    refuse(&meta, "a variant", errors);
                }
            }
        }
        this
    }
}

/// Takes the `#[serde(…)]` attributes off the type and adds what they say.
pub(super) fn container(attrs: &mut Vec<Attribute>, into: &mut Container, errors: &mut Errors) {
    for attr in attrs.extract_if(.., |attr| attr.path().is_ident("serde")) {
        for meta in attr::items(&attr, errors) {
            let key = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
            match key.as_str() {
                "tag" | "content" | "untagged" | "rename_all" | "rename_all_fields" => into.take(&meta, errors),
                "rename" => rename(&mut into.rename, &meta, errors),
                "default" => {
                    let Some(default) = default(&meta, errors) else { continue };
                    match default {
                        DefaultValue::OfType => into.default = Some(DefaultValue::OfStruct),
                        _ => errors.at(&meta, "on a struct write `#[serde(default)]` and implement `Default`, or give each field its `#[default(…)]`"),
                    }
                }
                // It is always so.
                "deny_unknown_fields" => {}
                _ => refuse(&meta, "a type", errors),
            }
        }
    }
}

fn rename(slot: &mut Option<LitStr>, meta: &Meta, errors: &mut Errors) {
    if let Meta::List(_) = meta {
        errors.at(meta, "one name serves both directions: write `rename = \"name\"`");
    } else if let Some(text) = errors.keep(attr::text(meta, "name")) {
        attr::once(slot, text, meta, "rename", errors);
    }
}

fn default(meta: &Meta, errors: &mut Errors) -> Option<DefaultValue> {
    if let Meta::Path(_) = meta {
        return Some(DefaultValue::OfType);
    }
    let path = errors.keep(attr::text(meta, "path::to::function"))?;
    errors.keep(path.parse()).map(DefaultValue::Call)
}

/// Says why an attribute of serde is not honoured and what to write instead.
fn refuse(meta: &Meta, place: &str, errors: &mut Errors) {
    let name = meta.path().to_token_stream().to_string().replace(' ', "");
    let advice = match name.as_str() {
        "with" | "serialize_with" | "deserialize_with" => {
            "a wire form of its own belongs to a type: wrap the value in a newtype that implements `Serialize`, `Deserialize` and `Schema`"
        }
        "flatten" => "write the fields out, or nest the struct as a field",
        "alias" => "a key has one name: accept the old one in an action of its own, or rename the field",
        "other" => "an unknown variant is an error: name every variant",
        "from" | "try_from" | "into" => "put `#[schema]` on the type that has the wire form and convert in your code",
        "remote" | "getter" => "implement `Schema` by hand for a newtype around the foreign type",
        "bound" | "borrow" => "types with `#[schema]` own their data, and their bounds are made for you: remove it",
        "transparent" => "a struct of one unnamed field is transparent already: write `struct Name(Type);`",
        "skip_serializing" | "skip_deserializing" => {
            "input and output have one shape: use two types, or `#[serde(skip)]`"
        }
        "skip" => "remove the variant, or move it to a type without `#[schema]`",
        "crate" => "`#[schema]` says it already: remove it",
        "expecting" => "the messages are made for you: remove it",
        "untagged" => "write `untagged` on the whole enum: `#[schema(untagged)]`",
        "tag" | "content" | "rename_all" => "it belongs on an enum or a struct, not here",
        _ => {
            "what `#[schema]` honours is `rename`, `rename_all`, `rename_all_fields`, `default`, `skip`, `skip_serializing_if`, `tag`, \
             `content`, `untagged` and `deny_unknown_fields`"
        }
    };
    errors.at(meta.path(), format!("`#[schema]` does not take `#[serde({name})]` on {place}: {advice}"));
}
