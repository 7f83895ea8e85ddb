//! What a request carries in its body.

use okapi::{
    Map,
    openapi3::{Encoding, MediaType, RequestBody},
};
use schemars::schema::{InstanceType, Metadata, Schema as Node, SchemaObject};
use serde_json::json;

use super::{Builder, parameters::not_null};
use crate::{
    action::placement::Placement,
    registry::{Registered, Route},
    schema::{Field, FileRules, record},
};

/// Returns the body of a route; `None` where the action reads none.
pub(super) fn of(action: &Registered, route: &Route, builder: &mut Builder<'_>) -> Option<RequestBody> {
    let fields = action.entry.fields;
    let placed = |field: &Field| Placement::of(field, route.method, route.own);
    let of_body = |field: &&Field| matches!(placed(field), Placement::BodyField | Placement::File);

    let mut body = RequestBody::default();
    if let Some(field) = fields.iter().find(|field| placed(field) == Placement::Body) {
        let mut schema = (field.schema)(&mut builder.generator).into_object();
        field.constraints.iter().for_each(|rule| rule.publish(&mut schema));
        body.description = (!field.docs.is_empty()).then(|| field.docs.to_owned());
        body.required = field.required;
        body.content.insert("application/json".to_owned(), media(schema));
    } else if fields.iter().any(|field| placed(field) == Placement::File) {
        body.required = fields.iter().filter(of_body).any(|field| field.required);
        let (schema, encoding) = form(fields, &placed, builder);
        let schema = builder.body_component(action, route, schema);
        body.content.insert("multipart/form-data".to_owned(), MediaType { encoding, ..media(schema) });
    } else if fields.iter().any(|field| of_body(&field)) {
        // Without a required field no body at all says the same as `{}`.
        body.required = fields.iter().filter(of_body).any(|field| field.required);
        let schema = record::object(fields, &mut builder.generator, |index| of_body(&&fields[index]));
        let schema = builder.body_component(action, route, schema);
        body.content.insert("application/json".to_owned(), media(schema));
    } else {
        return None;
    }
    if let Some(limit) = action.entry.meta.body_limit_bytes.or(builder.info.body_limit_bytes) {
        body.extensions.insert("x-max-size-bytes".to_owned(), json!(limit));
    }
    Some(body)
}

fn media(schema: SchemaObject) -> MediaType {
    MediaType { schema: Some(schema), ..MediaType::default() }
}

/// Returns the schema of a form with files, and how its parts are written where that is not the default.
fn form(
    fields: &[Field],
    placed: &impl Fn(&Field) -> Placement,
    builder: &mut Builder<'_>,
) -> (SchemaObject, Map<String, Encoding>) {
    let is_part = |index: usize| placed(&fields[index]) == Placement::BodyField;
    let mut schema = record::object(fields, &mut builder.generator, is_part);
    let mut encoding = Map::default();
    for field in fields {
        let content_type = match placed(field) {
            // What has no form as text is a part of JSON.
            Placement::BodyField if field.text.is_none() => Some("application/json".to_owned()),
            Placement::File => {
                let object = schema.object();
                object.properties.insert(field.key.to_owned(), file(field, builder));
                if field.required {
                    object.required.insert(field.key.to_owned());
                }
                field.file.map(|rules| rules.content_types.join(", ")).filter(|types| !types.is_empty())
            }
            _ => None,
        };
        if content_type.is_some() {
            encoding.insert(field.key.to_owned(), Encoding { content_type, ..Encoding::default() });
        }
    }
    // Text parts have no null.
    for (key, property) in &mut schema.object().properties {
        if !encoding.contains_key(key)
            && let Node::Object(object) = property
        {
            *object = not_null(std::mem::take(object));
        }
    }
    (schema, encoding)
}

/// Returns the schema of a file, or of several.
fn file(field: &Field, builder: &mut Builder<'_>) -> Node {
    let binary = |rules: FileRules| {
        let mut schema = SchemaObject {
            instance_type: Some(InstanceType::String.into()),
            format: Some("binary".to_owned()),
            ..SchemaObject::default()
        };
        if let Some(limit) = rules.max_size_bytes {
            schema.extensions.insert("x-max-size-bytes".to_owned(), json!(limit));
        }
        schema
    };
    let rules = field.file.unwrap_or(FileRules::NONE);
    let mut schema = not_null((field.schema)(&mut builder.generator).into_object());
    match &mut schema.array {
        Some(array) => array.items = Some(Node::Object(binary(rules)).into()),
        None => schema = binary(rules),
    }
    field.constraints.iter().for_each(|rule| rule.publish(&mut schema));
    if !field.docs.is_empty() {
        schema.metadata = Some(Box::new(Metadata { description: Some(field.docs.to_owned()), ..Metadata::default() }));
    }
    Node::Object(schema)
}
