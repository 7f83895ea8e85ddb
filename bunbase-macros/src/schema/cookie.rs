//! `#[cookie("name", http_only, …)]`: the name and the attributes of RFC 6265bis.

use std::time::Duration;

use syn::{Attribute, LitStr, Meta, Token, parse::ParseStream};

use super::{attr, values};
use crate::errors::Errors;

/// How an output sets the cookie.
#[derive(Default)]
pub(super) struct Cookie {
    pub(super) http_only: bool,
    pub(super) secure: bool,
    pub(super) partitioned: bool,
    pub(super) same_site: Option<SameSite>,
    pub(super) max_age: Option<Duration>,
    pub(super) path: Option<String>,
    pub(super) domain: Option<String>,
}

/// The `SameSite` attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SameSite {
    Strict,
    Lax,
    None,
}

const ALLOWED: &str = "a name, `http_only`, `secure`, `partitioned`, `same_site = \"strict\"`, `max_age = \"7d\"`, `path = \"/\"` and \
                       `domain = \"…\"`";

/// Reads the attribute: the cookie's name, where it is given, and its attributes.
pub(super) fn parse(attr: &Attribute, errors: &mut Errors) -> Option<(Option<LitStr>, Cookie)> {
    let mut cookie = Cookie::default();
    if matches!(attr.meta, Meta::Path(_)) {
        return Some((None, cookie));
    }
    let (name, metas) = errors.keep(attr.parse_args_with(name_and_items))?;
    for meta in &metas {
        cookie.take(meta, errors);
    }
    if cookie.same_site == Some(SameSite::None) && !cookie.secure {
        errors.at(attr, "browsers refuse `same_site = \"none\"` without `secure`: add `secure`");
    }
    if cookie.partitioned && !cookie.secure {
        errors.at(attr, "browsers refuse `partitioned` without `secure`: add `secure`");
    }
    if let Some(name) = &name {
        let text = name.value();
        if !values::is_token(&text) {
            errors.at(name, format!("`{text}` is not the name of a cookie: write letters, digits, `-` and `_`"));
        }
        let rooted = cookie.path.as_deref().is_none_or(|path| path == "/") && cookie.domain.is_none();
        if text.starts_with("__Secure-") && !cookie.secure {
            errors.at(name, "browsers refuse a `__Secure-` cookie without `secure`: add `secure`");
        }
        if text.starts_with("__Host-") && !(cookie.secure && rooted) {
            errors
                .at(name, "browsers refuse a `__Host-` cookie unless it has `secure`, the path \"/\" and no `domain`");
        }
    }
    Some((name, cookie))
}

fn name_and_items(input: ParseStream<'_>) -> syn::Result<(Option<LitStr>, Vec<Meta>)> {
    let name = if input.peek(LitStr) { Some(input.parse()?) } else { None };
    if name.is_some() && !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok((name, attr::metas(input)?))
}

impl Cookie {
    fn take(&mut self, meta: &Meta, errors: &mut Errors) {
        let key = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
        match key.as_str() {
            "http_only" => self.http_only = attr::flag(meta, errors),
            "secure" => self.secure = attr::flag(meta, errors),
            "partitioned" => self.partitioned = attr::flag(meta, errors),
            "same_site" => {
                let Some(text) = errors.keep(attr::text(meta, "strict")) else { return };
                match text.value().as_str() {
                    "strict" => self.same_site = Some(SameSite::Strict),
                    "lax" => self.same_site = Some(SameSite::Lax),
                    "none" => self.same_site = Some(SameSite::None),
                    other => errors.at(&text, format!("`{other}` is none of \"strict\", \"lax\" and \"none\"")),
                }
            }
            "max_age" => {
                let Some(text) = errors.keep(attr::text(meta, "7d")) else { return };
                let age = values::duration(&text.value()).map_err(|message| syn::Error::new(text.span(), message));
                self.max_age = errors.keep(age);
            }
            "path" => {
                let Some(text) = errors.keep(attr::text(meta, "/")) else { return };
                let value = text.value();
                if value.starts_with('/') && is_attribute_value(&value) {
                    self.path = Some(value);
                } else {
                    errors
                        .at(&text, format!("`{value}` is not the path of a cookie: it starts with `/` and has no `;`"));
                }
            }
            "domain" => {
                let Some(text) = errors.keep(attr::text(meta, "example.com")) else { return };
                let value = text.value();
                if !value.is_empty() && !value.contains('/') && is_attribute_value(&value) {
                    self.domain = Some(value);
                } else {
                    errors.at(&text, format!("`{value}` is not a domain: write one such as \"example.com\""));
                }
            }
            _ => errors.push(attr::unknown(meta, "#[cookie]", ALLOWED)),
        }
    }
}

fn is_attribute_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && b != b';' && b != b',')
}
