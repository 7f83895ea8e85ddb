//! What `#[action(…)]` says, as written.

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitInt, LitStr, ext::IdentExt};

use super::{cache::Cache, retry::Retry, trigger::Trigger};
use crate::{
    entries::{self, Entry},
    errors::Errors,
};

/// The keys.
const KEYS: [&str; 27] = [
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "webhook",
    "verify",
    "event",
    "cron",
    "every",
    "tool",
    "name",
    "status",
    "tags",
    "deprecated",
    "guards",
    "check_input",
    "timeout",
    "retry",
    "idempotent",
    "cache",
    "cpu",
    "queue",
    "priority",
    "body_limit",
    "content_type",
    "message",
];

/// Keys besides the methods that may be there several times.
const SEVERAL: [&str; 4] = ["webhook", "event", "cron", "every"];

/// The words of `priority`, and the variants of `Priority`.
const PRIORITIES: [(&str, &str); 4] =
    [("low", "Low"), ("normal", "Normal"), ("high", "High"), ("critical", "Critical")];

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
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) verify: Option<Entry>,
    pub(crate) name: Option<LitStr>,
    pub(crate) status: Option<LitInt>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) deprecated: bool,
    pub(crate) guards: Vec<Expr>,
    pub(crate) check_input: Option<Expr>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) retry: Option<Retry>,
    /// The key, to underline it.
    pub(crate) idempotent: Option<Ident>,
    pub(crate) cache: Option<Cache>,
    pub(crate) cpu: bool,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<&'static str>,
    pub(crate) body_limit: Option<LitStr>,
    pub(crate) content_type: Option<LitStr>,
    pub(crate) message: Option<Ident>,
}

impl Args {
    /// Reads what can be read and reports the rest.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let mut seen: Vec<String> = Vec::new();
        // Whether there is a webhook that could not be read.
        let mut unread = false;
        for entry in entries::parse(tokens, errors) {
            let key = entry.key.unraw().to_string();
            if Method::of(&key).is_none() && !SEVERAL.contains(&key.as_str()) {
                if seen.contains(&key) {
                    errors.at(&entry.key, format!("`{key}` is here twice; keep one of them"));
                    continue;
                }
                seen.push(key.clone());
            }
            if Trigger::KEYS.contains(&key.as_str()) {
                let trigger = Trigger::read(&key, &entry, errors);
                unread |= key == "webhook" && trigger.is_none();
                args.triggers.extend(trigger);
            } else if key == "verify" {
                args.verify = Some(entry);
            } else if key == "retry" {
                args.retry = Retry::read(&entry, errors);
            } else if key == "cache" {
                args.cache = Cache::read(&entry, errors);
            } else if let Err(error) = args.take(&key, &entry) {
                errors.push(error);
            }
        }
        if unread {
            // It may have been meant for that one.
            args.verify = None;
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
            "check_input" => self.check_input = Some(entry.path("tasks::owner_only")?),
            "timeout" => self.timeout = Some(entry.text("\"10s\"")?),
            "idempotent" => {
                entry.flag()?;
                self.idempotent = Some(entry.key.clone());
            }
            "cpu" => {
                entry.flag()?;
                self.cpu = true;
            }
            "queue" => self.queue = Some(entry.text("\"mail\"")?),
            "priority" => self.priority = Some(entry.choice(&PRIORITIES)?),
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
    let advice = match key {
        "head" | "options" => format!("`{key}` needs no door: the server answers it by itself"),
        "path" | "route" | "method" => "a door is written as its method and its path: `post = \"/tasks\"`".to_owned(),
        "job" => "every action can be a job: leave `job` out, and write `ctx.enqueue(…)` where there is work for it"
            .to_owned(),
        "schedule" => "a schedule is `cron = \"0 2 * * *\"`, or `every = \"30s\"`".to_owned(),
        _ => return entries::unknown(&entry.key, &KEYS),
    };
    syn::Error::new_spanned(&entry.key, advice)
}
