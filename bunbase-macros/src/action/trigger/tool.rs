//! `tool` and `tool = "create_task"`.

use proc_macro2::Ident;
use syn::LitStr;

use crate::{
    entries::{Entry, Value},
    errors::Errors,
};

/// The longest name that clients of the protocol take.
const LONGEST: usize = 64;

/// A tool of the Model Context Protocol.
pub(crate) struct Tool {
    pub(crate) key: Ident,
    /// Its name, where the action's is not meant.
    pub(crate) name: Option<LitStr>,
}

pub(super) fn read(entry: &Entry, errors: &mut Errors) -> Option<Tool> {
    let name = match &entry.value {
        Value::Flag => None,
        Value::Expr(_) => Some(errors.keep(entry.text("\"create_task\"").and_then(named))?),
        Value::List(_) => {
            errors.at(&entry.key, "a tool has a name and nothing else: write `tool`, or `tool = \"create_task\"`");
            return None;
        }
    };
    Some(Tool { key: entry.key.clone(), name })
}

fn named(text: LitStr) -> syn::Result<LitStr> {
    let name = text.value();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let wrong = match name.chars().enumerate().find(|(_, c)| !plain(*c)) {
        Some((at, c)) => format!("{c:?} at character {} is not allowed", at + 1),
        None if name.is_empty() => "it is empty".to_owned(),
        None if name.len() > LONGEST => format!("it is longer than {LONGEST} characters"),
        None => return Ok(text),
    };
    let message = format!("{name:?} cannot be the name of a tool: {wrong}; write letters, digits, `_` and `-`");
    Err(syn::Error::new_spanned(text, message))
}
