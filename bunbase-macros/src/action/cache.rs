//! `cache(ttl = "5m", vary = [user, input], stale = "1m", tags = ["catalog", "sku/{sku}"])`.

use std::time::Duration;

use proc_macro2::Ident;
use syn::{Expr, LitStr, ext::IdentExt};

use super::{attr::Method, input::Door, model::Message};
use crate::{
    entries::{self, Entry, Value},
    errors::Errors,
    schema::values,
};

const KEYS: [&str; 4] = ["ttl", "vary", "stale", "tags"];

/// For how long answers are kept, and for whom.
pub(crate) struct Cache {
    /// The key, to underline it.
    pub(crate) key: Ident,
    /// More than zero.
    pub(crate) ttl: Duration,
    pub(crate) stale: Option<Duration>,
    pub(crate) user: bool,
    pub(crate) input: bool,
    pub(crate) tags: Vec<LitStr>,
}

impl Cache {
    /// Reads `cache(…)`.
    pub(crate) fn read(entry: &Entry, errors: &mut Errors) -> Option<Self> {
        let Value::List(tokens) = &entry.value else {
            errors.at(&entry.key, "`cache` takes a list: `cache(ttl = \"5m\")`");
            return None;
        };
        let (mut ttl, mut stale, mut vary, mut tags) = (None, None, None, Vec::new());
        let mut seen: Vec<String> = Vec::new();
        for entry in entries::parse(tokens.clone(), errors) {
            let key = entry.key.unraw().to_string();
            if seen.contains(&key) {
                errors.at(&entry.key, format!("`{key}` is here twice; keep one of them"));
                continue;
            }
            let taken = match key.as_str() {
                "ttl" => span(&entry, "5m").map(|span| ttl = Some(span)),
                "stale" => span(&entry, "1m").map(|span| stale = Some(span)),
                "vary" => words(&entry).map(|words| vary = Some(words)),
                "tags" => entry.texts("[\"catalog\"]").map(|texts| tags = texts),
                _ => Err(entries::unknown(&entry.key, &KEYS)),
            };
            errors.keep(taken);
            seen.push(key);
        }
        for tag in &tags {
            if tag.value().is_empty() || fields_of(&tag.value()).is_none() {
                errors.at(tag, "a tag is a text with whole fields of the input in braces: `\"sku/{sku}\"`");
            }
        }
        if ttl.is_none() && !seen.iter().any(|key| key == "ttl") {
            errors.at(&entry.key, "`cache` needs a time: `cache(ttl = \"5m\")`");
        }
        let (user, input) = vary.unwrap_or((false, true));
        Some(Self { key: entry.key.clone(), ttl: ttl?, stale, user, input, tags })
    }

    /// Checks it against the rest of the action.
    pub(crate) fn check(
        &self,
        doors: &[Door],
        message: &Message,
        provides: bool,
        idempotent: Option<&Ident>,
        errors: &mut Errors,
    ) {
        if let Some(door) = doors.iter().find(|door| door.is_http && door.method != Method::Get) {
            errors.at(
                &self.key,
                format!(
                    "only what reads can be answered from a cache, and {} changes something: leave `cache` out, or use `get`",
                    door.method.as_str()
                ),
            );
        }
        if idempotent.is_some() {
            errors.at(&self.key, "`idempotent` is for what writes and `cache` for what reads: leave one of them out");
        }
        if provides && !self.user {
            errors.at(
                &self.key,
                "what a `#[guard]` parameter provides may differ from caller to caller, and so may the answer: write \
                 `vary = [user, input]`",
            );
        }
        if let Message::Fields { fields, .. } = message {
            for tag in &self.tags {
                let named = fields_of(&tag.value()).unwrap_or_default();
                if let Some(name) = named.iter().find(|name| !fields.iter().any(|field| field.ident.unraw() == **name))
                {
                    errors.at(tag, format!("there is no parameter `{name}` to make the tag {:?} of", tag.value()));
                }
            }
        }
        let has_input = !matches!(message, Message::Fields { fields, .. } if fields.is_empty());
        if has_input && !self.input {
            errors.at(&self.key, "the answer depends on the input: write `input` in `vary`, too");
        }
    }
}

/// Returns the names in braces; `None` where a brace has no other.
fn fields_of(tag: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = tag;
    while let Some(open) = rest.find(['{', '}']) {
        let (name, after) = rest[open..].strip_prefix('{')?.split_once('}')?;
        if name.is_empty() || name.contains('{') {
            return None;
        }
        names.push(name.to_owned());
        rest = after;
    }
    Some(names)
}

fn span(entry: &Entry, example: &str) -> syn::Result<Duration> {
    let text = entry.text(&format!("{example:?}"))?;
    match values::duration(&text.value()) {
        Ok(span) if !span.is_zero() => Ok(span),
        Ok(_) => Err(syn::Error::new_spanned(&text, "what is kept for no time is not kept: write a longer one")),
        Err(message) => Err(syn::Error::new_spanned(&text, message)),
    }
}

/// Reads `vary`: whether the user, and whether the input makes an answer another one.
fn words(entry: &Entry) -> syn::Result<(bool, bool)> {
    let (mut user, mut input) = (false, false);
    for expr in entry.list("[user, input]")? {
        match &expr {
            Expr::Path(path) if path.path.is_ident("user") => user = true,
            Expr::Path(path) if path.path.is_ident("input") => input = true,
            other => return Err(syn::Error::new_spanned(other, "`vary` takes the words `user` and `input`")),
        }
    }
    Ok((user, input))
}
