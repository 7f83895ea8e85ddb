//! Numbers and booleans.

use std::{
    borrow::Cow,
    num::{NonZeroI32, NonZeroI64, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64},
};

use rust_decimal::Decimal;
use schemars::schema::{InstanceType, SchemaObject};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Value, json};

use super::{formatted, of_type};
use crate::schema::{
    Checker, FromText, Generator, Mistake, Number, Schema, ToText,
    wire::{decode_text, encode_text},
};

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
            fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
                Ok(Some(self.to_string().into()))
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
            fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
                Ok(Some(self.to_string().into()))
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
                match Self::deserialize(value) {
                    Ok(number) if number.is_finite() => {}
                    Ok(_) => checker.fail("range", too_large::<Self>()),
                    Err(_) => checker.wrong_type("a number", value),
                }
            }

            fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <Self as Deserialize>::deserialize(deserializer)?;
                if number.is_finite() { Ok(number) } else { Err(D::Error::custom(too_large::<Self>())) }
            }

            /// JSON has no infinities, and serde writes them as `null`, which the schema does not allow.
            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if self.is_finite() { self.serialize(serializer) } else { Err(S::Error::custom(not_finite(*self))) }
            }
        }

        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, Mistake> {
                // `parse` takes "inf", "NaN" and ".5", which are not numbers of JSON.
                let wrong = || Mistake::new("type", format!("expected a number, found `{text}`"));
                let number: serde_json::Number = serde_json::from_str(text).map_err(|_| wrong())?;
                let number: $type = number.to_string().parse().map_err(|_| wrong())?;
                if number.is_finite() { Ok(number) } else { Err(Mistake::new("range", too_large::<Self>())) }
            }
        }

        impl ToText for $type {
            fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
                if self.is_finite() {
                    Ok(Some(self.to_string().into()))
                } else {
                    Err(Mistake::new("range", not_finite(*self)))
                }
            }
        }
    )*};
}
floats!(f32, "float"; f64, "double";);

fn too_large<T>() -> String {
    format!("must be a number that fits `{}`", std::any::type_name::<T>())
}

fn not_finite(number: impl std::fmt::Display) -> String {
    format!("`{number}` cannot be written: it is not a finite number")
}

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
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        Ok(Some(if *self { "true" } else { "false" }.into()))
    }
}

/// What a decimal looks like. The type has 96 bits for all digits together, which always hold 28: more are refused where they do
/// not fit, and never rounded.
const DECIMAL: &str = r"^-?[0-9]{1,28}(\.[0-9]{1,28})?$";

/// The longest text of a decimal: a sign, 29 digits and the point.
const DECIMAL_LENGTH: u32 = 31;

/// Returns whether a text matches [`DECIMAL`].
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| (1..=28).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    match number.split_once('.') {
        None => digits(number),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
    }
}

impl Schema for Decimal {
    fn label() -> Cow<'static, str> {
        "Decimal".into()
    }

    /// A string: a JSON number would lose digits in most readers.
    fn schema(_generator: &mut Generator) -> SchemaObject {
        let mut schema = formatted("decimal");
        schema.string().pattern = Some(DECIMAL.to_owned());
        schema.string().max_length = Some(DECIMAL_LENGTH);
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

    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decode_text(deserializer)
    }

    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        encode_text(self, serializer)
    }
}

impl FromText for Decimal {
    fn from_text(text: &str) -> Result<Self, Mistake> {
        if !is_decimal(text) {
            return Err(Mistake::new("format", "must be a decimal number such as `12.50`"));
        }
        Self::from_str_exact(text).map_err(|_| {
            Mistake::new("range", "has more digits than can be kept, which are 28 on both sides of the point")
        })
    }
}

impl ToText for Decimal {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        let text = self.to_string();
        if is_decimal(&text) {
            Ok(Some(text.into()))
        } else {
            Err(Mistake::new(
                "range",
                format!("`{text}` cannot be written: it has more than 28 digits before the point"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::schema::wire::Wire;

    fn read(text: &str) -> Option<Decimal> {
        let from_text = Decimal::from_text(text).ok();
        assert_eq!(Decimal::decode(&Value::from(text)).ok(), from_text, "{text}");
        if from_text.is_some() {
            assert!(Regex::new(DECIMAL).unwrap().is_match(text) && text.len() <= DECIMAL_LENGTH as usize, "{text}");
        }
        from_text
    }

    fn write<T: Schema>(value: &T) -> Option<Value> {
        serde_json::to_value(Wire(value)).ok()
    }

    #[test]
    fn a_decimal_is_digits_and_a_point() {
        for text in ["0", "-0", "007", "12.50", "-9999999999999999999999999999", "0.0000000000000000000000000001"] {
            assert!(read(text).is_some(), "{text}");
        }
        for text in
            ["", "-", "+1", "1_000", "1e3", "1E3", ".5", "5.", "1.2.3", " 1", "1 ", "0x1", "١", "1,5", "--1", "NaN"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(Decimal::decode(json!(1.5)).ok(), None);
    }

    #[test]
    fn a_decimal_is_never_rounded() {
        let long = "8234567890123456789012345678.9";
        assert_eq!(Decimal::from_text(long).unwrap_err().code, "range");
        assert_eq!(read("0.00000000000000000000000000001"), None, "29 digits after the point");
        assert_eq!(write(&read("1.000").unwrap()), Some(json!("1.000")));
        assert_eq!(write(&Decimal::MAX), None, "29 digits before the point");
        assert!(Decimal::MAX.to_text().is_err());
    }

    #[test]
    fn a_float_is_finite_on_the_way_in_and_out() {
        assert_eq!(write(&1.5_f64), Some(json!(1.5)));
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(write(&number), None);
            assert_eq!(write(&vec![Some(number)]), None);
            assert!(number.to_text().is_err());
        }
        assert!(f32::decode(&json!(1e39)).is_err());
        assert!(f32::from_text("1e39").is_err());
        let mut checker = Checker::new(crate::error::Place::Body);
        f32::check(&json!(1e39), &mut checker);
        assert_eq!(checker.into_errors()[0].code, "range");
    }

    proptest! {
        #[test]
        fn a_decimal_that_is_written_is_taken(mantissa in -79_228_162_514_264_337_593_543_950_335_i128..=79_228_162_514_264_337_593_543_950_335, scale in 0..=28_u32) {
            let decimal = Decimal::try_from_i128_with_scale(mantissa, scale).unwrap();
            if let Some(text) = write(&decimal) {
                prop_assert_eq!(read(text.as_str().unwrap()), Some(decimal));
            }
        }

        #[test]
        fn no_text_makes_a_decimal_panic(text in ".{0,40}", near in "[-+]?[0-9_]{0,30}[.e]?[0-9]{0,30}") {
            read(&text);
            read(&near);
        }
    }
}
