//! What records never hold: values of `#[sensitive]` fields, cookies, credentials.

use std::collections::BTreeMap;

use schemars::schema::{Schema as Node, SchemaObject};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    observe::redact::{LEFT_OUT, is_secret, is_secret_header},
    schema::{self, Field, Source},
};

/// The longest input or output that is recorded, in bytes of its JSON.
const LONGEST: usize = 64 << 10;

/// Which values of one action's input and answer are left out of its records. Made once, at start-up.
#[derive(Clone, Debug)]
pub struct Redaction {
    fields: &'static [Field],
    /// Fields that are cookies, or headers with credentials.
    credentials: Vec<&'static str>,
    /// The answer's schema and its components, where something in it is sensitive.
    output: Option<(Value, Value)>,
}

impl Redaction {
    /// Looks through the fields of a message, and the schema of an answer with its components.
    pub fn of(fields: &'static [Field], output: Option<&Node>, components: &BTreeMap<String, SchemaObject>) -> Self {
        let is_credential = |field: &&Field| match field.source {
            Source::Cookie => true,
            Source::Header => is_secret_header(field.param.unwrap_or(field.name)),
            _ => false,
        };
        let output = output.map(|schema| (json!(schema), json!(components)));
        Self {
            fields,
            credentials: fields.iter().filter(is_credential).map(|field| field.key).collect(),
            output: output.filter(|(schema, components)| [schema, components].into_iter().any(has_sensitive)),
        }
    }

    /// Returns an input as it is recorded; none for one that has no JSON, such as one with a file.
    pub fn input(&self, message: &impl Serialize) -> Option<String> {
        let mut value = serde_json::to_value(message).ok()?;
        for place in schema::sensitive::places(self.fields, &value) {
            leave_out(&mut value, &place);
        }
        for key in &self.credentials {
            if let Some(value) = value.get_mut(*key).filter(|value| !value.is_null()) {
                *value = LEFT_OUT.into();
            }
        }
        Some(written(value))
    }

    /// Returns an answer as it is recorded, from its JSON.
    pub fn output(&self, json: &[u8]) -> Option<String> {
        let mut value = serde_json::from_slice(json).ok()?;
        if let Some((schema, components)) = &self.output {
            let mut places = Vec::new();
            find(schema, components, &value, &mut String::new(), &mut places, 0);
            for place in &places {
                leave_out(&mut value, place);
            }
        }
        Some(written(value))
    }
}

fn written(mut value: Value) -> String {
    leave_out_credentials(&mut value);
    let text = value.to_string();
    if text.len() > LONGEST { json!({ "$left_out": format!("{} bytes", text.len()) }).to_string() } else { text }
}

fn leave_out(value: &mut Value, place: &str) {
    if let Some(value) = value.pointer_mut(place) {
        *value = LEFT_OUT.into();
    }
}

/// Whatever the schema says: nobody needs to read a password in a record.
fn leave_out_credentials(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::Null => {}
                    value if is_secret(key) => *value = LEFT_OUT.into(),
                    value => leave_out_credentials(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_credentials),
        _ => {}
    }
}

fn has_sensitive(schema: &Value) -> bool {
    match schema {
        Value::Object(entries) => is_sensitive(schema) || entries.values().any(has_sensitive),
        Value::Array(items) => items.iter().any(has_sensitive),
        _ => false,
    }
}

fn is_sensitive(schema: &Value) -> bool {
    schema.get("writeOnly") == Some(&Value::Bool(true))
}

/// References that lead to each other without a step down in the value are followed this far.
const DEEPEST: usize = 100;

/// Finds the places of sensitive values by the schema. Of several that may describe a value all are looked at: what is sensitive in one
/// of them is left out.
fn find(schema: &Value, components: &Value, value: &Value, at: &mut String, places: &mut Vec<String>, depth: usize) {
    if is_sensitive(schema) {
        places.push(at.clone());
        return;
    }
    if depth > DEEPEST {
        return;
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        find(&components[name], components, value, at, places, depth + 1);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            find(part, components, value, at, places, depth + 1);
        }
    }
    let mut step = |schema: Option<&Value>, key: &str, value: &Value| {
        let Some(schema) = schema else { return };
        let before = at.len();
        at.push('/');
        at.push_str(&key.replace('~', "~0").replace('/', "~1"));
        find(schema, components, value, at, places, depth + 1);
        at.truncate(before);
    };
    match value {
        Value::Object(entries) => {
            let known = schema.get("properties").and_then(Value::as_object);
            for (key, value) in entries {
                step(known.and_then(|known| known.get(key)).or_else(|| schema.get("additionalProperties")), key, value);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let of_item = match schema.get("items") {
                    Some(Value::Array(each)) => each.get(index),
                    one => one,
                };
                step(of_item, &index.to_string(), item);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_values_are_found_by_the_schema_through_everything() {
        let schema = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Node" } });
        let components = json!({ "Node": {
            "properties": { "pin": { "writeOnly": true }, "next": { "anyOf": [{ "$ref": "#/components/schemas/Node" }] } },
            "additionalProperties": { "writeOnly": true },
        } });
        let mut value = json!([{ "pin": 1, "next": { "pin": [2], "next": null, "more": 3 } }]);
        let mut places = Vec::new();
        find(&schema, &components, &value, &mut String::new(), &mut places, 0);
        for place in &places {
            leave_out(&mut value, place);
        }
        assert_eq!(value, json!([{ "pin": LEFT_OUT, "next": { "pin": LEFT_OUT, "next": null, "more": LEFT_OUT } }]));
    }

    #[test]
    fn a_payload_that_is_too_long_leaves_a_note() {
        let redaction = Redaction::of(&[], None, &BTreeMap::new());
        let long = json!("x".repeat(LONGEST)).to_string();
        assert_eq!(redaction.output(long.as_bytes()).unwrap(), r#"{"$left_out":"65538 bytes"}"#);
        assert_eq!(
            redaction.output(br#"{"token":"a","b":[{"Password":"c"}]}"#).unwrap(),
            r#"{"b":[{"Password":"[sensitive]"}],"token":"[sensitive]"}"#
        );
    }
}
