//! What the types of paged lists look like in documents and as text.

use std::borrow::Cow;

use schemars::schema::{InstanceType, Schema as Node, SchemaObject};
use serde::{Deserialize, Deserializer, Serializer, ser::SerializeStruct};
use serde_json::{Value, json};

use super::{Cursor, CursorError, Limit, Page};
use crate::schema::{Checker, FromText, Generator, Mistake, Schema, ToText, Wire, types::of_type};

impl Schema for Cursor {
    fn label() -> Cow<'static, str> {
        "Cursor".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        let mut schema = of_type(InstanceType::String);
        schema.format = Some("cursor".to_owned());
        schema.metadata().description = Some("The `next_cursor` of the page before; opaque.".to_owned());
        schema
    }

    fn check(value: &Value, checker: &mut Checker) {
        match value {
            Value::String(_) => {}
            other => checker.wrong_type("a string", other),
        }
    }
}

impl FromText for Cursor {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        // Any text is a cursor of some list; the list that it is used on says 404 when it is not one of its own.
        Ok(text.parse().unwrap_or_else(|CursorError| Self::nowhere()))
    }
}

impl ToText for Cursor {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(self.to_string().into()))
    }
}

impl<const DEFAULT: u32, const MAX: u32> Schema for Limit<DEFAULT, MAX> {
    const OPTIONAL: bool = true;

    fn label() -> Cow<'static, str> {
        "Limit".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        let mut schema = of_type(InstanceType::Integer);
        schema.format = Some("uint32".to_owned());
        schema.extensions.insert("minimum".to_owned(), json!(1));
        schema.extensions.insert("maximum".to_owned(), json!(MAX));
        schema.metadata().default = Some(json!(DEFAULT));
        schema
    }

    fn check(value: &Value, checker: &mut Checker) {
        match value.as_u64() {
            Some(rows) if (1..=u64::from(MAX)).contains(&rows) => {}
            _ if value.is_i64() || value.is_u64() => {
                checker.fail("range", format!("must be between 1 and {MAX}, is {value}"));
            }
            _ => checker.wrong_type("an integer", value),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl<const DEFAULT: u32, const MAX: u32> FromText for Limit<DEFAULT, MAX> {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        let rows = u32::from_text(text)?;
        Self::new(rows).map_err(|_| Mistake::new("range", format!("must be between 1 and {MAX}, is {rows}")))
    }
}

impl<const DEFAULT: u32, const MAX: u32> ToText for Limit<DEFAULT, MAX> {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(self.get().to_string().into()))
    }
}

impl<T: Schema> Schema for Page<T> {
    const COMPONENT: bool = true;

    fn label() -> Cow<'static, str> {
        format!("PageOf{}", T::label()).into()
    }

    fn schema(generator: &mut Generator) -> SchemaObject {
        let mut schema = of_type(InstanceType::Object);
        let mut items = Vec::<T>::schema(generator);
        items.metadata().description = Some("The items of this page, in order.".to_owned());
        let mut cursor = Option::<Cursor>::schema(generator);
        cursor.metadata().description =
            Some("What to send as `cursor` for the next page; `null` on the last one.".to_owned());
        let object = schema.object();
        object.properties.insert("items".to_owned(), Node::Object(items));
        object.properties.insert("next_cursor".to_owned(), Node::Object(cursor));
        object.required.extend(["items".to_owned(), "next_cursor".to_owned()]);
        object.additional_properties = Some(Box::new(Node::Bool(false)));
        schema
    }

    fn check(value: &Value, checker: &mut Checker) {
        let Value::Object(entries) = value else { return checker.wrong_type("an object", value) };
        checker.at_key("items", |checker| match entries.get("items") {
            Some(items) => Vec::<T>::check(items, checker),
            None => checker.missing(),
        });
        checker.at_key("next_cursor", |checker| match entries.get("next_cursor") {
            Some(cursor) => Option::<Cursor>::check(cursor, checker),
            None => checker.missing(),
        });
    }

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "T: Schema", deny_unknown_fields)]
        struct Parts<T> {
            #[serde(deserialize_with = "Schema::decode")]
            items: Vec<T>,
            next_cursor: Option<Cursor>,
        }
        Parts::deserialize(deserializer).map(|Parts { items, next_cursor }| Self { items, next_cursor })
    }

    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_struct("Page", 2)?;
        page.serialize_field("items", &Wire(&self.items))?;
        page.serialize_field("next_cursor", &self.next_cursor)?;
        page.end()
    }

    fn valid(&self) -> bool {
        self.items.iter().all(T::valid)
    }
}
