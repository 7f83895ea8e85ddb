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

/// The content type of a body with files.
const FORM: &str = "multipart/form-data";

/// Returns whether a body is a form with files.
pub(super) fn is_form(body: &RequestBody) -> bool {
    body.content.contains_key(FORM)
}

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
        // Even a form of optional parts is announced by its content type.
        body.required = true;
        let (schema, encoding) = form(fields, &placed, builder);
        let schema = builder.body_component(action, route, schema);
        body.content.insert(FORM.to_owned(), MediaType { encoding, ..media(schema) });
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
    let mut schema = record::object(&[], &mut builder.generator, |_| false);
    let mut encoding = Map::default();
    for field in fields {
        let (property, content_type) = match placed(field) {
            Placement::BodyField => {
                let Node::Object(property) = record::property(field, &mut builder.generator) else { continue };
                // Parts of text have no null; what has no form as text is a part of JSON.
                if field.text.is_some() {
                    (not_null(property), None)
                } else {
                    (property, Some("application/json".to_owned()))
                }
            }
            Placement::File => {
                let types = field.file.map(|rules| rules.content_types.join(", ")).filter(|types| !types.is_empty());
                (file(field, builder), types)
            }
            _ => continue,
        };
        // A part is named like a parameter: the author's name goes before the key of JSON.
        let name = field.param.unwrap_or(field.key);
        schema.object().properties.insert(name.to_owned(), Node::Object(property));
        if field.required {
            schema.object().required.insert(name.to_owned());
        }
        if content_type.is_some() {
            encoding.insert(name.to_owned(), Encoding { content_type, ..Encoding::default() });
        }
    }
    (schema, encoding)
}

/// Returns the schema of a file, or of several.
fn file(field: &Field, builder: &mut Builder<'_>) -> SchemaObject {
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
    schema
}
