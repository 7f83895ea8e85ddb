//! Message texts: `"project {0} has {count:?} tasks"`, as `format!` reads them.

/// One placeholder of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// The field's name or index.
    pub(super) field: String,
}

/// Reads a message: its text with each placeholder `{field:spec}` as `{__field:spec}`, and the fields in order.
pub(super) fn parse(text: &str) -> Result<(String, Vec<Placeholder>), String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut fields: Vec<Placeholder> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                out.push(c);
                out.push(c);
            }
            '}' => return Err("a `}` without its `{`: write `}}` for the character itself".to_owned()),
            '{' => {
                let mut inside = String::new();
                loop {
                    match chars.next() {
                        None => return Err("a `{` without its `}`: write `{{` for the character itself".to_owned()),
                        Some('}') => break,
                        Some(c) => inside.push(c),
                    }
                }
                let (field, spec) = inside.split_once(':').map_or((inside.as_str(), ""), |(field, spec)| (field, spec));
                let field = field.trim();
                if field.is_empty() {
                    return Err("`{}` names no field: write `{0}` for the first one, or `{name}`".to_owned());
                }
                if field.contains(|c: char| !c.is_alphanumeric() && c != '_') {
                    return Err(format!(
                        "`{{{field}}}` is not the name of a field: a message shows fields, not expressions"
                    ));
                }
                if spec.contains('$') || spec.contains(".*") || spec.contains('{') {
                    return Err(format!("`{{{inside}}}` takes a width from another field: write a number"));
                }
                out.push_str("{__");
                out.push_str(field);
                if !spec.is_empty() {
                    out.push(':');
                    out.push_str(spec);
                }
                out.push('}');
                if !fields.iter().any(|known| known.field == field) {
                    fields.push(Placeholder { field: field.to_owned() });
                }
            }
            c => out.push(c),
        }
    }
    Ok((out, fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        parse(text).unwrap().1.into_iter().map(|placeholder| placeholder.field).collect()
    }

    #[test]
    fn a_message_names_its_fields_once() {
        assert_eq!(names("project {0} does not exist, not even {0:?} in {place}"), ["0", "place"]);
        assert_eq!(parse("{0:>5} of {{all}}").unwrap().0, "{__0:>5} of {{all}}");
    }

    #[test]
    fn a_message_without_fields_is_itself() {
        assert_eq!(parse("gone").unwrap(), ("gone".to_owned(), Vec::new()));
    }

    #[test]
    fn wrong_messages_are_refused() {
        for wrong in ["{}", "{:?}", "{a.b}", "}", "{", "{0:>width$}", "{0:.*}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
