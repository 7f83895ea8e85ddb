//! The rules between the fields of an input and the doors that bring them.
//!
//! For inputs that are structs of their own, `bunbase::action::rules` has the same rules over the struct's field table.

use quote::ToTokens;
use syn::{LitStr, ext::IdentExt, parse_quote};

use super::{
    attr::Method,
    param::{self, Field, Source},
};
use crate::errors::Errors;

/// A door whose template is right.
pub(crate) struct Door {
    pub(crate) method: Method,
    pub(crate) path: LitStr,
    pub(crate) names: Vec<String>,
    /// Whether it is a route for callers; else it is a webhook, whose requests have the same places for fields.
    pub(crate) is_http: bool,
}

/// Where a request carries a field. The same as `bunbase::action::placement::Placement`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Path,
    Query,
    Header,
    Cookie,
    BodyField,
    Body,
    File,
}

impl Place {
    fn of(field: &Field, door: &Door) -> Self {
        match field.source {
            Source::Path => Self::Path,
            Source::Header => Self::Header,
            Source::Cookie => Self::Cookie,
            Source::Body => Self::Body,
            Source::File => Self::File,
            Source::Unmarked if door.names.iter().any(|name| field.ident.unraw() == name) => Self::Path,
            Source::Unmarked if door.method.has_body() => Self::BodyField,
            Source::Unmarked | Source::Query => Self::Query,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Path => "path parameter",
            Self::Query => "query key",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::BodyField => "body field",
            Self::Body => "body",
            Self::File => "file",
        }
    }
}

/// Returns whether a field comes from text through some door.
pub(crate) fn is_text(field: &Field, doors: &[Door]) -> bool {
    let text = |place| matches!(place, Place::Path | Place::Query | Place::Header | Place::Cookie);
    match field.source {
        Source::Unmarked => doors.iter().any(|door| text(Place::of(field, door))),
        Source::Path | Source::Query | Source::Header | Source::Cookie => true,
        Source::Body | Source::File => false,
    }
}

/// Checks all fields against all doors. Marks that were reported are not handed on, because `#[schema]` has some of the same
/// rules for structs and would report them again.
pub(crate) fn check(fields: &mut [Field], doors: &[Door], errors: &mut Errors) {
    let bodies_fit = bodies(fields, doors, errors);
    for door in doors {
        parameters(fields, door, errors);
    }
    let clashing = clashes(fields, doors, errors);
    for index in clashing {
        fields[index].unmark();
    }
    if bodies_fit {
        settle(fields, doors);
    } else {
        let in_body = |field: &&mut Field| matches!(field.source, Source::Body | Source::File);
        fields.iter_mut().filter(in_body).for_each(Field::unmark);
    }
}

