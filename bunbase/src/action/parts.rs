//! Outputs whose fields go to different parts of the answer: what the document says about them.

use schemars::schema::{InstanceType, Schema as Node, SchemaObject};

use super::{
    HeaderDoc, OutputDoc,
    placement::{Placement, parameter_name},
};
use crate::schema::{Field, Generator, Source, record};

/// Describes the answer that a struct with `#[header]` and `#[cookie]` fields makes.
///
/// `name` is that of the component for a body of the unmarked fields.
pub fn describe(fields: &'static [Field], name: &str, generator: &mut Generator) -> OutputDoc {
    let unmarked = |index: usize| fields[index].source == Source::Unmarked;
    let whole = fields.iter().find(|field| field.source == Source::Body);
    let mut doc = match whole {
        Some(field) => OutputDoc::json(record::property(field, generator)),
        None if (0..fields.len()).any(unmarked) => {
            OutputDoc::json(generator.define(name, |generator| record::object(fields, generator, unmarked)))
        }
        None => OutputDoc::empty(204, "Done."),
    };
    for field in fields.iter().filter(|field| field.source == Source::Header) {
        doc.headers.push(HeaderDoc {
            name: parameter_name(field, Placement::Header).into(),
            description: field.docs.into(),
            required: field.required && !field.text.is_some_and(|text| text.many),
            schema: record::property(&Field { docs: "", ..*field }, generator),
        });
    }
    let cookies: Vec<&Field> = fields.iter().filter(|field| field.source == Source::Cookie).collect();
    if !cookies.is_empty() {
        let says = |field: &&Field| {
            let name = parameter_name(field, Placement::Cookie);
            if field.docs.is_empty() { format!("`{name}`") } else { format!("`{name}`: {}", field.docs) }
        };
        doc.headers.push(HeaderDoc {
            name: "Set-Cookie".into(),
            description: format!("Sets {}.", cookies.iter().map(says).collect::<Vec<_>>().join("; ")).into(),
            // A cookie without a value is removed, by the same header.
            required: true,
            schema: Node::Object(SchemaObject {
                instance_type: Some(InstanceType::String.into()),
                ..SchemaObject::default()
            }),
        });
    }
    doc
}
