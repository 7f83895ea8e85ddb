//! Structs without field names: newtypes, which look like what they hold, and tuple structs, which are JSON arrays.

use std::borrow::Cow;

use schemars::schema::{InstanceType, Schema as Node, SchemaObject};
use serde_json::{Value, json};

use super::{Checker, Field, Generator, record, types};

/// A struct without field names, as `#[schema]` emits it.
pub trait Unnamed {
    /// The fields by their position.
    const FIELDS: &'static [Field];
}

/// Returns the schema of a newtype: that of its field, with its own doc comment.
pub fn newtype(field: &Field, docs: &str, generator: &mut Generator) -> SchemaObject {
    let mut schema = match record::property(field, generator) {
        Node::Object(schema) if schema.reference.is_none() => schema,
        node => {
            let mut schema = SchemaObject::default();
            schema.subschemas().all_of = Some(vec![node]);
            schema
        }
    };
    record::describe(&mut schema, docs);
    schema
}

/// Returns the schema of an array with one item a field.
pub fn tuple(fields: &[Field], docs: &str, generator: &mut Generator) -> SchemaObject {
    let count = u32::try_from(fields.len()).ok();
    let items: Vec<Node> = fields.iter().map(|field| record::property(field, generator)).collect();
    let mut schema = types::of_type(InstanceType::Array);
    schema.extensions.insert("x-prefix-items".to_owned(), json!(items));
    // OpenAPI 3.0 has no schemas by position: any of them, and the exact count.
    let mut item = SchemaObject::default();
    item.subschemas().any_of = Some(items);
    schema.array().items = Some(Node::Object(item).into());
    schema.array().min_items = count;
    schema.array().max_items = count;
    record::describe(&mut schema, docs);
    schema
}

/// Reports every mistake of an array with one item a field.
pub fn check_tuple(fields: &[Field], value: &Value, checker: &mut Checker) {
    match value {
        Value::Array(items) if items.len() == fields.len() => {
            for (index, (field, item)) in fields.iter().zip(items).enumerate() {
                checker.at_index(index, |checker| field.check(item, checker));
            }
        }
        Value::Array(items) => {
            checker.fail("length", format!("must have exactly {} items, has {}", fields.len(), items.len()));
        }
        other => checker.wrong_type("an array", other),
    }
}

/// Returns the label of a generic type: `PageOfTask`, `PairOfStringAndI64`.
pub fn label(base: &str, parameters: &[Cow<'_, str>]) -> Cow<'static, str> {
    let mut label = base.to_owned();
    for (index, parameter) in parameters.iter().enumerate() {
        label.push_str(if index == 0 { "Of" } else { "And" });
        let mut chars = parameter.chars();
        label.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        label.push_str(chars.as_str());
    }
    label.into()
}
