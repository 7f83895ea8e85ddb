//! A value before it has the type that its key asks for.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{ByteSize, duration};

/// The value of a setting, as a file, a variable or code gave it.
///
/// Made with `From`: `loader.set("http.port", 8080)`, `loader.set("http.request_timeout", Duration::from_secs(5))`. Its
/// `Debug` names the kind only, since it may hold a password.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text without a type of its own, from a variable or the command line; becomes what its key asks for.
    Text(String),
    /// A string.
    String(String),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list.
    List(Vec<Value>),
    /// A table of named values.
    Table(BTreeMap<String, Value>),
}

impl Value {
    /// Returns what this is, with its article: `a string`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::String(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Boolean(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// Returns the value for a message, or only its kind where it is long or could be a secret.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) if is_harmless(text) => format!("`{text}`"),
            Self::String(text) if is_harmless(text) => format!("the string {text:?}"),
            Self::Integer(number) => format!("`{number}`"),
            Self::Float(number) => format!("`{number}`"),
            Self::Boolean(flag) => format!("`{flag}`"),
            other => other.kind().to_owned(),
        }
    }
}

/// A URL or a long text under the wrong key may carry a password into the log.
fn is_harmless(text: &str) -> bool {
    text.len() <= 32 && !text.contains(['@', '\n']) && !text.contains("://")
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

macro_rules! from_integers {
    ($($integer:ty)+) => {$(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Integer(value.into())
            }
        }
    )+};
}
from_integers!(i8 i16 i32 i64 u8 u16 u32 u64);

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(value as i128)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::String(duration::print(value))
    }
}

impl From<ByteSize> for Value {
    fn from(value: ByteSize) -> Self {
        Self::String(value.to_string())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
