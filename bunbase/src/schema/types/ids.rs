//! Identifiers.

use std::borrow::Cow;

use schemars::schema::SchemaObject;
use serde::Deserializer;
use serde_json::Value;
use uuid::{Uuid, fmt::Hyphenated};

use super::formatted;
use crate::schema::{Checker, FromText, Generator, Mistake, Schema, ToText, wire::decode_text};

impl Schema for Uuid {
    fn label() -> Cow<'static, str> {
        "Uuid".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        formatted("uuid")
    }

    fn check(value: &Value, checker: &mut Checker) {
        match value {
            Value::String(text) => {
                if let Err(mistake) = Self::from_text(text) {
                    checker.fail(mistake.code, mistake.message);
                }
            }
            other => checker.wrong_type("a string", other),
        }
    }

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decode_text(deserializer)
    }
}

impl FromText for Uuid {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        // The crate also reads braces, `urn:uuid:` and digits without hyphens, which the format `uuid` does not mean.
        let value = Self::try_parse(text).ok().filter(|_| text.len() == Hyphenated::LENGTH);
        value.ok_or_else(|| Mistake::new("format", "must be a UUID such as `0197a2e4-7c1b-7000-8000-3f2b6c9d1e5a`"))
    }
}

impl ToText for Uuid {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(self.to_string().into()))
    }
}
