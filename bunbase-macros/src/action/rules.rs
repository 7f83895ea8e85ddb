//! The rules of an action that are about one key, or about keys and fields together.

use proc_macro2::Ident;
use syn::{LitStr, Type, ext::IdentExt};

use super::{
    attr::{Door, Method},
    codegen, input,
    param::{self, Absent, Field, Source},
    signature, template,
    trigger::Trigger,
};
use crate::errors::Errors;

/// Checks the templates, and that no route is there twice. A webhook is a route of POST.
pub(super) fn doors(doors: Vec<Door>, triggers: &[Trigger], errors: &mut Errors) -> Vec<input::Door> {
    let mut routes: Vec<input::Door> = Vec::new();
    for Door { method, path } in doors {
        match template::parse(&path.value()) {
            Err(mistakes) => mistakes.iter().for_each(|mistake| errors.at(&path, mistake)),
            Ok(names) => routes.push(input::Door { method, path, names, is_http: true }),
        }
    }
    routes.extend(triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Webhook(webhook) => {
            let (path, names) = (webhook.path.clone(), webhook.names.clone());
            Some(input::Door { method: Method::Post, path, names, is_http: false })
        }
        _ => None,
    }));
    let mut checked: Vec<input::Door> = Vec::new();
    for route in routes {
        let (method, path) = (route.method, route.path.value());
        if checked.iter().any(|other| other.method == method && other.path.value() == path) {
            errors
                .at(&route.path, format!("{} {path} is a door of this action already; leave one out", method.as_str()));
        } else {
            checked.push(route);
        }
    }
    checked
}

/// Checks that no event and no schedule is there twice.
pub(super) fn twice(triggers: &[Trigger], errors: &mut Errors) {
    for (index, trigger) in triggers.iter().enumerate() {
        let what = match trigger {
            Trigger::Event(event) => format!("the event `{}`", event.named.written()),
            Trigger::Schedule(schedule) => format!("the schedule `{}`", schedule.rule),
            Trigger::Webhook(_) | Trigger::Tool(_) => continue,
        };
        if triggers[..index].iter().any(|other| other.is_same(trigger)) {
            errors.at(trigger.key(), format!("{what} is a door of this action already; leave one out"));
        }
    }
}

/// Checks the fields against doors that bring no request: a schedule has no input at all, and none of them has files.
pub(super) fn fields(fields: &[Field], triggers: &[Trigger], action: &Ident, errors: &mut Errors) {
    let action = action.unraw();
    if let Some(trigger) = triggers.first() {
        let key = trigger.key();
        for field in fields.iter().filter(|field| field.source == Source::File) {
            errors.at(
                &field.mark,
                format!(
                    "a file comes with a request only, and `{key}` is a door of `{action}`: leave `{key}` out, or take the \
                     content as `{}: Base64`",
                    field.ident
                ),
            );
        }
    }
    let Some(schedule) = triggers.iter().find(|trigger| matches!(trigger, Trigger::Schedule(_))) else { return };
    for field in fields.iter().filter(|field| matches!(field.absent, Absent::Required) && field.source != Source::File)
    {
        let (key, ident, ty) = (schedule.key(), field.ident.unraw(), codegen::written(&field.ty));
        errors.at(
            &field.ident,
            format!(
                "`{key}` runs `{action}` without input, so `{ident}` needs a value of its own: write `{ident}: Option<{ty}>`, or \
                 give it a `#[default(…)]`"
            ),
        );
    }
}

/// Checks the name of a queue.
pub(super) fn queue(text: &LitStr, errors: &mut Errors) {
    let value = text.value();
    if value.is_empty() || !value.chars().all(plain) {
        errors.at(
            text,
            format!("{value:?} cannot be the name of a queue: write letters, digits, `_` and `-`, such as `\"mail\"`"),
        );
    }
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Checks a status against its range and the output, as far as its name tells.
pub(super) fn status(literal: &syn::LitInt, result: Option<&Type>) -> syn::Result<u16> {
    let wrong = |message: String| Err(syn::Error::new_spanned(literal, message));
    let status: u16 = literal.base10_parse()?;
    if !(200..=399).contains(&status) {
        return wrong(format!(
            "{status} is not the status of a success: write one from 200 to 399; other statuses are variants of the error \
             (`#[derive(ActionError)]`)"
        ));
    }
    let Some(output) = result.and_then(signature::ok_type) else { return Ok(status) };
    let name = param::last_segment(output).map(|segment| segment.ident.to_string());
    let empty = matches!(output, Type::Tuple(tuple) if tuple.elems.is_empty()) || name.as_deref() == Some("NoContent");
    let redirect = name.as_deref() == Some("Redirect");
    match status {
        204 | 205 | 304 if !empty && !redirect => {
            wrong(format!("an answer with status {status} has no body: return `Result<()>`, or leave `status` out"))
        }
        200 if empty => wrong("an answer without a body is 204: leave `status` out, or return something".to_owned()),
        _ if redirect && !(300..=399).contains(&status) => {
            wrong(format!("a `Redirect` needs a status from 300 to 399, not {status}: 303, 307 or 308"))
        }
        _ if name.as_deref() == Some("Created") && status != 201 => {
            wrong(format!("`Created` answers 201, not {status}: leave `status` out, or return the body itself"))
        }
        _ => Ok(status),
    }
}

/// Checks how a content type is written.
pub(super) fn content_type(text: &LitStr, errors: &mut Errors) {
    let value = text.value();
    let token =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c));
    let kind = value.split(';').next().unwrap_or_default().trim_end();
    let visible = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if !kind.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub)) || !visible {
        errors.at(text, format!("{value:?} is not a content type: write a type and a subtype, such as `\"text/csv\"`"));
    }
}

/// Checks the name of an action: one part, since its modules' names come before it.
pub(super) fn name(text: &LitStr, errors: &mut Errors) {
    let value = text.value();
    if value.is_empty() || !value.chars().all(plain) {
        let advice = "write letters, digits, `_` and `-`; the names of its modules are put before it";
        errors.at(text, format!("{value:?} cannot be the name of an action: {advice}"));
    }
}