/// Beside a `#[body]` the struct's other fields need a mark, since a struct knows no template. The doors know.
fn settle(fields: &mut [Field], doors: &[Door]) {
    if !fields.iter().any(|field| field.source == Source::Body) {
        return;
    }
    for field in fields.iter_mut().filter(|field| field.source == Source::Unmarked) {
        let everywhere = |place| !doors.is_empty() && doors.iter().all(|door| Place::of(field, door) == place);
        if everywhere(Place::Path) {
            field.attrs.push(parse_quote!(#[path]));
        } else if everywhere(Place::Query) {
            field.attrs.push(parse_quote!(#[query]));
        }
    }
}

/// At most one `#[body]`, alone in a body, and only where there is one. Returns whether all is well.
fn bodies(fields: &[Field], doors: &[Door], errors: &mut Errors) -> bool {
    let mut body: Option<&Field> = None;
    let mut right = true;
    for field in fields.iter().filter(|field| matches!(field.source, Source::Body | Source::File)) {
        let kind = if field.source == Source::Body { "body" } else { "file" };
        let mark = &field.mark;
        if let Some(door) = doors.iter().find(|door| !door.method.has_body()) {
            let advice = if kind == "body" { "mark it `#[query]`" } else { "take files with POST or PUT" };
            let method = door.method.as_str();
            right = false;
            errors.at(
                mark,
                format!("{method} {} carries no body, so there is no `#[{kind}]`: {advice}", door.path.value()),
            );
        }
        if field.source != Source::Body {
            continue;
        }
        if let Some(first) = body {
            let first = first.ident.unraw();
            right = false;
            errors.at(
                mark,
                format!(
                    "`{first}` is the whole body already: leave `#[body]` out on both, and they become fields of one body"
                ),
            );
        }
        body = body.or(Some(field));
    }
    let Some(body) = body else { return right };
    let name = body.ident.unraw();
    for field in fields {
        let in_body = doors.iter().any(|door| matches!(Place::of(field, door), Place::BodyField));
        if field.source == Source::File {
            right = false;
            errors.at(
                &field.mark,
                format!("`{name}` is the whole body, so there is no form with files in it: leave out its `#[body]`"),
            );
        } else if in_body {
            right = false;
            let advice = format!(
                "`{name}` is the whole body, so `{0}` needs a place: mark it `#[query]`, or leave out `#[body]` on `{name}`",
                field.ident
            );
            errors.at(&field.ident, advice);
        }
    }
    right
}

/// Every parameter of a template needs a field.
fn parameters(fields: &[Field], door: &Door, errors: &mut Errors) {
    let given: Vec<String> = fields
        .iter()
        .filter(|field| Place::of(field, door) == Place::Path)
        .map(|field| name_of(field, Place::Path))
        .collect();
    for name in door.names.iter().filter(|name| !given.contains(name)) {
        let path = door.path.value();
        let elsewhere = fields.iter().find(|field| field.ident.unraw() == name.as_str());
        let advice = match elsewhere {
            Some(field) => {
                let mark = field
                    .mark
                    .as_ref()
                    .map(|mark| mark.to_token_stream().to_string().replace(' ', ""))
                    .unwrap_or_default();
                format!("the parameter `{name}` is marked `{mark}`: leave the mark out, or rename one of the two")
            }
            None => {
                format!("no parameter of the function has this name: add `{name}: String`, or the type that it has")
            }
        };
        errors.at(&door.path, format!("`{{{name}}}` in {path:?} goes nowhere: {advice}"));
    }
}

/// No two fields may have one name in one place. Returns those that do.
fn clashes(fields: &[Field], doors: &[Door], errors: &mut Errors) -> Vec<usize> {
    let mut clashing = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let same = |other: &&Field| {
            // Without a door the marks alone say where a field is.
            let places = doors.iter().map(|door| (Place::of(field, door), Place::of(other, door)));
            let mut places =
                places.chain((field.source == other.source && field.source != Source::Unmarked).then(|| marked(field)));
            places.any(|(mine, others)| {
                mine == others && mine != Place::Body && name_of(field, mine) == name_of(other, others)
            })
        };
        if let Some(first) = fields[..index].iter().find(same) {
            clashing.push(index);
            let place = doors.first().map_or_else(|| marked(field).0, |door| Place::of(field, door));
            let (name, words) = (name_of(field, place), place.words());
            let underline =
                field.param.as_ref().map_or_else(|| field.ident.to_token_stream(), ToTokens::to_token_stream);
            errors.at(
                underline,
                format!(
                    "`{}` takes the {words} `{name}` already: give one of the two another name",
                    first.ident.unraw()
                ),
            );
        }
    }
    clashing
}

fn marked(field: &Field) -> (Place, Place) {
    let place = match field.source {
        Source::Path => Place::Path,
        Source::Query | Source::Unmarked => Place::Query,
        Source::Header => Place::Header,
        Source::Cookie => Place::Cookie,
        Source::Body => Place::Body,
        Source::File => Place::File,
    };
    (place, place)
}

/// Returns the name of a field in a place; headers in lower case, since their case says nothing.
fn name_of(field: &Field, place: Place) -> String {
    let own = field.ident.unraw().to_string();
    match (&field.param, place) {
        (Some(name), Place::Header) => name.value().to_ascii_lowercase(),
        (Some(name), _) => name.value(),
        (None, Place::Header) => param::train_case(&own).to_ascii_lowercase(),
        (None, _) => own,
    }
}
