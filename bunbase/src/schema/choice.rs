//! Decodes enums, strictly: no arrays in the place of objects, no unknown and no repeated keys.
//!
//! serde's derive takes `["Variant", payload]` for tagged enums and extra keys beside plain variants; a document that says
//! otherwise would lie. Where the tag comes first nothing is buffered.

use std::{fmt, marker::PhantomData, vec};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::MapAccessDeserializer,
};
use serde_json::{Map, Value};

use super::{
    record::{deserialize_empty, unknown},
    variant::{Enum, fits, not_one_of},
};

// Four functions and not one that asks for the tagging: each is generic over the deserializer, and the payload of one kind
// read through the adapter of another would be a type without end.

/// Decodes an externally tagged enum.
///
/// # Errors
/// When the value is not one of its variants.
pub fn external<'de, T: Enum, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(External(PhantomData))
}

/// Decodes an internally tagged enum.
///
/// # Errors
/// When the value is not one of its variants.
pub fn internal<'de, T: Enum, D: Deserializer<'de>>(tag: &'static str, deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Internal(tag, PhantomData))
}

/// Decodes an adjacently tagged enum.
///
/// # Errors
/// When the value is not one of its variants.
pub fn adjacent<'de, T: Enum, D: Deserializer<'de>>(
    tag: &'static str,
    content: &'static str,
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Adjacent(tag, content, PhantomData))
}

/// Decodes an untagged enum: as the first variant that fits, constraints included.
///
/// # Errors
/// When the value is not one of its variants.
pub fn untagged<'de, T: Enum, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = Distinct.deserialize(deserializer)?;
    let index = T::VARIANTS
        .iter()
        .position(|variant| fits(variant, &value))
        .ok_or_else(|| D::Error::custom("fits none of the allowed forms"))?;
    carry_or_plain(index, &value)
}

/// Makes variant `index` of a payload that is already there.
fn carry_or_plain<T: Enum, E: serde::de::Error>(index: usize, payload: &Value) -> Result<T, E> {
    match T::plain(index) {
        Some(value) => Ok(value),
        None => T::carry(index, payload).map_err(E::custom),
    }
}

/// Returns the index of a variant, whether or not it carries something.
fn position<T: Enum, E: serde::de::Error>(name: &str) -> Result<usize, E> {
    T::VARIANTS
        .iter()
        .position(|variant| variant.name == name)
        .ok_or_else(|| E::custom(format_args!("unknown variant: {}", not_one_of(T::VARIANTS, name))))
}

struct External<T>(PhantomData<T>);

impl<'de, T: Enum> Visitor<'de> for External<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a variant, or an object with it as the only key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
        T::plain(position::<T, E>(name)?).ok_or_else(|| E::custom(format_args!("variant `{name}` carries a value")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| A::Error::custom("an empty object names no variant"))?;
        let value = map.next_value_seed(Payload::<T>(position::<T, _>(&name)?, PhantomData))?;
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(key) => Err(A::Error::custom(format_args!("a second key `{key}` beside the variant's name"))),
        }
    }
}

/// Decodes the payload of one variant.
struct Payload<T>(usize, PhantomData<T>);

impl<'de, T: Enum> DeserializeSeed<'de> for Payload<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::carry(self.0, deserializer)
    }
}

struct Internal<T>(&'static str, PhantomData<T>);

impl<'de, T: Enum> Visitor<'de> for Internal<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the key `{}`", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut before = Vec::new();
        let name: String = loop {
            match map.next_key::<String>()? {
                None => return Err(A::Error::missing_field(self.0)),
                Some(key) if key == self.0 => break map.next_value()?,
                Some(key) => before.push((key, map.next_value_seed(Distinct)?)),
            }
        };
        let index = position::<T, _>(&name)?;
        let rest = MapAccessDeserializer::new(Rest { before: before.into_iter(), value: None, map });
        match T::plain(index) {
            Some(value) => deserialize_empty(rest).map(|()| value),
            None => T::carry(index, rest),
        }
    }
}

/// The entries of an object without its tag: those read before it, then those that follow.
struct Rest<A> {
    before: vec::IntoIter<(String, Value)>,
    value: Option<Value>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.before.next() {
            Some((key, value)) => {
                self.value = Some(value);
                seed.deserialize(key.into_deserializer()).map(Some)
            }
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value).map_err(A::Error::custom),
            None => self.map.next_value_seed(seed),
        }
    }
}

struct Adjacent<T>(&'static str, &'static str, PhantomData<T>);

impl<'de, T: Enum> Visitor<'de> for Adjacent<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the keys `{}` and `{}`", self.0, self.1)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let (tag, content) = (self.0, self.1);
        let mut index = None;
        let mut early = None;
        let mut value = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == tag {
                if index.is_some() {
                    return Err(A::Error::duplicate_field(tag));
                }
                index = Some(position::<T, _>(&map.next_value::<String>()?)?);
            } else if key == content {
                if early.is_some() || value.is_some() {
                    return Err(A::Error::duplicate_field(content));
                }
                match index {
                    Some(index) => value = Some(map.next_value_seed(Payload::<T>(index, PhantomData))?),
                    None => early = Some(map.next_value_seed(Distinct)?),
                }
            } else {
                return Err(unknown(&key));
            }
        }
        let index = index.ok_or_else(|| A::Error::missing_field(tag))?;
        match (value, early) {
            (Some(value), _) => Ok(value),
            (None, Some(payload)) => T::carry(index, payload).map_err(A::Error::custom),
            (None, None) => T::plain(index).ok_or_else(|| A::Error::missing_field(content)),
        }
    }
}

/// Decodes JSON of any kind, without keys that are there twice: `Value` itself keeps the last of them in silence.
pub(super) struct Distinct;

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Distinct)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
            }
            let value = map.next_value_seed(Distinct)?;
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}
