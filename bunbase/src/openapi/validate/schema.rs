//! Schemas of OpenAPI 3.0 as JSON Schema: draft 4, on which they are built, with `nullable` in its words.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, NaiveTime};
use jsonschema::Draft;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::resolve;
use crate::schema::{Base64, Format, FromText, rules};

const COMPONENTS: &str = "#/components/schemas/";

/// Reports how `value` breaks a schema of the document.
pub(super) fn check(document: &Value, schema: &Value, value: &Value, what: &str, deviations: &mut Vec<String>) {
    let validator = match options().build(&root(document, schema)) {
        Ok(validator) => validator,
        Err(error) => return deviations.push(format!("the schema of {what} is not one: {error}")),
    };
    for error in validator.iter_errors(value) {
        let at = error.instance_path().to_string();
        let place = if at.is_empty() { what.to_owned() } else { format!("{what} at {at}") };
        deviations.push(format!("{place}: {error}"));
    }
}

/// The formats mean what the framework enforces under their names.
fn options() -> jsonschema::ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .should_validate_formats(true)
        .with_format("email", |text: &str| rules::has_format(text, Format::Email))
        .with_format("uri", |text: &str| rules::has_format(text, Format::Url))
        .with_format("ip", |text: &str| rules::has_format(text, Format::Ip))
        .with_format("uuid", |text: &str| uuid::Uuid::from_text(text).is_ok())
        .with_format("byte", |text: &str| Base64::from_text(text).is_ok())
        .with_format("decimal", |text: &str| Decimal::from_text(text).is_ok())
        .with_format("partial-time", |text: &str| NaiveTime::from_text(text).is_ok())
        .with_format("local-date-time", |text: &str| NaiveDateTime::from_text(text).is_ok())
}

/// Joins a schema with those components that it reaches.
fn root(document: &Value, schema: &Value) -> Value {
    let mut components = BTreeMap::new();
    let mut open = Vec::new();
    let translated = translate(schema, &mut open);
    while let Some(name) = open.pop() {
        if let Some(component) = document["components"]["schemas"].get(&name)
            && !components.contains_key(&name)
        {
            let component = translate(component, &mut open);
            components.insert(name, component);
        }
    }
    json!({ "allOf": [translated], "components": { "schemas": components } })
}

/// Translates one schema and collects the components that it names.
fn translate(schema: &Value, named: &mut Vec<String>) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    if let Some(reference) = object.get("$ref") {
        named.extend(reference.as_str().and_then(|text| text.strip_prefix(COMPONENTS)).map(str::to_owned));
        return json!({ "$ref": reference });
    }
    let mut out = Map::new();
    for (key, value) in object {
        let value = match key.as_str() {
            "items" | "not" | "additionalProperties" => translate(value, named),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                properties.map(|(key, value)| (key.clone(), translate(value, named))).collect::<Map<_, _>>().into()
            }
            "allOf" | "anyOf" | "oneOf" => {
                value.as_array().into_iter().flatten().map(|value| translate(value, named)).collect::<Vec<_>>().into()
            }
            "type" if object.get("nullable") == Some(&json!(true)) => json!([value, "null"]),
            "nullable" | "discriminator" | "example" | "readOnly" | "xml" | "externalDocs" | "deprecated" => continue,
            extension if extension.starts_with("x-") => continue,
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

/// Reads the text of a header as its schema means it; text that is not meant otherwise stays text.
pub(super) fn from_text(document: &Value, schema: &Value, text: &str) -> Value {
    let schema = resolve(document, schema);
    match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        // `style: simple`
        Some("array") => text.split(',').map(|item| from_text(document, &schema["items"], item.trim())).collect(),
        _ => json!(text),
    }
}
