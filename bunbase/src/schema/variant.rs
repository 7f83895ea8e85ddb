//! Enums: one schema and one check for every way in which serde writes them.

use schemars::schema::{InstanceType, Schema as Node, SchemaObject, SingleOrVec};
use serde::Deserializer;
use serde_json::{Map, Value, json};

use super::{Checker, Generator, Mistake, Schema};

pub use super::choice::{adjacent, external, internal, untagged};

/// How an enum says which variant it is; serde's four ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagging {
    /// `{"Variant": payload}`, or `"Variant"` without payload.
    External,
    /// `{"tag": "Variant", …payload's fields}`.
    Internal {
        /// The key of the variant's name.
        tag: &'static str,
    },
    /// `{"tag": "Variant", "content": payload}`.
    Adjacent {
        /// The key of the variant's name.
        tag: &'static str,
        /// The key of the payload.
        content: &'static str,
    },
    /// The payload alone; the first variant that fits is it.
    Untagged,
}

/// What a variant carries.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    /// Returns the payload's schema, or a reference to it.
    pub schema: fn(&mut Generator) -> Node,
    /// Returns the payload's schema, never a reference.
    pub inline: fn(&mut Generator) -> SchemaObject,
    /// Reports the mistakes of a payload.
    pub check: fn(&Value, &mut Checker),
}

impl Payload {
    /// The payload of type `T`.
    pub const fn of<T: Schema>() -> Self {
        Self { schema: Generator::of::<T>, inline: T::schema, check: T::check }
    }
}

/// One variant of an enum.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The Rust name, for the name of its component.
    pub rust_name: &'static str,
    /// The name on the wire.
    pub name: &'static str,
    /// The doc comment.
    pub docs: &'static str,
    /// What it carries; `None` for a plain name.
    pub payload: Option<Payload>,
}

/// An enum, as `#[schema]` emits it: its variants by their index.
pub trait Enum: Sized {
    /// How it says which variant it is.
    const TAGGING: Tagging;

    /// All variants, in the order of their declaration.
    const VARIANTS: &'static [Variant];

    /// Returns variant `index`, which carries nothing.
    fn plain(index: usize) -> Option<Self>;

    /// Decodes the payload of variant `index`.
    ///
    /// # Errors
    /// When the payload has another form, or the variant carries none.
    fn carry<'de, D: Deserializer<'de>>(index: usize, payload: D) -> Result<Self, D::Error>;
}

/// Returns the error of [`Enum::carry`] for a variant without payload.
pub fn no_payload<E: serde::de::Error>() -> E {
    E::custom("this variant carries nothing")
}

/// Reads a plain name of an enum from text.
///
/// # Errors
/// When no plain variant has this name; the message lists those that there are.
pub fn from_text<T: Enum>(text: &str) -> Result<T, Mistake> {
    let index = T::VARIANTS.iter().position(|variant| variant.name == text && variant.payload.is_none());
    index.and_then(T::plain).ok_or_else(|| Mistake::new("variant", not_one_of(T::VARIANTS, text)))
}

/// Returns the schema of an enum with its doc comment.
pub fn schema_of<T: Enum + Schema>(docs: &str, generator: &mut Generator) -> SchemaObject {
    let label = generator.name_of::<T>();
    let mut schema = schema(&label, T::TAGGING, T::VARIANTS, generator);
    describe(&mut schema, docs);
    schema
}

