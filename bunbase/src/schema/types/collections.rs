//! What holds other values: options, lists, sets, maps, tuples, boxes, and JSON of any kind.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use schemars::schema::{InstanceType, SchemaObject};
use serde_json::{Value, json};

use super::{null, nullable, of_type};
use crate::schema::{Checker, FromText, Generator, Schema};

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
    ($([$($generics:tt)*] $type:ty, $label:literal, $unique:expr;)*) => {$(
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

            fn valid(&self) -> bool {
                self.iter().all(T::valid)
            }
        }
    )*};
}
lists! {
    [T: Schema] Vec<T>, "List", None::<bool>;
    [T: Schema + Ord] BTreeSet<T>, "Set", Some(true);
    [T: Schema + Eq + Hash, S: BuildHasher] HashSet<T, S>, "Set", Some(true);
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

            fn valid(&self) -> bool {
                self.iter().all(|(key, value)| key.valid() && value.valid())
            }
        }
    )*};
}
maps! {
    [K: Schema + FromText + Ord, V: Schema] BTreeMap<K, V>;
    [K: Schema + FromText + Eq + Hash, V: Schema, S: BuildHasher] HashMap<K, V, S>;
}

impl Schema for Value {
    fn label() -> Cow<'static, str> {
        "Json".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        SchemaObject::default()
    }

    fn check(_value: &Value, _checker: &mut Checker) {}
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
