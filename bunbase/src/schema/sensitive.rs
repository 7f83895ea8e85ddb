//! Where the `#[sensitive]` values of a message are, through everything that it holds.

use serde_json::Value;

use super::{Checker, Field, Generator, record};

/// Returns whether a field, or one inside its type, is sensitive.
pub(crate) fn any(fields: &[Field]) -> bool {
    let mut generator = Generator::default();
    let schema = record::schema(fields, "", &mut generator);
    let all = generator.into_definitions().into_values().chain([schema]);
    // The document says it of each of them; a schema that is made of maps and strings can always be written.
    all.into_iter().any(|schema| serde_json::to_value(schema).as_ref().is_ok_and(is_marked))
}

fn is_marked(schema: &Value) -> bool {
    match schema {
        Value::Object(entries) => {
            entries.get("writeOnly") == Some(&Value::Bool(true)) || entries.values().any(is_marked)
        }
        Value::Array(items) => items.iter().any(is_marked),
        _ => false,
    }
}

/// Returns the places of the sensitive values in a message's JSON, as pointers; one may be inside another.
///
/// A field of the message stands under its Rust name or under its key.
pub(crate) fn places(fields: &[Field], message: &Value) -> Vec<String> {
    let mut checker = Checker::finding_sensitive();
    for (key, value) in message.as_object().into_iter().flatten() {
        for field in fields.iter().filter(|field| field.name == key || field.key == key) {
            checker.at_key(key, |checker| field.check(value, checker));
        }
    }
    checker.into_sensitive()
}
