//! Plain JSON Schema (2020-12) of what a tool takes and answers.
//!
//! The model of schemas is that of OpenAPI 3.0, and clients of tools know nothing of it: its own words are rewritten, and
//! components become `$defs`. What older drafts read differently is avoided, because not every client reads the newest.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    action::OutputDoc,
    schema::{Field, Generator, record, types::text::NO_NUL},
};

pub(super) type Object = Map<String, Value>;

/// The key of an answer that is no object: what a tool answers has to be one.
pub(super) const RESULT: &str = "result";

/// What a tool answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A JSON object of this schema.
    Object(Object),
    /// Other JSON, as the one member of an object of this schema.
    Wrapped(Object),
    /// Text, bytes, or nothing.
    Raw,
}

/// Returns the schema of one JSON object of all fields, whatever their places over HTTP.
pub(super) fn input(fields: &[Field]) -> Object {
    let mut generator = Generator::default();
    let schema = record::object(fields, &mut generator, |_| true);
    with_definitions(plain_object(&schema), definitions(generator))
}

/// Returns what an action answers, as a tool tells it.
pub(super) fn output(describe: fn(&mut Generator) -> OutputDoc) -> Shape {
    let mut generator = Generator::default();
    let Some((content_type, node)) = describe(&mut generator).content else { return Shape::Raw };
    if content_type != "application/json" {
        return Shape::Raw;
    }
    let schema = plain_object(&node);
    let definitions = definitions(generator);
    if is_object(&schema, &definitions, 0) {
        let mut root = target(&schema, &definitions).cloned().unwrap_or(schema);
        // Also where all options of an enum say it: older revisions look for it here.
        root.insert("type".to_owned(), json!("object"));
        return Shape::Object(with_definitions(root, definitions));
    }
    let wrapped = json!({
        "type": "object",
        "properties": { RESULT: schema },
        "required": [RESULT],
        "additionalProperties": false,
    });
    Shape::Wrapped(with_definitions(into_object(wrapped), definitions))
}

fn definitions(generator: Generator) -> Object {
    let all = generator.into_definitions();
    all.into_iter().map(|(name, schema)| (name, Value::Object(plain_object(&schema)))).collect()
}

fn plain_object(schema: &impl serde::Serialize) -> Object {
    // Only a map with keys that are no text could fail, and there is none in the model.
    let mut value = serde_json::to_value(schema).unwrap_or_default();
    plain(&mut value);
    into_object(value)
}

fn into_object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// Adds those definitions that the schema needs.
fn with_definitions(mut root: Object, mut definitions: Object) -> Object {
    let mut used = BTreeSet::new();
    let mut open = Vec::new();
    root.values().for_each(|value| references(value, &mut open));
    while let Some(name) = open.pop() {
        if let Some(definition) = definitions.get(&name)
            && used.insert(name)
        {
            references(definition, &mut open);
        }
    }
    definitions.retain(|name, _| used.contains(name));
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

const COMPONENT: &str = "#/components/schemas/";
const DEFINITION: &str = "#/$defs/";

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(DEFINITION));
            found.extend(name.map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Returns the definition that a schema refers to.
fn target<'d>(schema: &Object, definitions: &'d Object) -> Option<&'d Object> {
    definitions.get(schema.get("$ref")?.as_str()?.strip_prefix(DEFINITION)?)?.as_object()
}

/// Returns whether every value of a schema is an object.
fn is_object(schema: &Object, definitions: &Object, depth: usize) -> bool {
    // Newtypes of newtypes end; a reference to itself does not.
    const DEEPEST: usize = 8;
    let is = |value: &Value| value.as_object().is_some_and(|part| is_object(part, definitions, depth + 1));
    let list = |key: &str| schema.get(key).and_then(Value::as_array).filter(|parts| !parts.is_empty());
    if depth > DEEPEST {
        false
    } else if let Some(kind) = schema.get("type") {
        kind == "object"
    } else if let Some(definition) = target(schema, definitions) {
        is_object(definition, definitions, depth + 1)
    } else if let Some(options) = list("oneOf").or_else(|| list("anyOf")) {
        options.iter().all(is)
    } else {
        list("allOf").is_some_and(|parts| parts.iter().any(is))
    }
}

