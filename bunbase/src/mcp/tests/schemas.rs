//! The schemas of tools.

use serde_json::{Value, json};

use super::fixture::tools;
use crate::mcp::schema::plain;

#[test]
fn a_tool_tells_all_that_its_action_says() {
    let tools: Vec<_> = tools().into_iter().map(|entry| entry.tool).collect();
    insta::assert_json_snapshot!(tools);
}

/// Some clients read schemas as draft 7, whatever they say.
#[cfg(feature = "testing")]
#[test]
fn all_schemas_are_schemas_for_new_and_for_old_readers() {
    for entry in tools() {
        let schemas = [Some(&entry.tool.input_schema), entry.tool.output_schema.as_ref()];
        for schema in schemas.into_iter().flatten() {
            let schema = Value::Object(schema.as_ref().clone());
            assert_eq!(schema["type"], "object", "{schema:#}");
            for draft in [jsonschema::Draft::Draft202012, jsonschema::Draft::Draft7] {
                let made = jsonschema::options().with_draft(draft).build(&schema);
                assert!(made.is_ok(), "{draft:?}: {:?}\n{schema:#}", made.err());
            }
        }
    }
}

/// What an action answers is what its tool promises, for either kind of reader.
#[cfg(feature = "testing")]
#[test]
fn values_fit_their_schemas() {
    let lent = json!({ "kind": "lent", "until": "2030-01-31T12:00:00Z" });
    let first = json!({ "id": 1, "title": "Emma", "state": { "kind": "here" }, "place": [3, "left"] });
    let book =
        json!({ "id": 2, "title": "Sanditon", "state": lent, "sequel_to": first, "place": [3, "left"], "cover": null });
    let answers = [
        ("books_add", book.clone(), true),
        ("books_add", json!({ "id": 2 }), false),
        ("find", json!({ "result": [first, book] }), true),
        (
            "find",
            json!({ "result": [{ "id": 1, "title": "Emma", "state": { "kind": "sold" }, "place": [3, "left"] }] }),
            false,
        ),
        ("find", json!({ "result": [{ "id": 1, "title": "Emma", "state": { "kind": "here" }, "place": [3] }] }), false),
        ("books_update", json!({ "kind": "here" }), true),
        ("newest", json!({ "result": null }), true),
        ("newest", json!({ "result": first }), true),
    ];
    let tools = tools();
    for (name, answer, fits) in answers {
        let entry = tools.iter().find(|entry| entry.tool.name == name).expect(name);
        let schema = Value::Object(entry.tool.output_schema.as_ref().expect("a schema").as_ref().clone());
        for draft in [jsonschema::Draft::Draft202012, jsonschema::Draft::Draft7] {
            let reader = jsonschema::options().with_draft(draft).build(&schema).expect("a schema");
            assert_eq!(reader.is_valid(&answer), fits, "{name} {draft:?}: {answer}");
        }
    }
}

#[test]
fn the_words_of_openapi_become_those_of_json_schema() {
    for (given, wanted) in [
        (json!(true), json!(true)),
        (json!({ "$ref": "#/components/schemas/Book" }), json!({ "$ref": "#/$defs/Book" })),
        (json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
        (json!({ "type": "object", "nullable": true, "enum": [null] }), json!({ "type": "null" })),
        (
            json!({ "$ref": "#/components/schemas/Book", "nullable": true }),
            json!({ "anyOf": [{ "$ref": "#/$defs/Book" }, { "type": "null" }] }),
        ),
        (json!({ "nullable": true }), json!({})),
        (
            json!({ "type": "integer", "format": "int64", "minimum": 0, "exclusiveMinimum": true }),
            json!({ "type": "integer", "exclusiveMinimum": 0 }),
        ),
        (json!({ "maximum": u64::MAX, "minimum": i64::MIN }), json!({})),
        (json!({ "maximum": 1_u64 << 53, "minimum": 0.5 }), json!({ "maximum": 1_u64 << 53, "minimum": 0.5 })),
        (json!({ "pattern": "^[^\\u0000]*$" }), json!({})),
        (json!({ "maximum": 1, "exclusiveMaximum": false }), json!({ "maximum": 1 })),
        (json!({ "exclusiveMinimum": 0.5 }), json!({ "exclusiveMinimum": 0.5 })),
        (json!({ "type": "string", "format": "byte" }), json!({ "type": "string", "contentEncoding": "base64" })),
        (json!({ "type": "string", "format": "uuid" }), json!({ "type": "string", "format": "uuid" })),
        (
            json!({ "type": "array", "items": [{ "type": "string" }, { "format": "int32" }] }),
            json!({
                "type": "array", "prefixItems": [{ "type": "string" }, {}],
                "items": { "anyOf": [{ "type": "string" }, {}] }, "minItems": 2, "maxItems": 2,
            }),
        ),
        (
            json!({ "enum": ["a", "b"], "description": "Which.", "x-enum-descriptions": { "a": "The\nfirst.", "b": "" } }),
            json!({ "enum": ["a", "b"], "description": "Which.\n\n- `a`: The first." }),
        ),
        (
            json!({ "oneOf": [{ "x-other": 1 }], "discriminator": { "propertyName": "kind" }, "example": 1 }),
            json!({ "oneOf": [{}], "examples": [1] }),
        ),
        (
            json!({ "properties": { "nullable": { "nullable": true, "type": "string" } }, "additionalProperties": false }),
            json!({ "properties": { "nullable": { "type": ["string", "null"] } }, "additionalProperties": false }),
        ),
        (json!({ "default": { "nullable": true, "x-y": 1 } }), json!({ "default": { "nullable": true, "x-y": 1 } })),
    ] {
        let mut found = given.clone();
        plain(&mut found);
        assert_eq!(found, wanted, "{given}");
    }
}