/// Returns the schema of an enum.
fn schema(label: &str, tagging: Tagging, variants: &[Variant], generator: &mut Generator) -> SchemaObject {
    let plain: Vec<&Variant> = variants.iter().filter(|variant| variant.payload.is_none()).collect();
    if tagging == Tagging::External && plain.len() == variants.len() {
        return names(&plain);
    }
    let mut options = Vec::new();
    let mut mapping = Map::new();
    if tagging == Tagging::External && !plain.is_empty() {
        options.push(Node::Object(names(&plain)));
    }
    for variant in variants {
        match tagging {
            Tagging::External => {
                if let Some(payload) = variant.payload {
                    let node = (payload.schema)(generator);
                    options.push(described(object([(variant.name, node, true)]), variant.docs));
                }
            }
            Tagging::Internal { tag } => {
                let component = format!("{label}{}", variant.rust_name);
                let node = generator.define(&component, |generator| {
                    let mut schema = variant.payload.map_or_else(|| object([]), |payload| (payload.inline)(generator));
                    schema.object().properties.insert(tag.to_owned(), constant(variant.name));
                    schema.object().required.insert(tag.to_owned());
                    describe(&mut schema, variant.docs);
                    schema
                });
                mapping.insert(variant.name.to_owned(), json!(reference(&node)));
                options.push(node);
            }
            Tagging::Adjacent { tag, content } => {
                let component = format!("{label}{}", variant.rust_name);
                let node = generator.define(&component, |generator| {
                    let mut schema = match variant.payload {
                        None => object([(tag, constant(variant.name), true)]),
                        Some(payload) => {
                            let node = (payload.schema)(generator);
                            object([(tag, constant(variant.name), true), (content, node, true)])
                        }
                    };
                    describe(&mut schema, variant.docs);
                    schema
                });
                mapping.insert(variant.name.to_owned(), json!(reference(&node)));
                options.push(node);
            }
            Tagging::Untagged => options.push(match variant.payload {
                Some(payload) => (payload.schema)(generator),
                None => super::types::null(),
            }),
        }
    }
    let mut schema = SchemaObject::default();
    if tagging == Tagging::Untagged {
        // Variants may overlap, and the first that fits is taken.
        schema.subschemas().any_of = Some(options);
    } else {
        schema.subschemas().one_of = Some(options);
    }
    if let Tagging::Internal { tag } | Tagging::Adjacent { tag, .. } = tagging {
        schema.extensions.insert("discriminator".to_owned(), json!({ "propertyName": tag, "mapping": mapping }));
    }
    schema
}

/// Reports every mistake of an enum's JSON.
pub fn check(tagging: Tagging, variants: &[Variant], value: &Value, checker: &mut Checker) {
    match tagging {
        Tagging::External => check_external(variants, value, checker),
        Tagging::Internal { tag } => {
            let Some((variant, entries)) = find(variants, tag, value, checker) else { return };
            let mut rest = entries.clone();
            rest.remove(tag);
            match variant.payload {
                Some(payload) => (payload.check)(&Value::Object(rest), checker),
                None => refuse_keys(rest.keys(), checker),
            }
        }
        Tagging::Adjacent { tag, content } => {
            let Some((variant, entries)) = find(variants, tag, value, checker) else { return };
            refuse_keys(entries.keys().filter(|key| *key != tag && *key != content), checker);
            match (variant.payload, entries.get(content)) {
                (Some(payload), Some(value)) => checker.at_key(content, |checker| (payload.check)(value, checker)),
                (Some(_), None) => checker.at_key(content, Checker::missing),
                (None, Some(_)) => {
                    checker.at_key(content, |checker| checker.fail("unknown", "this variant carries nothing"));
                }
                (None, None) => {}
            }
        }
        // Which of them it is matters less than that none is left out.
        Tagging::Untagged if checker.finds_sensitive() => {
            for payload in variants.iter().filter_map(|variant| variant.payload) {
                (payload.check)(value, checker);
            }
        }
        Tagging::Untagged => {
            if !variants.iter().any(|variant| fits(variant, value)) {
                let names: Vec<_> = variants.iter().map(|variant| variant.rust_name).collect();
                checker.fail("variant", format!("fits none of the allowed forms: {}", names.join(", ")));
            }
        }
    }
}

/// Returns whether a value is this variant of an untagged enum, constraints included.
pub(super) fn fits(variant: &Variant, value: &Value) -> bool {
    let mut trial = Checker::new(crate::error::Place::Body);
    match variant.payload {
        Some(payload) => (payload.check)(value, &mut trial),
        None if !value.is_null() => trial.missing(),
        None => {}
    }
    trial.count() == 0
}

