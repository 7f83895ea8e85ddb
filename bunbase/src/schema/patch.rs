//! A field of a partial update: absent, `null`, or a value.

use std::borrow::Cow;

use schemars::schema::SchemaObject;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Checker, Generator, Schema, types, wire::Wire};

/// What a partial update says about one field, as in JSON Merge Patch (RFC 7396).
///
/// A missing key is [`Patch::Keep`], `null` is [`Patch::Clear`], anything else is [`Patch::Set`].
///
/// ```
/// # use bunbase::schema::Patch;
/// let due: Patch<u8> = serde_json::from_str("null").unwrap();
/// assert_eq!(due, Patch::Clear);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The key was missing: leave the field as it is.
    #[default]
    Keep,
    /// The key was `null`: empty the field.
    Clear,
    /// The key had a value.
    Set(T),
}

impl<T> Patch<T> {
    /// Returns whether the key was missing.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Returns the new value, if there is one.
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Returns the field's new content: `None` to leave it, `Some(None)` to empty it, `Some(Some(value))` to set it.
    pub fn into_option(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }

    /// Applies the update to a field.
    pub fn apply(self, field: &mut Option<T>) {
        if let Some(value) = self.into_option() {
            *field = value;
        }
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    /// `#[schema]` leaves the key of a `Keep` out; on its own it is `null`, because serde has no word for nothing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_set().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T: Schema> Schema for Patch<T> {
    const OPTIONAL: bool = true;

    fn label() -> Cow<'static, str> {
        T::label()
    }

    fn schema(generator: &mut Generator) -> SchemaObject {
        types::nullable(generator.of::<T>())
    }

    fn check(value: &Value, checker: &mut Checker) {
        if !value.is_null() {
            T::check(value, checker);
        }
    }

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::decode(deserializer)?.map_or(Self::Clear, Self::Set))
    }

    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_set().map(Wire).serialize(serializer)
    }

    fn valid(&self) -> bool {
        self.as_set().is_none_or(T::valid)
    }

    fn is_absent(&self) -> bool {
        self.is_keep()
    }

    fn absent() -> Option<Self> {
        Some(Self::Keep)
    }
}
