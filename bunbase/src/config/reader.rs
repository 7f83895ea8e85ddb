//! Reads an application's own type out of [`Value`]s, with errors that do not repeat the value.

use std::{collections::BTreeMap, fmt};

use serde::{
    de::{
        self, IntoDeserializer, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{Value, secret, setting::items, suggest};

/// A sentence about a value, which it does not repeat: the section may hold secrets.
#[derive(Debug)]
pub(super) struct ReadError(String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(format!("is not right: {message}"))
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(format!("must be {expected}, not {}", kind(&unexpected)))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self(format!("must be {expected}, not this {}", kind(&unexpected).trim_start_matches("a ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("has no `{field}`, which is required"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        match suggest::nearest(field, expected.iter().copied()) {
            Some(near) => Self(format!("is not a setting; did you mean `{near}`?")),
            None => Self(format!("is not a setting; there are {}", expected.join(", "))),
        }
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("must be one of {}", expected.join(", ")))
    }
}

fn kind(unexpected: &de::Unexpected<'_>) -> &'static str {
    match unexpected {
        de::Unexpected::Bool(_) => "a boolean",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "a whole number",
        de::Unexpected::Float(_) => "a number with a fraction",
        de::Unexpected::Str(_) | de::Unexpected::Char(_) => "a string",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a table",
        _ => "this",
    }
}

/// A value that is being read.
#[derive(Clone, Copy)]
pub(super) enum Reader<'de> {
    /// Text of a variable, or an item of its list; becomes what the type asks for.
    Text(&'de str),
    /// A value with a type of its own.
    Value(&'de Value),
}

impl<'de> Reader<'de> {
    fn new(value: &'de Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            other => Self::Value(other),
        }
    }

    fn as_text(&self) -> Option<&'de str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Value(_) => None,
        }
    }

    /// Returns the file that a secret is in, where the value says so.
    fn file(&self) -> Option<&'de str> {
        match self {
            Self::Value(Value::Table(table)) if table.len() == 1 => match table.get("file")? {
                Value::Text(path) | Value::String(path) => Some(path),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The text of a file that is being read, as that of a variable is.
struct InFile(String);

impl InFile {
    fn read(path: &str) -> Result<Self, ReadError> {
        let failed = |error| ReadError(format!("is in the file {path:?}, which cannot be read: {error}"));
        secret::in_file(path).map(Self).map_err(failed)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as a reader answers")]
    fn as_text(&self) -> Option<&str> {
        Some(&self.0)
    }
}

type Entries<'de> = MapDeserializer<'de, std::vec::IntoIter<(&'de str, Reader<'de>)>, ReadError>;

fn entries(table: &BTreeMap<String, Value>) -> Entries<'_> {
    let entries: Vec<_> = table.iter().map(|(key, value)| (key.as_str(), Reader::new(value))).collect();
    MapDeserializer::new(entries.into_iter())
}

/// Converts a variable's text to a number or a boolean, where the type asks for one.
macro_rules! convert_text {
    ($($method:ident $type:ty => $visit:ident,)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            let Some(text) = self.as_text() else { return self.deserialize_any(visitor) };
            match text.trim().parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::invalid_type(de::Unexpected::Str(text), &visitor)),
            }
        }
    )+};
}

macro_rules! numbers {
    () => {
        convert_text! {
            deserialize_bool bool => visit_bool,
            deserialize_i8 i64 => visit_i64,
            deserialize_i16 i64 => visit_i64,
            deserialize_i32 i64 => visit_i64,
            deserialize_i64 i64 => visit_i64,
            deserialize_i128 i128 => visit_i128,
            deserialize_u8 u64 => visit_u64,
            deserialize_u16 u64 => visit_u64,
            deserialize_u32 u64 => visit_u64,
            deserialize_u64 u64 => visit_u64,
            deserialize_u128 u128 => visit_u128,
            deserialize_f32 f64 => visit_f64,
            deserialize_f64 f64 => visit_f64,
        }
    };
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let value = match self {
            Self::Text(text) => return visitor.visit_borrowed_str(text),
            Self::Value(value) => value,
        };
        match value {
            Value::Text(text) | Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_i128(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(flag) => visitor.visit_bool(*flag),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader::new))),
            Value::Table(table) => visitor.visit_map(entries(table)),
        }
    }

    numbers!();

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.file().filter(|_| name == secret::NAME) {
            Some(path) => visitor.visit_newtype_struct(InFile::read(path)?),
            None => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self {
            Self::Text(text) => visitor.visit_seq(SeqDeserializer::new(items(text).map(Reader::Text))),
            Self::Value(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self {
            Self::Text(text) => visitor.visit_enum(text.into_deserializer()),
            Self::Value(Value::String(text)) => visitor.visit_enum(text.as_str().into_deserializer()),
            Self::Value(Value::Table(table)) if table.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries(table)))
            }
            Self::Value(_) => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> de::Deserializer<'de> for InFile {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_string(self.0)
    }

    numbers!();

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any seq enum
    }
}

impl<'de> IntoDeserializer<'de, ReadError> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
