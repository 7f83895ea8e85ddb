//! Constraints: written once, enforced on values and published in the schema.

use std::{cmp::Ordering, sync::LazyLock};

use regex::Regex;
use schemars::schema::SchemaObject;
use serde_json::{Value, json};

use super::{Checker, rules};

/// A number in a constraint, exact for every integer type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
}

impl Number {
    /// Returns the number of a JSON value, if it is one.
    pub fn of(value: &Value) -> Option<Self> {
        let number = value.as_number()?;
        number.as_i128().map(Self::Int).or_else(|| number.as_f64().map(Self::Float))
    }

    /// Orders two numbers; `None` when one is not a number.
    #[expect(clippy::cast_precision_loss, reason = "a comparison with a fraction is one of floats")]
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Float(b)) => (a as f64).partial_cmp(&b),
            (Self::Float(a), Self::Int(b)) => a.partial_cmp(&(b as f64)),
        }
    }

    /// Returns the number as JSON; integers beyond 64 bits become floats.
    pub fn to_json(self) -> Value {
        match self {
            Self::Int(n) => serde_json::Number::from_i128(n).map_or(Value::Null, Value::Number),
            Self::Float(n) => json!(n),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Float(n) => n.fmt(f),
        }
    }
}

/// A well-known form of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// An e-mail address (RFC 5321, with a domain).
    Email,
    /// An absolute URL (WHATWG).
    Url,
    /// An IPv4 or IPv6 address.
    Ip,
}

impl Format {
    /// Returns the name that JSON Schema has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Url => "uri",
            Self::Ip => "ip",
        }
    }
}

