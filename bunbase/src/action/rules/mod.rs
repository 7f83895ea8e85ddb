//! The rules between the input, the output, the guards and the doors of an action, checked by the compiler.
//!
//! `#[action]` sees parameters but not the fields of a struct, and names but not types; it emits constants that run these functions
//! over what the types say about themselves. For parameters the macro has the same rules itself, and underlines them.

mod doors;
mod report;

pub use self::doors::{
    cached, carried, delivered, job, needs_caller, replayed, scheduled, unattended, unattended_parameter,
};
use self::report::Report;
use super::{Method, Output, placement::Placement};
use crate::schema::{Field, FromText, Source};

/// Holds where a value of type `T` can be read from text.
pub const fn from_text<T: FromText>() {}

/// Holds where an output has a content type to choose.
///
/// # Panics
/// Where its content type is always JSON: at compile time.
#[track_caller]
pub const fn raw<T: Output>() {
    assert!(
        T::RAW,
        "`content_type` is for `Bytes`, `Text`, `Html` and `ByteStream`; this output is always JSON: leave it out"
    );
}

/// Holds where the fields of an input fit a door.
///
/// # Panics
/// With every mistake, each naming the field and the action: at compile time.
#[track_caller]
pub const fn check(fields: &[Field], method: Method, template: &str, action: &str) {
    let mut report = Report::NOTHING;
    let mut index = 0;
    while index < fields.len() {
        report = field(report, fields, index, method, template, action);
        index += 1;
    }
    report = parameters(report, fields, template, action);
    report.tell();
}

/// Checks one field: its type, its place, and the fields before it.
const fn field(
    mut report: Report,
    fields: &[Field],
    index: usize,
    method: Method,
    template: &str,
    action: &str,
) -> Report {
    let field = &fields[index];
    let place = Placement::of(field, method, template);
    if place.is_text() && field.text.is_none() {
        let advice = match place {
            Placement::Query if !matches!(field.source, Source::Query) => {
                " (there is no body), so its type needs a form as text"
            }
            _ => ", so its type needs a form as text",
        };
        report = report.line(&["`", field.name, "` of `", action, "` comes from the ", words(place), advice]);
        report =
            report.add(": a number, `bool`, `String`, a date, an enum of plain names, or `Option` or `Vec` of one");
    }
    if matches!(place, Placement::Body | Placement::File) && !method.has_body() {
        let parts = [
            "`",
            field.name,
            "` of `",
            action,
            "` is the ",
            words(place),
            ", and ",
            method.as_str(),
            " carries none: ",
        ];
        report = report.line(&parts).add("mark it `#[query]`, or use POST, PUT or PATCH");
    }
    let mut other = 0;
    while other < index {
        let first = &fields[other];
        let taken = Placement::of(first, method, template);
        if matches!((taken, place), (Placement::Body, Placement::Body)) {
            report =
                report.line(&["`", first.name, "` and `", field.name, "` of `", action, "` are both the whole body: "]);
            report = report.add("leave out `#[body]` on both");
        } else if in_body(taken)
            && in_body(place)
            && (matches!(taken, Placement::Body) || matches!(place, Placement::Body))
        {
            let (whole, part) =
                if matches!(taken, Placement::Body) { (first.name, field.name) } else { (field.name, first.name) };
            report = report.line(&[
                "`",
                whole,
                "` of `",
                action,
                "` is the whole body, so `",
                part,
                "` needs another place: ",
            ]);
            report = report.add("mark it `#[query]`, or leave out the `#[body]`");
        } else if same(taken, place) && same_name(first, field, place) {
            report =
                report.line(&["`", first.name, "` and `", field.name, "` of `", action, "` have one name in the "]);
            report = report.add(words(place)).add(": give one of them another");
        }
        other += 1;
    }
    report
}

/// Checks that every parameter of the template has a field.
const fn parameters(mut report: Report, fields: &[Field], template: &str, action: &str) -> Report {
    let mut rest = template;
    while let Some((name, after)) = next_parameter(rest) {
        rest = after;
        let mut found = false;
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            found |= match (field.source, field.param) {
                (Source::Path, Some(param)) => equal(param, name),
                (Source::Path | Source::Unmarked, _) => equal(field.name, name),
                _ => false,
            };
            index += 1;
        }
        if !found {
            report = report.line(&[
                "`{",
                name,
                "}` in `",
                template,
                "` has no field in the input of `",
                action,
                "`: add `pub ",
                name,
            ]);
            report = report.add(": String` to it, or the type that it has");
        }
    }
    report
}

