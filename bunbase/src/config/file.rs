//! Reads `bunbase.toml` into settings that know their line.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{
    Problem, Source, Value,
    found::{APPLICATION, Found, is_key},
    table::SECTIONS,
};

/// A file that is being read.
struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    found: Vec<Found>,
    problems: Vec<Problem>,
}

/// Reads a file's bytes; `file` is its name for messages. What cannot be read becomes a problem, all of them at once.
pub(super) fn read(file: &str, bytes: &[u8]) -> (Vec<Found>, Vec<Problem>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = line_at(bytes, error.valid_up_to());
            let source = Source::File { file: file.to_owned(), line };
            return (Vec::new(), vec![Problem::new("", source, "is not UTF-8 text")]);
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, file, found: Vec::new(), problems: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let source = reader.source(error.span().map_or(0, |span| span.start));
        // Only the message: the text around it may be a password.
        let message = format!("is not valid TOML: {}", error.message().trim());
        reader.problems.push(Problem::new("", source, message));
    }
    // After a syntax error the rest is guesswork, and would be blamed for things that nobody wrote.
    if errors.is_empty() {
        reader.table(&mut Vec::new(), table.get_ref());
    }
    (reader.found, reader.problems)
}

impl Reader<'_> {
    fn source(&self, offset: usize) -> Source {
        let line = line_at(self.text.as_bytes(), offset);
        Source::File { file: self.file.to_owned(), line }
    }

    /// Walks down to the leaves; a table below a key that exists is that key's (wrong) value.
    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            path.push(key.get_ref().to_string());
            let source = self.source(key.span().start);
            let name = path.join(".");
            match value.get_ref() {
                DeValue::Table(inner) if !is_key(&name) && (!inner.is_empty() || is_section(&name)) => {
                    self.table(path, inner);
                }
                _ if is_section(&name) => {
                    let message = format!("is a section: write `[{name}]` and its keys below");
                    self.problems.push(Problem::new(name, source, message));
                }
                other => match to_value(other) {
                    Ok(value) => self.found.push(Found { path: path.clone(), value, source }),
                    Err(message) => self.problems.push(Problem::new(name, source, message)),
                },
            }
            path.pop();
        }
    }
}

/// Counts lines from 1.
fn line_at(bytes: &[u8], offset: usize) -> usize {
    bytes.get(..offset).unwrap_or(bytes).split(|byte| *byte == b'\n').count()
}

/// A section may be there and have no keys.
fn is_section(name: &str) -> bool {
    SECTIONS.contains(&name) || name == APPLICATION
}

fn to_value(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let number = i128::from_str_radix(number.as_str(), number.radix());
            Value::Integer(number.map_err(|_| "is a number that is too large".to_owned())?)
        }
        DeValue::Float(number) => {
            Value::Float(number.as_str().parse().map_err(|_| "is not a number that can be read".to_owned())?)
        }
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| to_value(item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), to_value(value.get_ref())?)))
                .collect::<Result<BTreeMap<_, _>, String>>()?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Vec<(String, usize)> {
        let (found, problems) = read("bunbase.toml", text.as_bytes());
        assert_eq!(problems, []);
        let line = |source: &Source| match source {
            Source::File { line, .. } => *line,
            _ => 0,
        };
        found.iter().map(|found| (found.path.join("."), line(&found.source))).collect()
    }

    #[test]
    fn every_setting_knows_its_line() {
        let text = "http.port = 1\n\n[database]\n# a comment\nurl = \"sqlite:a\"\n[application.mail]\nfrom = \"x\"\n";
        let expected = [("http.port", 1), ("database.url", 5), ("application.mail.from", 7)];
        assert_eq!(lines(text), expected.map(|(name, line)| (name.to_owned(), line)));
    }

    #[test]
    fn every_syntax_error_is_reported_with_its_line() {
        let (found, problems) = read("bunbase.toml", b"[http]\nport = = 1\nhost = 'a'\nworkers = \n");
        assert_eq!(found, []);
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(shown.len() >= 2, "{shown:?}");
        assert!(shown[0].starts_with("bunbase.toml:2: is not valid TOML: "), "{shown:?}");
        assert!(shown.iter().any(|line| line.starts_with("bunbase.toml:4: ")), "{shown:?}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_a_problem_of_their_line() {
        let (_, problems) = read("bunbase.toml", b"[http]\nhost = \"\xff\"\n");
        assert_eq!(problems[0].to_string(), "bunbase.toml:2: is not UTF-8 text");
    }

    #[test]
    fn a_value_for_a_section_is_told_to_be_a_section() {
        let (_, problems) = read("bunbase.toml", b"http = 3000\napplication = 1\n");
        assert_eq!(problems[0].to_string(), "bunbase.toml:1: `http` is a section: write `[http]` and its keys below");
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn empty_sections_and_a_byte_order_mark_are_nothing_wrong() {
        assert_eq!(lines("\u{feff}[http]\n[application]\n"), []);
    }

    #[test]
    fn an_empty_table_that_is_no_section_is_kept_to_be_refused() {
        assert_eq!(lines("[nonsense]\n[http.tls]\n"), [("nonsense".to_owned(), 1), ("http.tls".to_owned(), 2)]);
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let text = format!("a = {}", "[".repeat(20_000));
        assert!(!read("bunbase.toml", text.as_bytes()).1.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read("bunbase.toml", &bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in "([\\[\\]={}\"'.,#\n a-c0-9_-]|http|port|\\PC){0,60}") {
            let _ = read("bunbase.toml", text.as_bytes());
        }
    }
}
