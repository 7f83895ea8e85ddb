//! Bytes inside JSON.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::schema::{InstanceType, SchemaObject};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use super::{Checker, FromText, Generator, Mistake, Schema, ToText};

/// Bytes that JSON carries as base64 text (RFC 4648 section 4, with padding).
///
/// ```
/// # use bunbase::schema::Base64;
/// assert_eq!(serde_json::to_string(&Base64(b"hi".to_vec())).unwrap(), r#""aGk=""#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

impl FromText for Base64 {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        STANDARD.decode(text).map(Self).map_err(|error| Mistake::new("format", format!("must be base64: {error}")))
    }
}

impl ToText for Base64 {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(STANDARD.encode(&self.0).into()))
    }
}

impl Schema for Base64 {
    fn label() -> Cow<'static, str> {
        "Base64".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        SchemaObject {
            instance_type: Some(InstanceType::String.into()),
            format: Some("byte".to_owned()),
            ..SchemaObject::default()
        }
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