/// Returns the name of the first parameter of a template and what comes after it.
const fn next_parameter(template: &str) -> Option<(&str, &str)> {
    let bytes = template.as_bytes();
    let mut open = 0;
    while open < bytes.len() && bytes[open] != b'{' {
        open += 1;
    }
    let mut start = open + 1;
    if start < bytes.len() && bytes[start] == b'*' {
        start += 1;
    }
    let mut end = start;
    while end < bytes.len() && bytes[end] != b'}' {
        end += 1;
    }
    if end >= bytes.len() {
        return None;
    }
    let (name, rest) = template.split_at(end);
    Some((name.split_at(start).1, rest))
}

const fn in_body(place: Placement) -> bool {
    matches!(place, Placement::Body | Placement::BodyField | Placement::File)
}

const fn same(first: Placement, second: Placement) -> bool {
    first as u8 == second as u8
}

/// Returns whether two fields of one place have one name there.
const fn same_name(first: &Field, second: &Field, place: Placement) -> bool {
    match place {
        Placement::Header => same_header(header(first), header(second)),
        Placement::Path => equal(or(first.param, first.name), or(second.param, second.name)),
        _ => equal(or(first.param, first.key), or(second.param, second.key)),
    }
}

const fn or(given: Option<&'static str>, own: &'static str) -> &'static str {
    match given {
        Some(given) => given,
        None => own,
    }
}

const fn header(field: &Field) -> &'static str {
    or(field.param, field.name)
}

/// Returns whether two names are one header: the case says nothing, and an underscore of a field's name is a dash.
const fn same_header(first: &str, second: &str) -> bool {
    let (first, second) = (first.as_bytes(), second.as_bytes());
    if first.len() != second.len() {
        return false;
    }
    let mut index = 0;
    while index < first.len() {
        if dash(first[index].to_ascii_lowercase()) != dash(second[index].to_ascii_lowercase()) {
            return false;
        }
        index += 1;
    }
    true
}

const fn dash(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte }
}

const fn equal(first: &str, second: &str) -> bool {
    let (first, second) = (first.as_bytes(), second.as_bytes());
    if first.len() != second.len() {
        return false;
    }
    let mut index = 0;
    while index < first.len() {
        if first[index] != second[index] {
            return false;
        }
        index += 1;
    }
    true
}

const fn words(place: Placement) -> &'static str {
    match place {
        Placement::Path => "path",
        Placement::Query => "query",
        Placement::Header => "headers",
        Placement::Cookie => "cookies",
        Placement::BodyField | Placement::Body | Placement::File => "body",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fields: &[Field], method: Method, template: &str) -> String {
        let result = std::panic::catch_unwind(|| check(fields, method, template, "list"));
        match result {
            Ok(()) => String::new(),
            Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        }
    }

    fn field(name: &'static str, source: Source) -> Field {
        use crate::schema::Probe;
        Field { source, ..Field::new::<String>(name, Probe::<String>::TEXT) }
    }

    #[test]
    fn fields_that_fit_are_no_mistake() {
        let fields = [field("id", Source::Unmarked), field("etag", Source::Header), field("title", Source::Unmarked)];
        assert_eq!(report(&fields, Method::Post, "/a/{id}"), "");
        assert_eq!(report(&fields, Method::Get, "/a/{id}"), "");
    }

    #[test]
    fn every_mistake_is_told_in_one_go() {
        let fields = [
            field("x_id", Source::Header),
            Field { param: Some("X-ID"), ..field("other", Source::Header) },
            field("all", Source::Body),
            Field { text: None, ..field("filter", Source::Unmarked) },
        ];
        insta::assert_snapshot!(report(&fields, Method::Get, "/a/{id}/{*rest}"));
        insta::assert_snapshot!(report(&fields, Method::Post, "/a"));
    }
}
