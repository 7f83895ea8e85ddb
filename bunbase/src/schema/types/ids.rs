//! Identifiers.

use std::borrow::Cow;

use schemars::schema::SchemaObject;
use serde_json::Value;
use uuid::Uuid;

use super::formatted;
use crate::schema::{Checker, FromText, Generator, Mistake, Schema, ToText};

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
}

impl FromText for Uuid {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        Self::try_parse(text)
            .map_err(|_| Mistake::new("format", "must be a UUID such as `0197a2e4-7c1b-7000-8000-3f2b6c9d1e5a`"))
    }
}

impl ToText for Uuid {
    fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(self.to_string().into())
    }
}