/// Rewrites a schema, and those inside it, from the words of OpenAPI 3.0.
pub(super) fn plain(value: &mut Value) {
    let Value::Object(object) = value else { return };
    inner(object);
    if let Some(Value::String(reference)) = object.get_mut("$ref")
        && let Some(name) = reference.strip_prefix(COMPONENT)
    {
        *reference = format!("{DEFINITION}{name}");
    }
    tuple(object);
    bounds(object);
    text(object);
    words(object);
    nullable(object);
    object.retain(|key, _| !key.starts_with("x-"));
}

/// Rewrites the schemas inside another.
fn inner(object: &mut Object) {
    for key in ["items", "additionalProperties", "not"] {
        if let Some(value) = object.get_mut(key) {
            plain(value);
        }
    }
    for key in ["allOf", "anyOf", "oneOf", "items", "x-prefix-items"] {
        object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(plain);
    }
    for key in ["properties", "patternProperties"] {
        let all = object.get_mut(key).and_then(Value::as_object_mut);
        all.into_iter().flat_map(Object::values_mut).for_each(plain);
    }
}

/// Names the schemas of a tuple by position. `items` stays for readers who know no positions: any of them, and the exact count.
fn tuple(object: &mut Object) {
    if let Some(Value::Array(listed)) = object.get("items").cloned() {
        object.insert("items".to_owned(), json!({ "anyOf": listed }));
        for key in ["minItems", "maxItems"] {
            object.entry(key).or_insert_with(|| json!(listed.len()));
        }
        object.insert("prefixItems".to_owned(), Value::Array(listed));
    }
    if let Some(listed) = object.remove("x-prefix-items") {
        object.insert("prefixItems".to_owned(), listed);
    }
}

/// Makes numbers of exclusive bounds that are flags beside another bound, and drops bounds that are those of a type.
fn bounds(object: &mut Object) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match object.get(flag) {
            Some(Value::Bool(true)) => {
                if let Some(limit) = object.remove(bound) {
                    object.insert(flag.to_owned(), limit);
                }
            }
            Some(Value::Bool(false)) => drop(object.remove(flag)),
            _ => {}
        }
    }
    // Bounds of 64 bits are beyond what many readers hold exactly, and say nothing to a model.
    for bound in ["minimum", "maximum"] {
        let is_exact = |value: &Value| value.as_f64().is_none_or(|bound| bound.abs() <= EXACT);
        object.retain(|key, value| key != bound || is_exact(value));
    }
}

/// Up to here a float holds every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Drops formats that say what the bounds or the pattern beside them say already, and the pattern that every string has.
fn text(object: &mut Object) {
    const SAID: [&str; 11] =
        ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float", "double", "decimal"];
    match object.get("format").and_then(Value::as_str) {
        Some("byte") => {
            object.remove("format");
            object.insert("contentEncoding".to_owned(), json!("base64"));
        }
        Some(name) if SAID.contains(&name) => drop(object.remove("format")),
        _ => {}
    }
    object.retain(|key, value| key != "pattern" || value != NO_NUL);
}

/// Rewrites members that have another name, and drops those that say nothing to a client of tools.
fn words(object: &mut Object) {
    for key in ["discriminator", "xml", "externalDocs", "$schema", "$id"] {
        object.remove(key);
    }
    if let Some(example) = object.remove("example") {
        object.insert("examples".to_owned(), json!([example]));
    }
    if let Some(Value::Object(meanings)) = object.remove("x-enum-descriptions") {
        let lines = meanings.iter().filter_map(|(name, docs)| {
            let docs = docs.as_str().filter(|docs| !docs.is_empty())?;
            Some(format!("- `{name}`: {}", docs.replace('\n', " ")))
        });
        let said = object.get("description").and_then(Value::as_str).map(str::to_owned);
        let lists = lines.collect::<Vec<_>>().join("\n");
        let text: Vec<_> = said.into_iter().chain([lists]).filter(|text| !text.is_empty()).collect();
        if !text.is_empty() {
            object.insert("description".to_owned(), json!(text.join("\n\n")));
        }
    }
}

/// Says `null` as a type, where OpenAPI 3.0 has a flag.
fn nullable(object: &mut Object) {
    if object.remove("nullable") != Some(json!(true)) {
        return;
    }
    if object.get("enum") == Some(&json!([null])) {
        object.remove("enum");
        object.insert("type".to_owned(), json!("null"));
    } else if let Some(kind) = object.get("type").cloned() {
        object.insert("type".to_owned(), json!([kind, "null"]));
    } else if !object.is_empty() {
        let option = Value::Object(std::mem::take(object));
        object.insert("anyOf".to_owned(), json!([option, { "type": "null" }]));
    }
}
