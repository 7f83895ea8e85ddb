//! One schema, with those inside it.

use serde_json::{Number, Value, json};

use super::{Object, entries, items};

/// The members of a schema object (OpenAPI 3.0.3, section 4.7.24).
const KEYWORDS: [&str; 36] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "deprecated",
    "description",
    "discriminator",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
    "xml",
];

/// Rewrites one schema and those inside it.
pub(super) fn schema(value: &mut Value) {
    match value {
        Value::Bool(true) => *value = json!({}),
        Value::Bool(false) => *value = json!({ "not": {} }),
        Value::Object(object) => {
            keywords(object);
            types(object);
            numbers(object);
            tuple(object);
            drop_defaults(object);
            inner(object);
            if let Some(wrapped) = nullable(object) {
                *object = wrapped;
            }
            reference(object);
            discriminator(object);
        }
        _ => {}
    }
}

/// Gives later keywords their form in 3.0, or keeps them under `x-`.
fn keywords(object: &mut Object) {
    if let Some(value) = object.remove("const") {
        object.insert("enum".to_owned(), json!([value]));
    }
    if let Some(Value::Array(examples)) = object.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        object.entry("example").or_insert(first);
    }
    // Whether an answer has it is not known here; that it is kept out of logs is.
    if object.remove("writeOnly") == Some(json!(true)) {
        object.insert("x-sensitive".to_owned(), json!(true));
    }
    let unknown: Vec<String> =
        object.keys().filter(|key| !key.starts_with("x-") && !KEYWORDS.contains(&key.as_str())).cloned().collect();
    for key in unknown {
        if let Some(value) = object.remove(&key)
            && !matches!(key.as_str(), "$schema" | "$id" | "definitions" | "$defs")
        {
            object.insert(format!("x-{}", key.trim_start_matches('$')), value);
        }
    }
}

/// Turns a list of types into one type, or into one option a type.
fn types(object: &mut Object) {
    let Some(Value::Array(types)) = object.get("type") else { return };
    let mut types = types.clone();
    let count = types.len();
    types.retain(|kind| kind != "null");
    if types.len() < count {
        object.insert("nullable".to_owned(), json!(true));
    }
    object.remove("type");
    match types.as_slice() {
        [] => {}
        [one] => drop(object.insert("type".to_owned(), one.clone())),
        several => {
            let options: Vec<Value> = several.iter().map(|kind| json!({ "type": kind })).collect();
            all_of(object, json!({ "anyOf": options }));
        }
    }
}

fn all_of(object: &mut Object, part: Value) {
    match object.entry("allOf").or_insert_with(|| json!([])) {
        Value::Array(parts) => parts.push(part),
        other => *other = json!([part]),
    }
}

/// Writes whole floats as integers and exclusive bounds as 3.0 has them.
fn numbers(object: &mut Object) {
    for key in ["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"] {
        if let Some(value) = object.get_mut(key)
            && let Some(whole) = whole(value)
        {
            *value = Value::Number(whole);
        }
    }
    for (key, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if object.get(key).is_some_and(Value::is_number)
            && let Some(limit) = object.insert(key.to_owned(), json!(true))
        {
            object.insert(bound.to_owned(), limit);
        }
    }
}

/// Returns the integer that a float stands for, where a float can hold it exactly.
#[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, so nothing is cut")]
fn whole(value: &Value) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = value.as_f64().filter(|float| value.is_f64() && float.fract() == 0.0 && float.abs() < EXACT)?;
    Some(Number::from(float as i64))
}

/// 3.0 has no schemas by position: any of them, and the exact count.
fn tuple(object: &mut Object) {
    if let Some(Value::Array(schemas)) = object.get("items") {
        let schemas = schemas.clone();
        let count = json!(schemas.len());
        object.insert("items".to_owned(), json!({ "anyOf": schemas }));
        object.entry("minItems").or_insert_with(|| count.clone());
        object.entry("maxItems").or_insert(count);
        object.insert("x-prefix-items".to_owned(), Value::Array(schemas));
    }
}

/// Drops members that say what their absence says, and lists that 3.0 does not allow to be empty.
fn drop_defaults(object: &mut Object) {
    const FLAGS: [&str; 6] =
        ["deprecated", "readOnly", "nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"];
    object.retain(|key, value| match value {
        Value::Bool(false) => !FLAGS.contains(&key.as_str()),
        Value::Array(list) => {
            !list.is_empty() || !matches!(key.as_str(), "required" | "enum" | "allOf" | "anyOf" | "oneOf")
        }
        Value::Object(members) => key != "properties" || !members.is_empty(),
        Value::String(text) => !text.is_empty() || !matches!(key.as_str(), "description" | "title"),
        Value::Null => matches!(key.as_str(), "default" | "example"),
        _ => true,
    });
}

fn inner(object: &mut Object) {
    for key in ["items", "not", "x-event-schema"] {
        if let Some(value) = object.get_mut(key) {
            schema(value);
        }
    }
    if let Some(value) = object.get_mut("additionalProperties").filter(|value| !value.is_boolean()) {
        schema(value);
    }
    entries(object.get_mut("properties")).for_each(schema);
    for key in ["allOf", "anyOf", "oneOf", "x-prefix-items"] {
        items(object.get_mut(key)).for_each(schema);
    }
}

