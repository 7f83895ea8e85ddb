//! The opaque text that marks a place in a sorted list.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{
    Error,
    error::{FieldError, Place},
};

/// The longest text that is read as a cursor, in bytes: it travels in URLs. None longer is made by a [`Keyset`](super::Keyset).
const MAX_TEXT_BYTES: usize = 4096;

/// The form of the text. A later form gets another number, so that texts of this one are recognised.
const VERSION: u64 = 1;

/// A place in a sorted list: the sort keys of the last row that was seen.
///
/// Callers take it from one page and send it back for the next, and must not look inside. The text is URL-safe base64 of the
/// JSON array `[version, sort, key, …]`. It is not signed: it holds only sort keys of a row that the caller has
/// seen, and whoever changes it merely asks for another place in the same list.
///
/// ```
/// # use bunbase::db::page::Cursor;
/// let cursor = Cursor::new(7, vec!["2026-01-01T00:00:00Z".into(), 42.into()]);
/// assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
/// assert!("what?".parse::<Cursor>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    sort: u32,
    keys: Vec<Value>,
}

impl Cursor {
    /// Returns the cursor behind a row with these sort `keys`; `sort` tells lists with different orders apart.
    ///
    /// [`Keyset`](super::Keyset) makes them for SeaORM queries.
    pub fn new(sort: u32, keys: Vec<Value>) -> Self {
        Self { sort, keys }
    }

    /// The place that no list has: what a text that is not a cursor is read as, so that the list refuses it as it refuses the
    /// cursor of another one.
    pub(super) fn nowhere() -> Self {
        Self { sort: 0, keys: Vec::new() }
    }

    /// Returns whether the text is short enough to be read back.
    pub(super) fn fits(&self) -> bool {
        self.to_string().len() <= MAX_TEXT_BYTES
    }

    /// Returns the number of the order that this belongs to.
    pub fn sort(&self) -> u32 {
        self.sort
    }

    /// Returns the sort keys of the last row that was seen.
    pub fn keys(&self) -> &[Value] {
        &self.keys
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut array = vec![VERSION.into(), self.sort.into()];
        array.extend(self.keys.iter().cloned());
        f.write_str(&URL_SAFE_NO_PAD.encode(Value::Array(array).to_string()))
    }
}

/// A text is not a cursor, or is one of another list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list; send `next_cursor` of the page before, unchanged, or leave it out")]
pub struct CursorError;

impl From<CursorError> for Error {
    /// 404: a cursor names a place in a list, and there is no such place. Its text is opaque, so no schema can tell a caller
    /// beforehand which texts there are, as 422 would imply.
    fn from(source: CursorError) -> Self {
        let text = source.to_string();
        let field = FieldError {
            place: Place::Query,
            pointer: "/cursor".to_owned(),
            code: "cursor_unknown".into(),
            message: text,
        };
        Self::new(404, "cursor_unknown", "no page begins at this cursor; see `errors`").with_fields(vec![field])
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(CursorError);
        }
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let array: Vec<Value> = serde_json::from_slice(&json).map_err(|_| CursorError)?;
        let [version, sort, keys @ ..] = array.as_slice() else {
            return Err(CursorError);
        };
        let sort = sort.as_u64().and_then(|sort| u32::try_from(sort).ok()).ok_or(CursorError)?;
        let plain = |key: &Value| !(key.is_array() || key.is_object());
        if version.as_u64() != Some(VERSION) || !keys.iter().all(plain) {
            return Err(CursorError);
        }
        Ok(Self { sort, keys: keys.to_vec() })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Cursor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cursor")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Cursor, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn what_a_cursor_prints_parses_back(sort: u32, keys in prop::collection::vec(key(), 0..4)) {
            let cursor = Cursor::new(sort, keys);
            let text = cursor.to_string();
            prop_assume!(text.len() <= MAX_TEXT_BYTES);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(text.parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_a_cursor_panic(text in ".{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = text.parse::<Cursor>();
            let _ = URL_SAFE_NO_PAD.encode(bytes).parse::<Cursor>();
        }
    }

    #[test]
    fn other_versions_shapes_and_sizes_are_refused() {
        for json in ["[]", "[1]", "[2,0,1]", "[1,-1,1]", "[1,0,[1]]", "[1,0,{}]", "{}", "1", "nonsense"] {
            assert_eq!(URL_SAFE_NO_PAD.encode(json).parse::<Cursor>(), Err(CursorError), "{json}");
        }
        let long = Cursor::new(0, vec!["x".repeat(MAX_TEXT_BYTES).into()]);
        assert_eq!(long.to_string().parse::<Cursor>(), Err(CursorError));
        let error = Error::from(CursorError);
        assert_eq!((error.status(), error.fields()[0].pointer.as_str()), (404, "/cursor"));
    }

    #[test]
    fn serde_writes_and_reads_the_text() {
        let cursor = Cursor::new(1, vec![42.into()]);
        let json = serde_json::to_value(&cursor).unwrap();
        assert_eq!(json, Value::from(cursor.to_string()));
        assert_eq!(serde_json::from_value::<Cursor>(json).unwrap(), cursor);
        assert!(serde_json::from_value::<Cursor>("?".into()).is_err());
    }
}
