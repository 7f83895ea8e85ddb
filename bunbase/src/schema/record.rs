//! Structs with named fields: decoded field by field, wherever each field comes from.

use std::{fmt, marker::PhantomData};

use schemars::schema::{InstanceType, Schema as Node, SchemaObject};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::{Checker, Field, Generator, Mistake, Schema};

/// A struct with named fields, as `#[schema]` and `#[action]` emit it.
///
/// Decoding fills slots, one an input field, from any mix of places, and takes the struct out of them at the end. So a request's
/// path, query, headers and body go straight into the fields.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of an action",
    label = "not a struct with named fields and `#[schema]`",
    note = "put `#[schema]` on the struct; a single value is a parameter of its own instead"
)]
pub trait Record: Schema + Sized {
    /// The fields in the order of their declaration; at most 128.
    const FIELDS: &'static [Field];

    /// One `Option` a field.
    type Slots: Send;

    /// Returns empty slots.
    fn slots() -> Self::Slots;

    /// Returns the index of the field with this JSON key.
    fn index(key: &str) -> Option<usize>;

    /// Decodes field `index` from JSON (or another format of serde) into its slot.
    fn put<'de, D: Deserializer<'de>>(slots: &mut Self::Slots, index: usize, value: D) -> Result<(), D::Error>;

    /// Decodes field `index` from text into its slot.
    fn put_texts(slots: &mut Self::Slots, index: usize, texts: &[std::borrow::Cow<'_, str>]) -> Result<(), Mistake>;

    /// Makes the struct, with defaults for empty slots; the index of a missing field otherwise.
    fn take(slots: Self::Slots) -> Result<Self, usize>;
}

/// A type whose keys can stand beside the tag of an enum: a struct with named fields.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no keys to put the tag beside",
    label = "a variant of an internally tagged enum carries named fields",
    note = "name the variant's fields, carry a struct with `#[schema]` and named fields, or write `content = \"value\"` too"
)]
pub trait BesideTag {}
impl<T: Record> BesideTag for T {}

/// Decodes a record from a map. Refuses unknown and repeated keys, and arrays in the place of objects.
pub fn deserialize<'de, T: Record, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut slots = T::slots();
    fill::<T, D>(deserializer, &mut slots, |_| true)?;
    T::take(slots).map_err(|index| D::Error::missing_field(T::FIELDS[index].key))
}

/// Decodes those fields of a record that `belongs` names from a map into their slots.
pub fn fill<'de, T: Record, D: Deserializer<'de>>(
    deserializer: D,
    slots: &mut T::Slots,
    belongs: impl Fn(usize) -> bool,
) -> Result<(), D::Error> {
    deserializer.deserialize_map(RecordVisitor::<T, _> { slots, belongs })
}

struct RecordVisitor<'s, T: Record, B> {
    slots: &'s mut T::Slots,
    belongs: B,
}

impl<'de, T: Record, B: Fn(usize) -> bool> Visitor<'de> for RecordVisitor<'_, T, B> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u128;
        while let Some(key) = map.next_key_seed(KeySeed::<T>(PhantomData))? {
            let index = match key {
                Ok(index) if (self.belongs)(index) => index,
                Ok(index) => return Err(unknown(T::FIELDS[index].key)),
                Err(key) => return Err(unknown(&key)),
            };
            let bit = 1_u128 << index;
            if seen & bit != 0 {
                return Err(A::Error::duplicate_field(T::FIELDS[index].key));
            }
            seen |= bit;
            map.next_value_seed(ValueSeed::<T> { slots: &mut *self.slots, index })?;
        }
        Ok(())
    }
}

pub(super) fn unknown<E: serde::de::Error>(key: &str) -> E {
    E::custom(format_args!("unknown field `{key}`"))
}

/// Reads a key as the index of its field, or gives back an unknown one.
struct KeySeed<T>(PhantomData<T>);

impl<'de, T: Record> DeserializeSeed<'de> for KeySeed<T> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<T: Record> Visitor<'_> for KeySeed<T> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(T::index(key).ok_or_else(|| key.to_owned()))
    }
}

struct ValueSeed<'s, T: Record> {
    slots: &'s mut T::Slots,
    index: usize,
}