/// `nullable` has a meaning only beside `type`, and an `enum` must list the null. Returns the schema to take instead.
fn nullable(object: &mut Object) -> Option<Object> {
    if object.get("nullable") != Some(&json!(true)) {
        return None;
    }
    if object.contains_key("type") {
        if let Some(Value::Array(values)) = object.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        return None;
    }
    object.remove("nullable");
    if object.is_empty() {
        return None;
    }
    let nothing = json!({ "type": "object", "nullable": true, "enum": [null] });
    let mut outer = Object::new();
    outer.insert("anyOf".to_owned(), json!([std::mem::take(object), nothing]));
    if let Some(inner) = outer["anyOf"].get_mut(0) {
        reference_of(inner);
    }
    Some(outer)
}

fn reference_of(value: &mut Value) {
    if let Value::Object(object) = value {
        reference(object);
        discriminator(object);
    }
}

/// A reference has no siblings: they would be ignored.
pub(super) fn reference(object: &mut Object) {
    if object.len() > 1
        && let Some(reference) = object.remove("$ref")
    {
        all_of(object, json!({ "$ref": reference }));
    }
}

/// A discriminator is allowed only where all options are references.
fn discriminator(object: &mut Object) {
    let Some(discriminator) = object.get("discriminator") else { return };
    let options = ["oneOf", "anyOf"].iter().find_map(|key| object.get(*key)).and_then(Value::as_array);
    if !options.is_some_and(|options| options.iter().all(|option| option.get("$ref").is_some())) {
        let discriminator = discriminator.clone();
        object.remove("discriminator");
        object.insert("x-discriminator".to_owned(), discriminator);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_forms_become_those_of_3_0() {
        for (given, wanted) in [
            (json!(true), json!({})),
            (json!(false), json!({ "not": {} })),
            (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
            (
                json!({ "type": ["string", "integer"] }),
                json!({ "allOf": [{ "anyOf": [{ "type": "string" }, { "type": "integer" }] }] }),
            ),
            (json!({ "type": "integer", "minimum": 1.0 }), json!({ "type": "integer", "minimum": 1 })),
            (json!({ "minimum": 0.5, "multipleOf": 2.0 }), json!({ "minimum": 0.5, "multipleOf": 2 })),
            (json!({ "exclusiveMinimum": 0.0 }), json!({ "minimum": 0, "exclusiveMinimum": true })),
            (json!({ "const": "a" }), json!({ "enum": ["a"] })),
            (json!({ "examples": [1, 2] }), json!({ "example": 1 })),
            (json!({ "$ref": "#/a", "default": 1 }), json!({ "default": 1, "allOf": [{ "$ref": "#/a" }] })),
            (
                json!({ "type": "array", "items": [true, { "type": "string" }] }),
                json!({
                    "type": "array", "items": { "anyOf": [{}, { "type": "string" }] }, "minItems": 2, "maxItems": 2,
                    "x-prefix-items": [{}, { "type": "string" }],
                }),
            ),
            (
                json!({ "deprecated": false, "readOnly": false, "uniqueItems": false, "description": "", "required": [], "properties": {} }),
                json!({}),
            ),
            (json!({ "patternProperties": {}, "$id": "x" }), json!({ "x-patternProperties": {} })),
            (json!({ "type": "string", "writeOnly": true }), json!({ "type": "string", "x-sensitive": true })),
            (json!({ "additionalProperties": false }), json!({ "additionalProperties": false })),
            (json!({ "default": false, "pattern": null }), json!({ "default": false })),
        ] {
            let mut found = given.clone();
            schema(&mut found);
            assert_eq!(found, wanted, "{given}");
        }
    }

    #[test]
    fn null_is_said_where_it_counts() {
        let nothing = json!({ "type": "object", "nullable": true, "enum": [null] });
        for (given, wanted) in [
            (json!({ "$ref": "#/a", "nullable": true }), json!({ "anyOf": [{ "$ref": "#/a" }, nothing] })),
            (
                json!({ "enum": ["a"], "type": "string", "nullable": true }),
                json!({ "enum": ["a", null], "type": "string", "nullable": true }),
            ),
            (nothing.clone(), nothing.clone()),
        ] {
            let mut found = given.clone();
            schema(&mut found);
            assert_eq!(found, wanted, "{given}");
        }
    }

    #[test]
    fn a_discriminator_needs_references() {
        let mut kept = json!({ "oneOf": [{ "$ref": "#/a" }], "discriminator": { "propertyName": "kind" } });
        let before = kept.clone();
        schema(&mut kept);
        assert_eq!(kept, before);
        kept["oneOf"][0] = json!({ "type": "object" });
        schema(&mut kept);
        assert_eq!(kept["x-discriminator"]["propertyName"], "kind");
    }

    #[test]
    fn large_integers_stay_exact() {
        let mut found = json!({ "maximum": u64::MAX, "minimum": i64::MIN });
        let before = found.to_string();
        schema(&mut found);
        assert_eq!(found.to_string(), before);
    }

    #[test]
    fn an_example_is_not_a_schema() {
        let mut found = json!({ "default": { "type": ["a", "null"] }, "example": { "required": [] }, "enum": [{ "minimum": 1.0 }] });
        let before = found.clone();
        schema(&mut found);
        assert_eq!(found, before);
    }
}
