//! What holds other values: options, lists, sets, maps, tuples, boxes, and JSON of any kind.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    sync::Arc,
};

use schemars::schema::{InstanceType, SchemaObject};
use serde::{
    Deserializer, Serializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    ser::SerializeTuple,
};
use serde_json::{Value, json};

use super::{null, nullable, of_type};
use crate::schema::{
    Checker, FromText, Generator, Schema,
    choice::Distinct,
    wire::{Part, TextPart, Wire},
};

impl<T: Schema> Schema for Option<T> {
    const OPTIONAL: bool = true;

    fn label() -> Cow<'static, str> {
        format!("Optional{}", T::label()).into()
    }

    fn schema(generator: &mut Generator) -> SchemaObject {
        nullable(generator.of::<T>())
    }

    fn check(value: &Value, checker: &mut Checker) {
        if !value.is_null() {
            T::check(value, checker);
        }
    }

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Maybe<T>(PhantomData<T>);

        impl<'de, T: Schema> Visitor<'de> for Maybe<T> {
            type Value = Option<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or null")
            }

            fn visit_none<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_unit<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
                T::decode(deserializer).map(Some)
            }
        }

        deserializer.deserialize_option(Maybe(PhantomData))
    }

    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            None => serializer.serialize_none(),
            Some(value) => serializer.serialize_some(&Wire(value)),
        }
    }

    fn valid(&self) -> bool {
        self.as_ref().is_none_or(T::valid)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

macro_rules! transparent {
    ($($type:ty),*) => {$(
        impl<T: Schema> Schema for $type {
            const OPTIONAL: bool = T::OPTIONAL;
            const COMPONENT: bool = T::COMPONENT;

            fn label() -> Cow<'static, str> {
                T::label()
            }

            fn identity() -> &'static str {
                T::identity()
            }

            fn schema(generator: &mut Generator) -> SchemaObject {
                T::schema(generator)
            }

            fn check(value: &Value, checker: &mut Checker) {
                T::check(value, checker);
            }

            fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                T::decode(deserializer).map(Self::new)
            }

            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                T::encode(self, serializer)
            }

            fn valid(&self) -> bool {
                T::valid(self)
            }

            fn is_absent(&self) -> bool {
                T::is_absent(self)
            }

            fn absent() -> Option<Self> {
                T::absent().map(Self::new)
            }
        }
    )*};
}
transparent!(Box<T>, Arc<T>);

macro_rules! lists {
    ($([$($generics:tt)*] $type:ty, $label:literal, $unique:expr, $add:expr;)*) => {$(
        impl<$($generics)*> Schema for $type {
            fn label() -> Cow<'static, str> {
                format!("{}Of{}", $label, T::label()).into()
            }

            fn schema(generator: &mut Generator) -> SchemaObject {
                let mut schema = of_type(InstanceType::Array);
                schema.array().items = Some(generator.of::<T>().into());
                schema.array().unique_items = $unique;
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                match value {
                    Value::Array(items) => {
                        for (index, item) in items.iter().enumerate() {
                            checker.at_index(index, |checker| {
                                T::check(item, checker);
                                if $unique == Some(true) && items[..index].contains(item) {
                                    checker.fail("unique", "this item is there twice");
                                }
                            });
                        }
                    }
                    other => checker.wrong_type("an array", other),
                }
            }

            fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_seq(Items { list: Self::default(), add: $add, item: PhantomData })
            }

            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.iter().map(Wire))
            }

            fn valid(&self) -> bool {
                self.iter().all(T::valid)
            }
        }
    )*};
}
lists! {
    [T: Schema] Vec<T>, "List", None::<bool>, |list: &mut Self, item| { list.push(item); true };
    [T: Schema + Ord] BTreeSet<T>, "Set", Some(true), Self::insert;
    [T: Schema + Eq + Hash, H: BuildHasher + Default] HashSet<T, H>, "Set", Some(true), Self::insert;
}

/// Decodes the items of a list. `add` answers whether the item was new, where that matters.
struct Items<L, T> {
    list: L,
    add: fn(&mut L, T) -> bool,
    item: PhantomData<T>,
}

impl<'de, L, T: Schema> Visitor<'de> for Items<L, T> {
    type Value = L;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<L, A::Error> {
        while let Some(item) = seq.next_element_seed(Part::new())? {
            if !(self.add)(&mut self.list, item) {
                return Err(A::Error::custom("an item is there twice"));
            }
        }
        Ok(self.list)
    }
}

