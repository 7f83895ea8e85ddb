//! Dates and times (chrono's types).

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use schemars::schema::SchemaObject;
use serde_json::Value;

use super::formatted;
use crate::schema::{Checker, FromText, Generator, Mistake, Schema, ToText};

macro_rules! times {
    ($($type:ty, $label:literal, $format:literal, $words:literal, $print:expr;)*) => {$(
        impl Schema for $type {
            fn label() -> Cow<'static, str> {
                $label.into()
            }

            fn schema(_generator: &mut Generator) -> SchemaObject {
                formatted($format)
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

        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, Mistake> {
                text.parse().map_err(|_| Mistake::new("format", concat!("must be ", $words)))
            }
        }

        impl ToText for $type {
            fn to_text(&self) -> Option<Cow<'_, str>> {
                let print: fn(&$type) -> String = $print;
                Some(print(self).into())
            }
        }
    )*};
}
times! {
    DateTime<Utc>, "DateTime", "date-time", "a date and time with an offset (RFC 3339), such as `2030-01-31T12:00:00Z`",
        |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    DateTime<FixedOffset>, "DateTime", "date-time", "a date and time with an offset (RFC 3339), such as `2030-01-31T12:00:00+01:00`",
        |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    NaiveDate, "Date", "date", "a date (RFC 3339), such as `2030-01-31`", ToString::to_string;
    NaiveTime, "Time", "partial-time", "a time of day, such as `12:30:00`", ToString::to_string;
    NaiveDateTime, "LocalDateTime", "local-date-time", "a date and time without an offset, such as `2030-01-31T12:00:00`",
        |time| format!("{time:?}");
}
