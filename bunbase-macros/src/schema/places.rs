//! Where the fields of a struct go: at most one field for each place.

use quote::ToTokens;

use super::{
    attr::Place,
    model::Field,
    values::{header_name, is_token},
};
use crate::errors::Errors;

/// Checks the marks of a struct's fields against each other.
pub(super) fn check(fields: &mut [Field], errors: &mut Errors) {
    for field in fields.iter() {
        header_syntax(field, errors);
    }
    one_field_a_parameter(fields, errors);
    one_body(fields, errors);
}

fn header_syntax(field: &Field, errors: &mut Errors) {
    let Some(mark) = &field.mark else { return };
    let Place::Header = mark.place else { return };
    let name = parameter(field);
    let at = mark.name.as_ref().map_or_else(|| mark.attr.to_token_stream(), ToTokens::to_token_stream);
    if !is_token(&name) {
        let name = mark.name.as_ref().map_or(name, syn::LitStr::value);
        errors.at(
            at,
            format!(
                "`{name}` is not the name of a header: write letters, digits and `-`, such as \"X-Request-Source\""
            ),
        );
    } else if name == "set-cookie" || name == "cookie" {
        errors.at(at, "cookies have a place of their own: write `#[cookie(\"name\")]`");
    }
}

/// Returns the name of a field's parameter; headers in lower case, because theirs have no case.
pub(super) fn parameter(field: &Field) -> String {
    let Some(mark) = &field.mark else { return field.key.clone() };
    match (&mark.place, &mark.name) {
        (Place::Header, Some(name)) => name.value().to_ascii_lowercase(),
        (Place::Header, None) => header_name(&field.name),
        (_, Some(name)) => name.value(),
        (Place::Path, None) => field.name.clone(),
        (_, None) => field.key.clone(),
    }
}

fn one_field_a_parameter(fields: &[Field], errors: &mut Errors) {
    let mut taken: Vec<(&'static str, String, &str)> = Vec::new();
    for field in fields {
        let Some(mark) = &field.mark else { continue };
        let what = match mark.place {
            Place::Path => "path parameter",
            Place::Query => "query key",
            Place::Header => "header",
            Place::Cookie(_) => "cookie",
            Place::Body | Place::File(_) => continue,
        };
        let name = parameter(field);
        if name.is_empty() {
            errors.at(&mark.attr, format!("a {what} has a name: write it, or leave it out for the field's own"));
        }
        match taken.iter().find(|(place, other, _)| *place == what && *other == name) {
            Some((_, _, first)) => {
                errors.at(
                    &mark.attr,
                    format!(
                        "the {what} `{name}` is that of the field `{first}` already: give one of them another name"
                    ),
                );
            }
            None => taken.push((what, name, &field.name)),
        }
    }
}

fn one_body(fields: &mut [Field], errors: &mut Errors) {
    let is_body = |field: &Field| field.mark.as_ref().is_some_and(|mark| matches!(mark.place, Place::Body));
    let Some(first) = fields.iter().position(is_body) else { return };
    let name = fields[first].name.clone();
    for field in fields.iter().skip(first + 1).filter(|field| is_body(field)) {
        errors.at(
            field.mark.as_ref().map(|mark| &mark.attr),
            format!(
                "the field `{name}` is the whole body already: remove `#[body]` from both to make them fields of one"
            ),
        );
    }
    for field in fields.iter().filter(|field| !field.skip) {
        match &field.mark {
            None => errors.at(
                &field.at,
                format!(
                    "the field `{name}` is the whole body, so this one has no place: mark it `#[path]`, `#[query]`, `#[header]` or \
                     `#[cookie]`, or remove `#[body]`"
                ),
            ),
            Some(mark) if matches!(mark.place, Place::File(_)) => errors.at(
                &mark.attr,
                format!("the field `{name}` is the whole body, so there is no form for a file: remove `#[body]` or `#[file]`"),
            ),
            Some(_) => {}
        }
    }
}
