//! `webhook = "/webhooks/stripe", verify = …` and `webhook("/webhooks/stripe", verify = …)`.

use proc_macro2::Ident;
use syn::{Expr, ExprLit, Lit, LitStr, ext::IdentExt};

use super::super::template;
use crate::{
    entries::{self, Entry, Value},
    errors::Errors,
};

/// What a verification looks like, in messages.
const EXAMPLE: &str = "verify = stripe(\"STRIPE_WEBHOOK_SECRET\")";

/// A door for signed deliveries.
pub(crate) struct Webhook {
    pub(crate) key: Ident,
    pub(crate) path: LitStr,
    /// The names of the template's parameters.
    pub(crate) names: Vec<String>,
    /// The scheme; before [`join`] only where it is written inside a list.
    pub(crate) verify: Option<Expr>,
}

pub(super) fn read(entry: &Entry, errors: &mut Errors) -> Option<Webhook> {
    let (path, verify) = match &entry.value {
        Value::List(tokens) => {
            let (first, rest) = entries::parse_led(tokens.clone(), errors);
            let Some(Expr::Lit(ExprLit { lit: Lit::Str(path), .. })) = first else {
                let message = format!("a webhook begins with its path: `webhook(\"/webhooks/stripe\", {EXAMPLE})`");
                errors.at(&entry.key, message);
                return None;
            };
            let verify = scheme(&entry.key, &path, rest, errors)?;
            (path, Some(verify))
        }
        _ => (errors.keep(entry.text("\"/webhooks/stripe\""))?, None),
    };
    let names = template::parse(&path.value()).unwrap_or_else(|mistakes| {
        for mistake in mistakes {
            errors.at(&path, mistake);
        }
        Vec::new()
    });
    Some(Webhook { key: entry.key.clone(), path, names, verify })
}

/// Reads what follows the path in a list.
fn scheme(webhook: &Ident, path: &LitStr, rest: Vec<Entry>, errors: &mut Errors) -> Option<Expr> {
    let (mut verify, mut is_right) = (None, true);
    for entry in rest {
        let wrong = match entry.key.unraw().to_string().as_str() {
            "verify" if verify.is_some() => {
                syn::Error::new_spanned(&entry.key, "`verify` is here twice; keep one of them")
            }
            "verify" => match expression(entry) {
                Ok(expr) => {
                    verify = Some(expr);
                    continue;
                }
                Err(error) => error,
            },
            _ => entries::unknown(&entry.key, &["verify"]),
        };
        errors.push(wrong);
        is_right = false;
    }
    if verify.is_none() && is_right {
        errors.at(webhook, unsigned(path));
    }
    verify
}

/// Takes the expression of `verify = …`.
fn expression(entry: Entry) -> syn::Result<Expr> {
    match entry.value {
        Value::Expr(expr) => Ok(*expr),
        _ => Err(syn::Error::new_spanned(&entry.key, format!("`verify` takes a signature scheme: `{EXAMPLE}`"))),
    }
}

fn unsigned(path: &LitStr) -> String {
    format!("anybody could deliver to {:?}: add the signature scheme of who does, such as `{EXAMPLE}`", path.value())
}

/// Gives the one that is written as `webhook = …` the scheme of the key `verify`.
pub(crate) fn join<'a>(webhooks: impl Iterator<Item = &'a mut Webhook>, verify: Option<Entry>, errors: &mut Errors) {
    let (mut open, key) =
        (webhooks.filter(|webhook| webhook.verify.is_none()), verify.as_ref().map(|entry| entry.key.clone()));
    let first = open.next();
    match (first, verify.map(expression)) {
        (Some(webhook), Some(verify)) => webhook.verify = errors.keep(verify),
        (Some(webhook), None) => errors.at(&webhook.key, unsigned(&webhook.path)),
        (None, Some(_)) => errors.at(key, "`verify` is for a webhook: add its path, `webhook = \"/webhooks/stripe\"`"),
        (None, None) => {}
    }
    for webhook in open {
        let path = webhook.path.value();
        let message = format!("each webhook has a signature scheme of its own: write `webhook({path:?}, verify = …)`");
        errors.at(&webhook.key, message);
    }
}
