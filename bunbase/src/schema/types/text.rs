//! Strings.

use std::borrow::Cow;

use schemars::schema::{InstanceType, SchemaObject};
use serde_json::Value;

use super::of_type;
use crate::schema::{Checker, FromText, Generator, Mistake, Schema, ToText};

/// What every string must match: no U+0000, which Postgres cannot store and C libraries cut at.
pub(crate) const NO_NUL: &str = r"^[^\u0000]*$";

impl Schema for String {
    fn label() -> Cow<'static, str> {
        "String".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        let mut schema = of_type(InstanceType::String);
        schema.string().pattern = Some(NO_NUL.to_owned());
        schema
    }

    fn check(value: &Value, checker: &mut Checker) {
        match value {
            Value::String(text) if text.contains('\0') => {
                checker.fail("pattern", "must not contain the character U+0000");
            }
            Value::String(_) => {}
            other => checker.wrong_type("a string", other),
        }
    }

    fn valid(&self) -> bool {
        !self.as_bytes().contains(&0)
    }
}

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        Ok(text.to_owned())
    }
}

impl ToText for String {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(Cow::Borrowed(self)))
    }
}

impl ToText for &'static str {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(Cow::Borrowed(self)))
    }
}

impl Schema for char {
    fn label() -> Cow<'static, str> {
        "char".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        let mut schema = of_type(InstanceType::String);
        schema.string().min_length = Some(1);
        schema.string().max_length = Some(1);
        schema
    }

    fn check(value: &Value, checker: &mut Checker) {
        match value {
            Value::String(text) if text.chars().count() == 1 => {}
            Value::String(_) => checker.fail("length", "must be exactly one character"),
            other => checker.wrong_type("a string of one character", other),
        }
    }
}

impl FromText for char {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(|_| Mistake::new("length", "must be exactly one character"))
    }
}

impl ToText for char {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(self.to_string().into()))
    }
}
