//! Numbers and booleans.

use std::{
    borrow::Cow,
    num::{NonZeroI32, NonZeroI64, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64},
};

use rust_decimal::Decimal;
use schemars::schema::{InstanceType, SchemaObject};
use serde_json::{Value, json};

use super::{formatted, of_type};
use crate::schema::{Checker, FromText, Generator, Mistake, Number, Schema, ToText};

macro_rules! integers {
    ($($type:ty, $inner:ty, $min:expr, $format:literal;)*) => {$(
        impl Schema for $type {
            fn label() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema(_generator: &mut Generator) -> SchemaObject {
                let mut schema = of_type(InstanceType::Integer);
                schema.format = Some($format.to_owned());
                // As extensions, because the model's own bounds are floats and would round these.
                schema.extensions.insert("minimum".to_owned(), json!($min));
                schema.extensions.insert("maximum".to_owned(), json!(<$inner>::MAX));
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                match Number::of(value) {
                    Some(Number::Int(number)) => {
                        let range = i128::from($min)..=i128::from(<$inner>::MAX);
                        if !range.contains(&number) {
                            checker.fail("range", format!("must be between {} and {}, is {number}", $min, <$inner>::MAX));
                        }
                    }
                    _ => checker.wrong_type("an integer", value),
                }
            }
        }

        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, Mistake> {
                // `parse` takes a leading plus, which JSON does not.
                match text.parse() {
                    Ok(number) if !text.starts_with('+') => Ok(number),
                    _ if is_integer(text) => Err(Mistake::new(
                        "range",
                        format!("must be between {} and {}, is {text}", $min, <$inner>::MAX),
                    )),
                    _ => Err(Mistake::new("type", format!("expected an integer, found `{text}`"))),
                }
            }
        }

        impl ToText for $type {
            fn to_text(&self) -> Option<Cow<'_, str>> {
                Some(self.to_string().into())
            }
        }
    )*};
}
integers! {
    u8, u8, u8::MIN, "uint8"; u16, u16, u16::MIN, "uint16"; u32, u32, u32::MIN, "uint32"; u64, u64, u64::MIN, "uint64";
    i8, i8, i8::MIN, "int8"; i16, i16, i16::MIN, "int16"; i32, i32, i32::MIN, "int32"; i64, i64, i64::MIN, "int64";
    NonZeroU8, u8, 1_u8, "uint8"; NonZeroU16, u16, 1_u16, "uint16"; NonZeroU32, u32, 1_u32, "uint32"; NonZeroU64, u64, 1_u64, "uint64";
}

macro_rules! non_zero_signed {
    ($($type:ty, $inner:ty;)*) => {$(
        impl Schema for $type {
            fn label() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema(generator: &mut Generator) -> SchemaObject {
                let mut schema = <$inner as Schema>::schema(generator);
                let mut zero = SchemaObject { enum_values: Some(vec![json!(0)]), ..SchemaObject::default() };
                zero.format = None;
                schema.subschemas().not = Some(Box::new(zero.into()));
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                <$inner as Schema>::check(value, checker);
                if *value == json!(0) {
                    checker.fail("range", "must not be 0");
                }
            }
        }

        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, Mistake> {
                Self::new(<$inner>::from_text(text)?).ok_or_else(|| Mistake::new("range", "must not be 0"))
            }
        }

        impl ToText for $type {
            fn to_text(&self) -> Option<Cow<'_, str>> {
                Some(self.to_string().into())
            }
        }
    )*};
}
non_zero_signed!(NonZeroI32, i32; NonZeroI64, i64;);

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

macro_rules! floats {
    ($($type:ty, $format:literal;)*) => {$(
        impl Schema for $type {
            fn label() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema(_generator: &mut Generator) -> SchemaObject {
                let mut schema = of_type(InstanceType::Number);
                schema.format = Some($format.to_owned());
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                if !value.is_number() {
                    checker.wrong_type("a number", value);
                }
            }
        }

        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, Mistake> {
                // `parse` takes "inf", "NaN" and ".5", which are not numbers of JSON.
                let wrong = || Mistake::new("type", format!("expected a number, found `{text}`"));
                let number: serde_json::Number = serde_json::from_str(text).map_err(|_| wrong())?;
                number.to_string().parse().map_err(|_| wrong())
            }
        }

        impl ToText for $type {
            fn to_text(&self) -> Option<Cow<'_, str>> {
                self.is_finite().then(|| self.to_string().into())
            }
        }
    )*};
}
floats!(f32, "float"; f64, "double";);

impl Schema for bool {
    fn label() -> Cow<'static, str> {
        "bool".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        of_type(InstanceType::Boolean)
    }

    fn check(value: &Value, checker: &mut Checker) {
        if !value.is_boolean() {
            checker.wrong_type("a boolean", value);
        }
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Mistake::new("type", format!("expected `true` or `false`, found `{text}`"))),
        }
    }
}

impl ToText for bool {
    fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(if *self { "true" } else { "false" }.into())
    }
}

/// What a decimal looks like: at most 28 digits on either side of the point, which is what 96 bits always hold.
const DECIMAL: &str = r"^-?[0-9]{1,28}(\.[0-9]{1,28})?$";

impl Schema for Decimal {
    fn label() -> Cow<'static, str> {
        "Decimal".into()
    }

    /// A string: a JSON number would lose digits in most readers.
    fn schema(_generator: &mut Generator) -> SchemaObject {
        let mut schema = formatted("decimal");
        schema.string().pattern = Some(DECIMAL.to_owned());
        schema
    }

    fn check(value: &Value, checker: &mut Checker) {
        match value {
            Value::String(text) => {
                if let Err(mistake) = Self::from_text(text) {
                    checker.fail(mistake.code, mistake.message);
                }
            }
            other => checker.wrong_type("a decimal number as a string", other),
        }
    }
}

impl FromText for Decimal {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(|_| Mistake::new("format", "must be a decimal number such as `12.50`"))
    }
}

impl ToText for Decimal {
    fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(self.to_string().into())
    }
}
