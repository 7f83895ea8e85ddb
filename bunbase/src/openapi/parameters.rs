//! Fields that come from the path, the query, headers and cookies.

use okapi::{
    Map,
    openapi3::{Parameter, ParameterStyle, ParameterValue, RefOr},
};
use schemars::schema::{InstanceType, Schema as Node, SchemaObject, SingleOrVec};
use serde_json::{Value, json};

use crate::{
    action::placement::{Placement, parameter_name, parameters},
    registry::{Registered, Route},
    schema::{Field, Generator},
};

/// Returns the parameters of a route: those of the path in its order, then the others in the order of their fields.
///
/// `names` are the path's parameters as the document calls them, one for each in the template.
pub(super) fn of(
    action: &Registered,
    route: &Route,
    names: &[String],
    generator: &mut Generator,
) -> Vec<RefOr<Parameter>> {
    let placed = |field: &Field| Placement::of(field, route.method, route.own);
    let fields = action.entry.fields;
    let mut found = Vec::new();
    for (own, name) in parameters(&route.path).zip(names) {
        let field = fields
            .iter()
            .find(|field| placed(field) == Placement::Path && parameter_name(field, Placement::Path) == own);
        let mut parameter = match field {
            Some(field) => parameter(field, Placement::Path, generator),
            // A parameter of a module's prefix that this action does not ask for: any text will do.
            None => text(own),
        };
        name.clone_into(&mut parameter.name);
        if route.path.contains(&format!("{{*{own}}}")) {
            // OpenAPI has no parameter that spans segments.
            parameter.extensions.insert("x-rest-of-path".to_owned(), json!(true));
        }
        found.push(RefOr::Object(parameter));
    }
    for place in [Placement::Query, Placement::Header, Placement::Cookie] {
        for field in fields.iter().filter(|field| placed(field) == place) {
            found.push(RefOr::Object(parameter(field, place, generator)));
        }
    }
    found
}

fn parameter(field: &Field, place: Placement, generator: &mut Generator) -> Parameter {
    let many = field.text.is_some_and(|form| form.many);
    let (location, style, explode) = match place {
        Placement::Path => ("path", ParameterStyle::Simple, false),
        Placement::Header => ("header", ParameterStyle::Simple, false),
        Placement::Cookie => ("cookie", ParameterStyle::Form, false),
        // `?tag=a&tag=b`
        _ => ("query", ParameterStyle::Form, true),
    };
    Parameter {
        name: parameter_name(field, place),
        location: location.to_owned(),
        description: (!field.docs.is_empty()).then(|| field.docs.to_owned()),
        required: field.required || place == Placement::Path,
        deprecated: field.deprecated,
        allow_empty_value: false,
        value: ParameterValue::Schema {
            style: many.then_some(style),
            explode: many.then_some(explode),
            allow_reserved: false,
            schema: schema(field, generator),
            example: None,
            examples: None,
        },
        extensions: sensitive(field),
    }
}

/// Returns the header that makes a repeated call get the first one's answer (draft-ietf-httpapi-idempotency-key-header).
pub(super) fn idempotency_key() -> Parameter {
    let text =
        "Makes a repeated call get the answer of the first one with this key. Choose it anew for each intention.";
    let mut parameter = header("Idempotency-Key", text, false);
    if let ParameterValue::Schema { schema, .. } = &mut parameter.value {
        schema.string().max_length = Some(255);
        schema.string().min_length = Some(1);
        schema.string().pattern = Some("^[!-~]+$".to_owned());
    }
    parameter
}

/// Returns a header that the framework itself reads.
pub(super) fn header(name: &str, description: &str, required: bool) -> Parameter {
    Parameter { location: "header".to_owned(), description: Some(description.to_owned()), required, ..text(name) }
}

fn text(name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        location: "path".to_owned(),
        description: None,
        required: true,
        deprecated: false,
        allow_empty_value: false,
        value: ParameterValue::Schema {
            style: None,
            explode: None,
            allow_reserved: false,
            schema: SchemaObject { instance_type: Some(InstanceType::String.into()), ..SchemaObject::default() },
            example: None,
            examples: None,
        },
        extensions: Map::default(),
    }
}

fn sensitive(field: &Field) -> Map<String, Value> {
    field.sensitive.then(|| ("x-sensitive".to_owned(), json!(true))).into_iter().collect()
}

/// Returns the schema of a field that is given as text: its type's without `null`, with constraints and default.
pub(super) fn schema(field: &Field, generator: &mut Generator) -> SchemaObject {
    let mut schema = not_null((field.schema)(generator).into_object());
    for rule in field.constraints {
        rule.publish(&mut schema);
    }
    if let Some(default) = field.default.and_then(|default| default()).filter(|value| !value.is_null()) {
        schema.metadata().default = Some(default);
    }
    schema
}

/// Takes `null` out of a schema, and out of its items: text has no null.
pub(super) fn not_null(mut schema: SchemaObject) -> SchemaObject {
    schema.extensions.remove("nullable");
    if let Some(values) = &mut schema.enum_values {
        values.retain(|value| !value.is_null());
    }
    if let Some(array) = &mut schema.array
        && let Some(SingleOrVec::Single(item)) = &mut array.items
        && let Node::Object(object) = item.as_mut()
    {
        *object = not_null(std::mem::take(object));
    }
    if let Some(subschemas) = &mut schema.subschemas
        && let Some(options) = &mut subschemas.any_of
    {
        options.retain(|option| !is_null(option));
        if options.len() == 1 {
            let only = subschemas.any_of.take();
            if **subschemas == schemars::schema::SubschemaValidation::default() {
                schema.subschemas = None;
            }
            if schema == SchemaObject::default() {
                return only.into_iter().flatten().next().map_or(schema, Node::into_object);
            }
            schema.subschemas().all_of.get_or_insert_default().extend(only.into_iter().flatten());
        }
    }
    schema
}

fn is_null(node: &Node) -> bool {
    matches!(node, Node::Object(schema) if schema.enum_values.as_deref() == Some(&[Value::Null]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Patch;

    #[test]
    fn text_has_no_null() {
        let mut generator = Generator::default();
        let number = generator.of::<u8>();
        for optional in
            [generator.of::<Option<u8>>(), generator.of::<Option<Option<u8>>>(), generator.of::<Patch<u8>>()]
        {
            assert_eq!(Node::Object(not_null(optional.into_object())), number);
        }
        let list = generator.of::<Vec<u8>>();
        let optional = generator.of::<Option<Vec<Option<u8>>>>();
        assert_eq!(Node::Object(not_null(optional.into_object())), list);
    }

    #[test]
    fn a_reference_behind_an_option_stays_a_reference() {
        let reference = Node::new_ref("#/components/schemas/State".to_owned());
        let optional = crate::schema::types::nullable(reference.clone());
        assert_eq!(Node::Object(not_null(optional)), reference);
    }
}
