//! Where a field comes from, for one door.

use super::Method;
use crate::schema::{Field, Source};

/// Where a request carries a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// A parameter of the path template.
    Path,
    /// A key of the query string.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// A field of the body: of a JSON object, or a part of a form.
    BodyField,
    /// The whole body.
    Body,
    /// A file of a form.
    File,
}

impl Placement {
    /// Resolves a field for a door: what its author said; else path where the action's own template names it; else query for
    /// a method without a body; else a field of the body.
    pub const fn of(field: &Field, method: Method, template: &str) -> Self {
        match field.source {
            Source::Path => Self::Path,
            Source::Header => Self::Header,
            Source::Cookie => Self::Cookie,
            Source::Body => Self::Body,
            Source::File => Self::File,
            Source::Unmarked if names(template, field.name) => Self::Path,
            Source::Unmarked if method.has_body() => Self::BodyField,
            Source::Query | Source::Unmarked => Self::Query,
        }
    }

    /// Returns whether the value is text.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Path | Self::Query | Self::Header | Self::Cookie)
    }
}

/// Returns whether a path template has a parameter: `{name}`, or `{*name}` for the rest of the path.
pub const fn names(template: &str, name: &str) -> bool {
    let (template, name) = (template.as_bytes(), name.as_bytes());
    let mut start = 0;
    while start < template.len() {
        if template[start] == b'{' {
            let mut from = start + 1;
            if from < template.len() && template[from] == b'*' {
                from += 1;
            }
            let mut length = 0;
            while from + length < template.len() && template[from + length] != b'}' {
                length += 1;
            }
            if length == name.len() {
                let mut index = 0;
                while index < length && template[from + index] == name[index] {
                    index += 1;
                }
                if index == length {
                    return true;
                }
            }
            start = from + length;
        }
        start += 1;
    }
    false
}

/// Returns the names of a template's parameters, in order.
pub fn parameters(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('*'))
}

/// Returns the name of a field's parameter: the author's, or the default of its place.
pub fn parameter_name(field: &Field, placement: Placement) -> String {
    match (field.param, placement) {
        (Some(name), _) => name.to_owned(),
        (None, Placement::Header) => train_case(field.name),
        (None, Placement::Path) => field.name.to_owned(),
        (None, _) => field.key.to_owned(),
    }
}

/// Writes `request_source` as `Request-Source`.
fn train_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut upper = true;
    for c in name.trim_matches('_').chars() {
        if c == '_' {
            text.push('-');
            upper = true;
        } else if upper {
            text.extend(c.to_uppercase());
            upper = false;
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_its_parameters_whole() {
        assert!(names("/projects/{project_id}/tasks/{id}", "id"));
        assert!(names("/files/{*rest}", "rest"));
        assert!(!names("/projects/{project_id}", "id"));
        assert!(!names("/projects/{project_id", "project"));
        assert_eq!(parameters("/a/{b}/{*c}").collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_header_has_its_fields_name_in_train_case() {
        assert_eq!(train_case("x_request_source"), "X-Request-Source");
    }
}
