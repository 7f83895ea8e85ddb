//! Enums: one schema and one check for every way in which serde writes them.

use std::{fmt, marker::PhantomData};

use schemars::schema::{InstanceType, Schema as Node, SchemaObject, SingleOrVec};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value, json};

use super::{Checker, Generator, Mistake, Schema};

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

/// Returns the schema of an enum.
pub fn schema(label: &str, tagging: Tagging, variants: &[Variant], generator: &mut Generator) -> SchemaObject {
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
                (None, Some(_)) => checker.at_key(content, |checker| checker.fail("unknown", "this variant carries nothing")),
                (None, None) => {}
            }
        }
        Tagging::Untagged => {
            let fits = |variant: &Variant| {
                let mut trial = Checker::new(crate::error::Place::Body);
                match variant.payload {
                    Some(payload) => (payload.check)(value, &mut trial),
                    None if !value.is_null() => trial.missing(),
                    None => {}
                }
                trial.count() == 0
            };
            if !variants.iter().any(fits) {
                let names: Vec<_> = variants.iter().map(|variant| variant.rust_name).collect();
                checker.fail("variant", format!("fits none of the allowed forms: {}", names.join(", ")));
            }
        }
    }
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
    let names: Vec<_> = variants.iter().map(|variant| format!("`{}`", variant.name)).collect();
    checker.fail("variant", format!("`{name}` is not one of {}", names.join(", ")));
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

/// An externally tagged enum: `"Variant"` or `{"Variant": payload}`, and nothing else.
pub trait External: Sized {
    /// All variants, in the order of their declaration.
    const VARIANTS: &'static [Variant];

    /// Returns variant `index`, which carries nothing.
    fn plain(index: usize) -> Option<Self>;

    /// Decodes the payload of variant `index`.
    fn carry<'de, D: Deserializer<'de>>(index: usize, payload: D) -> Result<Self, D::Error>;
}

/// Decodes an externally tagged enum. Unlike serde's derive it refuses `{"Variant": null}` for a plain name.
pub fn deserialize_external<'de, T: External, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(ExternalVisitor(PhantomData))
}

struct ExternalVisitor<T>(PhantomData<T>);

impl<'de, T: External> Visitor<'de> for ExternalVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a variant, or an object with it as the only key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
        let index = T::VARIANTS.iter().position(|variant| variant.name == name && variant.payload.is_none());
        index.and_then(T::plain).ok_or_else(|| E::custom(format_args!("unknown variant `{name}`")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| A::Error::custom("an empty object names no variant"))?;
        let index = T::VARIANTS
            .iter()
            .position(|variant| variant.name == name && variant.payload.is_some())
            .ok_or_else(|| A::Error::custom(format_args!("unknown variant `{name}`")))?;
        let value = map.next_value_seed(PayloadSeed::<T>(index, PhantomData))?;
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(key) => Err(A::Error::custom(format_args!("a second key `{key}` beside the variant's name"))),
        }
    }
}

struct PayloadSeed<T>(usize, PhantomData<T>);

impl<'de, T: External> DeserializeSeed<'de> for PayloadSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::carry(self.0, deserializer)
    }
}

/// Reads a plain name of an enum from text.
pub fn from_text<T: External>(text: &str) -> Result<T, Mistake> {
    let index = T::VARIANTS.iter().position(|variant| variant.name == text && variant.payload.is_none());
    index.and_then(T::plain).ok_or_else(|| {
        let names: Vec<_> = T::VARIANTS.iter().map(|variant| format!("`{}`", variant.name)).collect();
        Mistake::new("variant", format!("`{text}` is not one of {}", names.join(", ")))
    })
}
