//! The schemas of types that are not ours: the standard library's, and those of the crates that go with it.

mod collections;
mod ids;
mod numbers;
pub(crate) mod text;
mod time;

use schemars::schema::{InstanceType, Schema as Node, SchemaObject};
use serde_json::json;

/// Returns a schema with nothing but a type.
pub(crate) fn of_type(kind: InstanceType) -> SchemaObject {
    SchemaObject { instance_type: Some(kind.into()), ..SchemaObject::default() }
}

/// Returns a schema of text in a format.
pub(crate) fn formatted(format: &str) -> SchemaObject {
    SchemaObject { format: Some(format.to_owned()), ..of_type(InstanceType::String) }
}

/// Returns the schema of `null` alone, in the words of OpenAPI 3.0, which has no type for it.
pub(crate) fn null() -> Node {
    let mut schema = SchemaObject { enum_values: Some(vec![json!(null)]), ..of_type(InstanceType::Object) };
    schema.extensions.insert("nullable".to_owned(), json!(true));
    Node::Object(schema)
}

/// Returns a schema that also allows `null`, in the words of OpenAPI 3.0.
pub(crate) fn nullable(node: Node) -> SchemaObject {
    let mut schema = match node {
        Node::Object(schema) if schema.reference.is_none() => schema,
        // `nullable` means something only beside `type`: the null is an option of its own.
        node => {
            let mut schema = SchemaObject::default();
            schema.subschemas().any_of = Some(vec![node, null()]);
            return schema;
        }
    };
    if let Some(values) = &mut schema.enum_values
        && !values.contains(&json!(null))
    {
        values.push(json!(null));
    }
    if schema.instance_type.is_some() {
        schema.extensions.insert("nullable".to_owned(), json!(true));
        return schema;
    }
    if schema == SchemaObject::default() {
        return schema;
    }
    let mut outer = SchemaObject::default();
    outer.subschemas().any_of = Some(vec![Node::Object(schema), null()]);
    outer
}
