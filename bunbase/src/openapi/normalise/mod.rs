//! Turns the JSON of okapi's types into strict OpenAPI 3.0.3.
//!
//! The types are looser than the format: a hand-written schema can hold any keyword of JSON Schema, and floats where integers
//! are meant. What has the same meaning in another form is rewritten; what has none is kept under `x-`.

mod schema;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::schema::{reference, schema};

type Object = Map<String, Value>;

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Rewrites a whole document in place.
pub(super) fn document(document: &mut Value) {
    for item in entries(document.get_mut("paths")) {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                self::operation(operation);
            }
        }
    }
    if let Some(components) = document.get_mut("components") {
        entries(components.get_mut("schemas")).for_each(schema);
        entries(components.get_mut("responses")).for_each(response);
        entries(components.get_mut("headers")).for_each(header);
    }
    segments_are_not_empty(document);
    drop_unused(document);
}

fn entries(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_object_mut).into_iter().flat_map(|object| object.values_mut())
}

fn items(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_array_mut).into_iter().flatten()
}

fn operation(operation: &mut Value) {
    items(operation.get_mut("parameters")).for_each(header);
    if let Some(body) = operation.get_mut("requestBody") {
        content(body);
    }
    entries(operation.get_mut("responses")).for_each(response);
}

fn response(response: &mut Value) {
    entries(response.get_mut("headers")).for_each(header);
    content(response);
}

/// A header, or a parameter: the members that matter here are the same.
fn header(header: &mut Value) {
    if let Some(value) = header.get_mut("schema") {
        schema(value);
    }
}

fn content(holder: &mut Value) {
    for media in entries(holder.get_mut("content")) {
        header(media);
    }
}

/// Says of text in a path that it is not empty: an empty segment never matches a parameter.
fn segments_are_not_empty(document: &mut Value) {
    let schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
    for item in entries(document.get_mut("paths")) {
        for method in METHODS {
            for parameter in items(item.get_mut(method).and_then(|operation| operation.get_mut("parameters"))) {
                if parameter["in"] == "path"
                    && let Some(Value::Object(schema)) = parameter.get_mut("schema")
                    && may_be_empty(schema, &schemas, 0)
                {
                    schema.insert("minLength".to_owned(), json!(1));
                    reference(schema);
                }
            }
        }
    }
}

/// Returns whether a schema allows the empty text.
fn may_be_empty(schema: &Object, schemas: &Value, depth: usize) -> bool {
    // Newtypes of newtypes end; a reference to itself does not.
    const DEEPEST: usize = 8;
    if depth > DEEPEST || schema.get("minLength").and_then(Value::as_u64).is_some_and(|length| length > 0) {
        return false;
    }
    let target = |name: &str| schemas.get(name.strip_prefix("#/components/schemas/")?)?.as_object();
    if let Some(object) = schema.get("$ref").and_then(Value::as_str).and_then(target) {
        return may_be_empty(object, schemas, depth + 1);
    }
    if let Some(Value::Array(parts)) = schema.get("allOf") {
        return parts.iter().filter_map(Value::as_object).all(|part| may_be_empty(part, schemas, depth + 1));
    }
    schema.get("type") == Some(&json!("string")) && !schema.contains_key("enum") && !schema.contains_key("format")
}

/// Drops schemas and headers that nothing refers to, such as the schema of a type whose place took another.
fn drop_unused(document: &mut Value) {
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas").map(Value::take) else { return };
    let mut used = BTreeSet::new();
    let mut open = Vec::new();
    references(document, "#/components/schemas/", &mut open);
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.get(&name)
            && used.insert(name)
        {
            references(schema, "#/components/schemas/", &mut open);
        }
    }
    let kept = schemas.into_iter().filter(|(name, _)| used.contains(name)).collect();
    document["components"]["schemas"] = Value::Object(kept);
    let mut headers = Vec::new();
    references(document, "#/components/headers/", &mut headers);
    if let Some(all) = document["components"]["headers"].as_object_mut() {
        all.retain(|name, _| headers.contains(name));
    }
    // Sections of the components that came out empty.
    if let Some(components) = document["components"].as_object_mut() {
        components.retain(|_, section| section.as_object().is_none_or(|section| !section.is_empty()));
    }
}

/// Collects the names behind a prefix, wherever a text is one: in `$ref` and in a discriminator's mapping.
fn references(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.values().for_each(|value| references(value, prefix, found)),
        Value::Array(items) => items.iter().for_each(|value| references(value, prefix, found)),
        Value::String(text) => found.extend(text.strip_prefix(prefix).map(str::to_owned)),
        _ => {}
    }
}