impl<'de, T: Record> DeserializeSeed<'de> for ValueSeed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        T::put(self.slots, self.index, deserializer)
    }
}

/// Decodes an object without keys: the payload of a plain variant of a tagged enum.
pub fn deserialize_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    struct Empty;
    impl<'de> Visitor<'de> for Empty {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            match map.next_entry::<String, IgnoredAny>()? {
                Some((key, _)) => Err(unknown(&key)),
                None => Ok(()),
            }
        }
    }
    deserializer.deserialize_map(Empty)
}

/// Returns the schema of a whole record with its doc comment.
pub fn schema(fields: &[Field], docs: &str, generator: &mut Generator) -> SchemaObject {
    let mut schema = object(fields, generator, |_| true);
    describe(&mut schema, docs);
    schema
}

/// Adds a doc comment, where there is one.
pub(super) fn describe(schema: &mut SchemaObject, docs: &str) {
    if !docs.is_empty() {
        schema.metadata().description = Some(docs.to_owned());
    }
}

/// Returns whether a value is left out when its struct is written: absent, and not the same as `null`.
pub fn is_absent<T: Schema>(value: &T) -> bool {
    value.is_absent()
}

/// Returns whether a table has this key. For assertions at compile time.
pub const fn has_key(fields: &[Field], key: &str) -> bool {
    let mut index = 0;
    while index < fields.len() {
        if same(fields[index].key.as_bytes(), key.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Returns the schema of an object with those fields of a table that `belongs` names.
pub fn object(fields: &[Field], generator: &mut Generator, belongs: impl Fn(usize) -> bool) -> SchemaObject {
    let mut schema = SchemaObject { instance_type: Some(InstanceType::Object.into()), ..SchemaObject::default() };
    for (_, field) in fields.iter().enumerate().filter(|(index, _)| belongs(*index)) {
        let node = property(field, generator);
        let object = schema.object();
        object.properties.insert(field.key.to_owned(), node);
        if field.required {
            object.required.insert(field.key.to_owned());
        }
    }
    schema.object().additional_properties = Some(Box::new(Node::Bool(false)));
    schema
}

/// Returns the schema of one field: its type's, with constraints, description and default.
pub fn property(field: &Field, generator: &mut Generator) -> Node {
    let node = (field.schema)(generator);
    let default = field.default.and_then(|default| default()).filter(|value| !value.is_null());
    let plain = field.docs.is_empty() && field.constraints.is_empty() && default.is_none() && !field.deprecated;
    if plain && !field.sensitive {
        return node;
    }
    let mut schema = match node {
        Node::Object(schema) if schema.reference.is_none() => schema,
        // In OpenAPI 3.0 a reference has no siblings.
        node => {
            let mut schema = SchemaObject::default();
            schema.subschemas().all_of = Some(vec![node]);
            schema
        }
    };
    for rule in field.constraints {
        rule.publish(&mut schema);
    }
    if !field.docs.is_empty() {
        schema.metadata().description = Some(field.docs.to_owned());
    }
    if let Some(default) = default {
        schema.metadata().default = Some(default);
    }
    schema.metadata().deprecated |= field.deprecated;
    if field.sensitive {
        schema.extensions.insert("writeOnly".to_owned(), json!(true));
    }
    Node::Object(schema)
}

/// Reports every mistake of a JSON object against those fields of a table that `belongs` names.
pub fn check(fields: &[Field], value: &Value, checker: &mut Checker, belongs: impl Fn(usize) -> bool) {
    // Once in a program, and not once for each action.
    check_those(fields, value, checker, &belongs);
}

fn check_those(fields: &[Field], value: &Value, checker: &mut Checker, belongs: &dyn Fn(usize) -> bool) {
    let Value::Object(entries) = value else {
        return checker.wrong_type("an object", value);
    };
    for key in entries.keys() {
        if !fields.iter().enumerate().any(|(index, field)| field.key == key && belongs(index)) {
            checker.at_key(key, |checker| checker.fail("unknown", "there is no such field"));
        }
    }
    for (_, field) in fields.iter().enumerate().filter(|(index, _)| belongs(*index)) {
        checker.at_key(field.key, |checker| match entries.get(field.key) {
            Some(value) => field.check(value, checker),
            None if field.required => checker.missing(),
            None => {}
        });
    }
}