macro_rules! maps {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> Schema for $type {
            fn label() -> Cow<'static, str> {
                format!("MapOf{}", V::label()).into()
            }

            fn schema(generator: &mut Generator) -> SchemaObject {
                let mut schema = of_type(InstanceType::Object);
                schema.object().additional_properties = Some(Box::new(generator.of::<V>()));
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                match value {
                    Value::Object(entries) => {
                        for (key, value) in entries {
                            checker.at_key(key, |checker| {
                                if let Err(mistake) = K::from_text(key) {
                                    checker.fail(mistake.code, mistake.message);
                                }
                                V::check(value, checker);
                            });
                        }
                    }
                    other => checker.wrong_type("an object", other),
                }
            }

            fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let add: fn(&mut Self, K, V) -> bool = |map, key, value| map.insert(key, value).is_none();
                deserializer.deserialize_map(Entries { map: Self::default(), add, entry: PhantomData })
            }

            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.iter().map(|(key, value)| (Wire(key), Wire(value))))
            }

            fn valid(&self) -> bool {
                self.iter().all(|(key, value)| key.valid() && value.valid())
            }
        }
    )*};
}
maps! {
    [K: Schema + FromText + Ord, V: Schema] BTreeMap<K, V>;
    [K: Schema + FromText + Eq + Hash, V: Schema, H: BuildHasher + Default] HashMap<K, V, H>;
}

/// Decodes the entries of a map. `add` answers whether the key was new.
struct Entries<M, K, V> {
    map: M,
    add: fn(&mut M, K, V) -> bool,
    entry: PhantomData<(K, V)>,
}

impl<'de, M, K: FromText, V: Schema> Visitor<'de> for Entries<M, K, V> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<M, A::Error> {
        while let Some(key) = map.next_key_seed(TextPart::new())? {
            let value = map.next_value_seed(Part::new())?;
            if !(self.add)(&mut self.map, key, value) {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(self.map)
    }
}

impl Schema for Value {
    fn label() -> Cow<'static, str> {
        "Json".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        SchemaObject::default()
    }

    fn check(_value: &Value, _checker: &mut Checker) {}

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Distinct.deserialize(deserializer)
    }
}

impl Schema for () {
    fn label() -> Cow<'static, str> {
        "Nothing".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        null().into_object()
    }

    fn check(value: &Value, checker: &mut Checker) {
        if !value.is_null() {
            checker.wrong_type("null", value);
        }
    }
}

macro_rules! tuples {
    ($($count:literal: $($type:ident $index:tt),+;)*) => {$(
        impl<$($type: Schema),+> Schema for ($($type,)+) {
            fn label() -> Cow<'static, str> {
                [$($type::label()),+].concat().into()
            }

            fn schema(generator: &mut Generator) -> SchemaObject {
                let mut schema = of_type(InstanceType::Array);
                let mut item = SchemaObject::default();
                // OpenAPI 3.0 has no schemas by position: any of them, and the exact count.
                item.subschemas().any_of = Some(vec![$(generator.of::<$type>()),+]);
                schema.array().items = Some(schemars::schema::Schema::Object(item).into());
                schema.array().min_items = Some($count);
                schema.array().max_items = Some($count);
                schema.extensions.insert(
                    "x-prefix-items".to_owned(),
                    json!([$(generator.of::<$type>()),+]),
                );
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                match value {
                    Value::Array(items) if items.len() == $count => {
                        $(checker.at_index($index, |checker| $type::check(&items[$index], checker));)+
                    }
                    Value::Array(items) => {
                        checker.fail("length", format!("must have exactly {} items, has {}", $count, items.len()));
                    }
                    other => checker.wrong_type("an array", other),
                }
            }

            fn decode<'de, __D: Deserializer<'de>>(deserializer: __D) -> Result<Self, __D::Error> {
                struct Parts<$($type),+>(PhantomData<($($type,)+)>);

                impl<'de, $($type: Schema),+> Visitor<'de> for Parts<$($type),+> {
                    type Value = ($($type,)+);

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "an array of {}", $count)
                    }

                    fn visit_seq<__A: SeqAccess<'de>>(self, mut seq: __A) -> Result<Self::Value, __A::Error> {
                        Ok(($(
                            seq.next_element_seed(Part::<$type>::new())?
                                .ok_or_else(|| __A::Error::invalid_length($index, &self))?,
                        )+))
                    }
                }

                deserializer.deserialize_tuple($count, Parts(PhantomData))
            }

            fn encode<__S: Serializer>(&self, serializer: __S) -> Result<__S::Ok, __S::Error> {
                let mut tuple = serializer.serialize_tuple($count)?;
                $(tuple.serialize_element(&Wire(&self.$index))?;)+
                tuple.end()
            }

            fn valid(&self) -> bool {
                $(self.$index.valid())&&+
            }
        }
    )*};
}
tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
}
