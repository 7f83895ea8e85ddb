//! What `#[action(…)]` says, as written.

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitInt, LitStr, ext::IdentExt};

use crate::{
    entries::{self, Entry},
    errors::Errors,
};

/// The keys that this version knows.
const KEYS: [&str; 14] = [
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "name",
    "status",
    "tags",
    "deprecated",
    "guards",
    "timeout",
    "body_limit",
    "content_type",
    "message",
];

/// Keys that a later version will know, and what they will be.
const LATER: [(&str, &str); 7] = [
    ("event", "the event door"),
    ("cron", "the cron door"),
    ("webhook", "the webhook door"),
    ("tool", "the tool door"),
    ("retry", "retries"),
    ("idempotent", "idempotency"),
    ("check_input", "checks of the input"),
];

/// An HTTP method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "get" => Self::Get,
            "post" => Self::Post,
            "put" => Self::Put,
            "patch" => Self::Patch,
            "delete" => Self::Delete,
            _ => return None,
        })
    }

    /// Returns whether unmarked fields come from the body.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }

    /// Returns the name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Returns the name of the variant.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Get => "Get",
            Self::Post => "Post",
            Self::Put => "Put",
            Self::Patch => "Patch",
            Self::Delete => "Delete",
        }
    }
}

/// One HTTP door as written.
pub(crate) struct Door {
    pub(crate) method: Method,
    pub(crate) path: LitStr,
}

/// Everything between the parentheses.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) doors: Vec<Door>,
    pub(crate) name: Option<LitStr>,
    pub(crate) status: Option<LitInt>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) deprecated: bool,
    pub(crate) guards: Vec<Expr>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) body_limit: Option<LitStr>,
    pub(crate) content_type: Option<LitStr>,
    pub(crate) message: Option<Ident>,
}

impl Args {
    /// Reads what can be read and reports the rest.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for entry in entries::parse(tokens, errors) {
            let key = entry.key.unraw().to_string();
            if Method::of(&key).is_none() {
                if seen.contains(&key) {
                    errors.at(&entry.key, format!("`{key}` is here twice; keep one of them"));
                    continue;
                }
                seen.push(key.clone());
            }
            if let Err(error) = args.take(&key, &entry) {
                errors.push(error);
            }
        }
        args
    }

    fn take(&mut self, key: &str, entry: &Entry) -> syn::Result<()> {
        match key {
            "name" => self.name = Some(entry.text("\"create\"")?),
            "status" => self.status = Some(entry.number("201")?),
            "tags" => self.tags = entry.texts("[\"tasks\"]")?,
            "deprecated" => {
                entry.flag()?;
                self.deprecated = true;
            }
            "guards" => self.guards = entry.list("[api_key()]")?,
            "timeout" => self.timeout = Some(entry.text("\"10s\"")?),
            "body_limit" => self.body_limit = Some(entry.text("\"5MB\"")?),
            "content_type" => self.content_type = Some(entry.text("\"text/csv\"")?),
            "message" => self.message = Some(entry.ident("NewTask")?),
            _ => match Method::of(key) {
                Some(method) => self.doors.push(Door { method, path: entry.text("\"/tasks\"")? }),
                None => return Err(unknown(key, entry)),
            },
        }
        Ok(())
    }
}

fn unknown(key: &str, entry: &Entry) -> syn::Error {
    if let Some((_, what)) = LATER.iter().find(|(later, _)| *later == key) {
        let message = format!(
            "this version of bunbase does not have {what} yet; leave out `{key}`. Allowed: {}",
            entries::and(&KEYS)
        );
        return syn::Error::new_spanned(&entry.key, message);
    }
    match key {
        "head" | "options" => {
            syn::Error::new_spanned(&entry.key, format!("`{key}` needs no door: the server answers it by itself"))
        }
        "path" | "route" | "method" => {
            syn::Error::new_spanned(&entry.key, "a door is written as its method and its path: `post = \"/tasks\"`")
        }
        _ => entries::unknown(&entry.key, &KEYS),
    }
}