fn check_external(variants: &[Variant], value: &Value, checker: &mut Checker) {
    match value {
        Value::String(name) => match variants.iter().find(|variant| variant.name == name) {
            Some(Variant { payload: None, .. }) => {}
            Some(_) => checker.fail("variant", format!("`{name}` carries a value: write {{\"{name}\": …}}")),
            None => unknown(variants, name, checker),
        },
        Value::Object(entries) if entries.len() == 1 => {
            for (name, value) in entries {
                match variants.iter().find(|variant| variant.name == name) {
                    Some(Variant { payload: Some(payload), .. }) => {
                        checker.at_key(name, |checker| (payload.check)(value, checker));
                    }
                    Some(_) => checker.fail("variant", format!("`{name}` carries nothing: write \"{name}\"")),
                    None => unknown(variants, name, checker),
                }
            }
        }
        Value::Object(_) => checker.fail("variant", "must have exactly one key, the name of the variant"),
        other => checker.wrong_type("the name of a variant, or an object with it as the only key", other),
    }
}

/// Finds the variant that an object's tag names.
fn find<'v>(
    variants: &'v [Variant],
    tag: &str,
    value: &'v Value,
    checker: &mut Checker,
) -> Option<(&'v Variant, &'v Map<String, Value>)> {
    let Value::Object(entries) = value else {
        checker.wrong_type("an object", value);
        return None;
    };
    match entries.get(tag) {
        None => checker.at_key(tag, Checker::missing),
        Some(Value::String(name)) => match variants.iter().find(|variant| variant.name == name) {
            Some(variant) => return Some((variant, entries)),
            None => checker.at_key(tag, |checker| unknown(variants, name, checker)),
        },
        Some(other) => checker.at_key(tag, |checker| checker.wrong_type("a string", other)),
    }
    None
}

fn unknown(variants: &[Variant], name: &str, checker: &mut Checker) {
    checker.fail("variant", not_one_of(variants, name));
}

pub(super) fn not_one_of(variants: &[Variant], name: &str) -> String {
    let names: Vec<_> = variants.iter().map(|variant| format!("`{}`", variant.name)).collect();
    format!("`{name}` is not one of {}", names.join(", "))
}

fn refuse_keys<'k>(keys: impl Iterator<Item = &'k String>, checker: &mut Checker) {
    for key in keys {
        checker.at_key(key, |checker| checker.fail("unknown", "there is no such field"));
    }
}

fn names(variants: &[&Variant]) -> SchemaObject {
    let mut schema = SchemaObject {
        instance_type: Some(InstanceType::String.into()),
        enum_values: Some(variants.iter().map(|variant| json!(variant.name)).collect()),
        ..SchemaObject::default()
    };
    if variants.iter().any(|variant| !variant.docs.is_empty()) {
        let docs: Map<_, _> = variants.iter().map(|variant| (variant.name.to_owned(), json!(variant.docs))).collect();
        schema.extensions.insert("x-enum-descriptions".to_owned(), Value::Object(docs));
    }
    schema
}

fn constant(name: &str) -> Node {
    Node::Object(SchemaObject {
        instance_type: Some(SingleOrVec::from(InstanceType::String)),
        enum_values: Some(vec![json!(name)]),
        ..SchemaObject::default()
    })
}

fn object<const N: usize>(properties: [(&str, Node, bool); N]) -> SchemaObject {
    let mut schema = SchemaObject { instance_type: Some(InstanceType::Object.into()), ..SchemaObject::default() };
    for (key, node, required) in properties {
        schema.object().properties.insert(key.to_owned(), node);
        if required {
            schema.object().required.insert(key.to_owned());
        }
    }
    schema.object().additional_properties = Some(Box::new(Node::Bool(false)));
    schema
}

fn describe(schema: &mut SchemaObject, docs: &str) {
    if !docs.is_empty() {
        schema.metadata().description = Some(docs.to_owned());
    }
}

fn described(mut schema: SchemaObject, docs: &str) -> Node {
    describe(&mut schema, docs);
    Node::Object(schema)
}

fn reference(node: &Node) -> String {
    match node {
        Node::Object(schema) => schema.reference.clone().unwrap_or_default(),
        Node::Bool(_) => String::new(),
    }
}