/// One rule that a value must meet beyond its type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Constraint {
    /// Characters of a string, items of a list, entries of a map.
    Length {
        /// The fewest.
        min: Option<u64>,
        /// The most.
        max: Option<u64>,
    },
    /// Bounds of a number.
    Range {
        /// The smallest; excluded when `exclusive_min`.
        min: Option<Number>,
        /// The largest; excluded when `exclusive_max`.
        max: Option<Number>,
        /// Whether `min` itself is refused.
        exclusive_min: bool,
        /// Whether `max` itself is refused.
        exclusive_max: bool,
    },
    /// A number that must divide the value.
    MultipleOf(Number),
    /// A regular expression that matches somewhere in the string.
    Pattern(&'static LazyLock<Regex>),
    /// A well-known form of text.
    Format(Format),
    /// No two items of a list are equal.
    Unique,
    /// Rules for each item of a list.
    Each(&'static [Constraint]),
    /// A function of the application; not published in the schema.
    Custom(fn(&Value) -> Result<(), String>),
}

impl Constraint {
    /// Reports how `value` breaks this rule. A value of another type, and `null`, break no rule: their type is reported.
    pub fn check(&self, value: &Value, checker: &mut Checker) {
        match *self {
            Self::Length { min, max } => {
                let (length, unit) = match value {
                    Value::String(text) => (text.chars().count(), "characters"),
                    Value::Array(items) => (items.len(), "items"),
                    Value::Object(entries) => (entries.len(), "entries"),
                    _ => return,
                };
                if !rules::within(length, min, max) {
                    checker.fail("length", format!("must have {} {unit}, has {length}", span(min, max)));
                }
            }
            Self::Range { min, max, exclusive_min, exclusive_max } => {
                if let Some(number) = Number::of(value)
                    && !rules::between(number, min, max, exclusive_min, exclusive_max)
                {
                    let mut parts = Vec::new();
                    if let Some(min) = min {
                        parts.push(format!("{} {min}", if exclusive_min { "greater than" } else { "at least" }));
                    }
                    if let Some(max) = max {
                        parts.push(format!("{} {max}", if exclusive_max { "less than" } else { "at most" }));
                    }
                    checker.fail("range", format!("must be {}, is {number}", parts.join(" and ")));
                }
            }
            Self::MultipleOf(step) => {
                if let Some(number) = Number::of(value)
                    && !rules::divides(number, step)
                {
                    checker.fail("multiple_of", format!("must be a multiple of {step}, is {number}"));
                }
            }
            Self::Pattern(regex) => {
                if let Value::String(text) = value
                    && !regex.is_match(text)
                {
                    checker.fail("pattern", format!("must match the pattern `{}`", regex.as_str()));
                }
            }
            Self::Format(format) => {
                if let Value::String(text) = value
                    && !rules::has_format(text, format)
                {
                    checker.fail("format", format!("must be of the form `{}`", format.name()));
                }
            }
            Self::Unique => {
                if let Value::Array(items) = value {
                    for (index, item) in items.iter().enumerate() {
                        if items[..index].contains(item) {
                            checker.at_index(index, |c| c.fail("unique", "this item is there twice"));
                        }
                    }
                }
            }
            Self::Each(rules) => {
                if let Value::Array(items) = value {
                    for (index, item) in items.iter().enumerate() {
                        checker.at_index(index, |c| rules.iter().for_each(|rule| rule.check(item, c)));
                    }
                }
            }
            Self::Custom(function) => {
                if !value.is_null()
                    && let Err(message) = function(value)
                {
                    checker.fail("custom", message);
                }
            }
        }
    }

    /// Writes this rule into the schema of the value. Numbers are exact, which `NumberValidation`'s floats are not.
    pub fn publish(&self, schema: &mut SchemaObject) {
        let is_list = schema.array.is_some();
        let is_map = !is_list && schema.object.is_some();
        match *self {
            Self::Length { min, max } => {
                let (low, high) = match (is_list, is_map) {
                    (true, _) => ("minItems", "maxItems"),
                    (_, true) => ("minProperties", "maxProperties"),
                    _ => ("minLength", "maxLength"),
                };
                for (key, bound) in [(low, min), (high, max)] {
                    if let Some(bound) = bound {
                        schema.extensions.insert(key.to_owned(), json!(bound));
                    }
                }
            }
            Self::Range { min, max, exclusive_min, exclusive_max } => {
                for (key, bound, exclusive_key, exclusive) in [
                    ("minimum", min, "exclusiveMinimum", exclusive_min),
                    ("maximum", max, "exclusiveMaximum", exclusive_max),
                ] {
                    if let Some(bound) = bound {
                        schema.extensions.insert(key.to_owned(), bound.to_json());
                        if exclusive {
                            schema.extensions.insert(exclusive_key.to_owned(), json!(true));
                        }
                    }
                }
            }
            Self::MultipleOf(step) => {
                schema.extensions.insert("multipleOf".to_owned(), step.to_json());
            }
            Self::Pattern(regex) => {
                // Beside the string's own pattern, not in its place: both hold.
                let mut rule = SchemaObject::default();
                rule.string().pattern = Some(regex.as_str().to_owned());
                schema.subschemas().all_of.get_or_insert_default().push(rule.into());
            }
            Self::Format(format) => schema.format = Some(format.name().to_owned()),
            Self::Unique => schema.array().unique_items = Some(true),
            Self::Each(rules) => {
                if let Some(schemars::schema::SingleOrVec::Single(item)) = &mut schema.array().items
                    && let schemars::schema::Schema::Object(item) = item.as_mut()
                {
                    rules.iter().for_each(|rule| rule.publish(item));
                }
            }
            Self::Custom(_) => {}
        }
    }
}

/// Compiles the pattern of a constraint, whatever its size.
///
/// # Panics
/// When it is not a regular expression. The macros have checked that it is one.
pub fn regex(pattern: &str) -> Regex {
    match regex::RegexBuilder::new(pattern).size_limit(usize::MAX).build() {
        Ok(regex) => regex,
        Err(error) => panic!("the pattern `{pattern}` of a constraint: {error}"),
    }
}

/// Says "between 1 and 200", "at least 1" or "at most 200".
fn span(min: Option<u64>, max: Option<u64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min}"),
        (Some(min), Some(max)) => format!("between {min} and {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number of".to_owned(),
    }
}
