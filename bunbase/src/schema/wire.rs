//! Values on their way in and out. A foreign type may take more, or write more, than its schema says: [`Schema::decode`] and
//! [`Schema::encode`] do not, and here is what passes them on to the parts of a value.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Visitor},
    ser::Error as _,
};

use super::{FromText, Schema, ToText};

/// A value on its way out: serialises as [`Schema::encode`] says.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'v, T>(pub &'v T);

impl<T: Schema> Serialize for Wire<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.encode(serializer)
    }
}

/// What `#[serde(serialize_with = "…")]` names on the fields of a type with `#[schema]`.
///
/// # Errors
/// When the value is none that its schema describes.
pub fn encode<T: Schema, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.encode(serializer)
}

/// Decodes one part of a value, as [`Schema::decode`] says.
pub(super) struct Part<T>(PhantomData<T>);

impl<T> Part<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Schema> DeserializeSeed<'de> for Part<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::decode(deserializer)
    }
}

/// Decodes a key or a value that is text on the wire.
pub(super) struct TextPart<T>(PhantomData<T>);

impl<T> TextPart<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: FromText> DeserializeSeed<'de> for TextPart<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T: FromText> Visitor<'_> for TextPart<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(|mistake| E::custom(mistake.message))
    }
}

/// Decodes a value that is text on the wire, exactly as from a parameter.
pub(super) fn decode_text<'de, T: FromText, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    TextPart::new().deserialize(deserializer)
}

/// Writes a value that is text on the wire, exactly as into a header.
pub(super) fn encode_text<T: ToText, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    match value.to_text() {
        Ok(Some(text)) => serializer.serialize_str(&text),
        Ok(None) => serializer.serialize_none(),
        Err(mistake) => Err(S::Error::custom(mistake.message)),
    }
}
