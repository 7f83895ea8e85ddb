//! Path templates: `/projects/{project_id}/files/{*rest}`.

use std::fmt::Display;

/// The form of one path parameter's name, in messages.
const EXAMPLE: &str = "such as `/tasks/{task_id}`";

/// Checks a template and returns the names of its parameters, in order; else every mistake, each with its position.
pub(crate) fn parse(template: &str) -> Result<Vec<String>, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let Some(rest) = template.strip_prefix('/') else {
        let right = format!("/{template}");
        return Err(vec![format!("the path {template:?} must start with a slash: write {right:?}")]);
    };
    let mut at = 1;
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment.is_empty() && !last {
            mistakes.push(wrong(template, at, "two slashes in a row; leave one out"));
        }
        if let Some(name) = parameter(template, at, segment, last, &mut mistakes) {
            if names.contains(&name) {
                mistakes.push(wrong(
                    template,
                    at,
                    format!("`{{{name}}}` a second time; every parameter needs a name of its own"),
                ));
            } else {
                names.push(name);
            }
        }
        at += segment.chars().count() + 1;
    }
    if mistakes.is_empty() { Ok(names) } else { Err(mistakes) }
}

/// Checks one segment and returns the name of its parameter, if it is one.
fn parameter(template: &str, at: usize, segment: &str, last: bool, mistakes: &mut Vec<String>) -> Option<String> {
    let Some(open) = segment.find(['{', '}']) else {
        literal(template, at, segment, mistakes);
        return None;
    };
    let position = at + segment[..open].chars().count();
    let inner = segment[open..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let Some((inner, rest)) = inner else {
        let missing = if segment[open..].starts_with('{') { "a `{` without its `}`" } else { "a `}` without its `{`" };
        mistakes.push(wrong(template, position, format!("{missing}; a parameter is written {EXAMPLE}")));
        return None;
    };
    if open > 0 || !rest.is_empty() {
        let what = format!(
            "a parameter that is only a part of the segment `{segment}`; a parameter is a whole segment, {EXAMPLE}"
        );
        mistakes.push(wrong(template, position, what));
        return None;
    }
    let name = inner.strip_prefix('*').unwrap_or(inner);
    if name.is_empty() {
        mistakes.push(wrong(template, position, format!("a parameter without a name; name it, {EXAMPLE}")));
        return None;
    }
    if syn::parse_str::<syn::Ident>(name).is_err() || name.contains(char::is_whitespace) {
        let what =
            format!("the name `{name}`, which no Rust parameter can have; write letters, digits and `_`, {EXAMPLE}");
        mistakes.push(wrong(template, position, what));
        return None;
    }
    if inner.starts_with('*') && !last {
        let what = format!("`{{*{name}}}` before the end; the rest of a path can only come last");
        mistakes.push(wrong(template, position, what));
    }
    Some(name.to_owned())
}

fn literal(template: &str, at: usize, segment: &str, mistakes: &mut Vec<String>) {
    for (index, c) in segment.chars().enumerate() {
        let advice = match c {
            '?' => "a query; its keys are parameters of the function, marked `#[query]`",
            '#' => "a fragment; browsers never send it",
            ':' | '*' if index == 0 => {
                "a parameter in another framework's form; write `{name}`, or `{*rest}` for the rest of the path"
            }
            c if c.is_whitespace() => "a space; a path has none (in a URL it is `%20`)",
            c if !c.is_ascii_graphic() => "a character that a URL can only carry percent-encoded",
            '"' | '<' | '>' | '\\' | '^' | '`' | '|' => "a character that a URL can only carry percent-encoded",
            _ => continue,
        };
        mistakes.push(wrong(template, at + index, advice));
        return;
    }
}

/// Quotes the template and counts characters from 1: spans inside a literal are not stable.
fn wrong(template: &str, index: usize, what: impl Display) -> String {
    format!("the path {template:?} has, at character {}, {what}", index + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_template_names_its_parameters_in_order() {
        assert_eq!(parse("/"), Ok(vec![]));
        assert_eq!(parse("/a/{b}/c/{*d}"), Ok(vec!["b".to_owned(), "d".to_owned()]));
    }

    #[test]
    fn every_mistake_has_its_position() {
        insta::assert_snapshot!(parse("/a b//{c/{*d}/{d}?x").unwrap_err().join("\n"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn what_was_joined_parses_back(names in proptest::collection::btree_set("[a-z]{1,2}_[a-z0-9]{0,5}", 0..5)) {
            let template: String = names.iter().map(|name| format!("/x/{{{name}}}")).chain(["/".to_owned()]).collect();
            prop_assert_eq!(parse(&template), Ok(names.into_iter().collect()));
        }
    }
}
