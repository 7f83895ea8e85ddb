//! Constraints on typed values: what generated code calls after decoding, without a JSON value in between.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, Hash},
};

use regex::Regex;

use super::{Format, Number, Patch};

/// A value with a length: characters of a string, items of a list, entries of a map.
#[diagnostic::on_unimplemented(
    message = "`length(..)` cannot be checked on `{Self}`",
    note = "`length` is for strings, lists, sets and maps; bounds of a number are `range(min = .., max = ..)`"
)]
pub trait Length {
    /// Returns the length, or `None` where there is no value.
    fn length(&self) -> Option<usize>;
}

/// A value with an order among numbers.
#[diagnostic::on_unimplemented(
    message = "`range(..)` and `multiple_of` cannot be checked on `{Self}`",
    note = "they are for numbers; the size of a string or a list is `length(min = .., max = ..)`"
)]
pub trait Numeric {
    /// Returns the number, or `None` where there is no value.
    fn number(&self) -> Option<Number>;
}

/// A value that is text.
#[diagnostic::on_unimplemented(
    message = "`pattern`, `email`, `url` and `ip` cannot be checked on `{Self}`",
    note = "they are for strings"
)]
pub trait Text {
    /// Returns the text, or `None` where there is no value.
    fn text(&self) -> Option<&str>;
}

/// A list whose items can be compared and visited.
#[diagnostic::on_unimplemented(
    message = "`unique` and `each(..)` cannot be checked on `{Self}`",
    note = "they are for lists (`Vec<T>`)"
)]
pub trait Items {
    /// What the list holds.
    type Item;

    /// Returns the items; none where there is no value.
    fn items(&self) -> &[Self::Item];
}

macro_rules! optional {
    ($trait:ident, $method:ident -> $answer:ty) => {
        impl<T: $trait> $trait for Option<T> {
            fn $method(&self) -> Option<$answer> {
                self.as_ref().and_then(T::$method)
            }
        }
        impl<T: $trait> $trait for Patch<T> {
            fn $method(&self) -> Option<$answer> {
                self.as_set().and_then(T::$method)
            }
        }
    };
}
optional!(Length, length -> usize);
optional!(Numeric, number -> Number);
optional!(Text, text -> &str);

impl Length for String {
    fn length(&self) -> Option<usize> {
        Some(self.chars().count())
    }
}
macro_rules! counted {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> Length for $type {
            fn length(&self) -> Option<usize> {
                Some(self.len())
            }
        }
    )*};
}
counted!(
    [T] Vec<T>, [T] BTreeSet<T>, [T: Hash, S: BuildHasher] HashSet<T, S>,
    [K, V] BTreeMap<K, V>, [K, V, S: BuildHasher] HashMap<K, V, S>,
);

impl Text for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T> Items for Vec<T> {
    type Item = T;
    fn items(&self) -> &[T] {
        self
    }
}
impl<T> Items for Option<Vec<T>> {
    type Item = T;
    fn items(&self) -> &[T] {
        self.as_deref().unwrap_or_default()
    }
}
impl<T> Items for Patch<Vec<T>> {
    type Item = T;
    fn items(&self) -> &[T] {
        self.as_set().map(Vec::as_slice).unwrap_or_default()
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Numeric for $type {
            fn number(&self) -> Option<Number> {
                i128::try_from(*self).ok().map(Number::Int)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);
impl Numeric for f32 {
    fn number(&self) -> Option<Number> {
        Some(Number::Float(f64::from(*self)))
    }
}
impl Numeric for f64 {
    fn number(&self) -> Option<Number> {
        Some(Number::Float(*self))
    }
}

/// Returns whether a length lies between two bounds, both included.
pub fn within(length: usize, min: Option<u64>, max: Option<u64>) -> bool {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max)
}

/// Returns whether a number lies between two bounds.
pub fn between(
    number: Number,
    min: Option<Number>,
    max: Option<Number>,
    exclusive_min: bool,
    exclusive_max: bool,
) -> bool {
    let low = min.is_none_or(|min| {
        number.compare(min).is_some_and(|order| if exclusive_min { order.is_gt() } else { order.is_ge() })
    });
    let high = max.is_none_or(|max| {
        number.compare(max).is_some_and(|order| if exclusive_max { order.is_lt() } else { order.is_le() })
    });
    low && high
}

/// Returns whether `step` divides `number`; fractions to within one part in 10⁹ of a step.
#[expect(clippy::cast_precision_loss, reason = "a division of fractions is one of floats")]
pub fn divides(number: Number, step: Number) -> bool {
    match (number, step) {
        (Number::Int(_), Number::Int(0)) => false,
        (Number::Int(number), Number::Int(step)) => number % step == 0,
        (number, step) => {
            let float = |n| match n {
                Number::Int(n) => n as f64,
                Number::Float(n) => n,
            };
            let quotient = float(number) / float(step);
            (quotient - quotient.round()).abs() < 1e-9
        }
    }
}

/// Returns whether `text` has the well-known form.
pub fn has_format(text: &str, format: Format) -> bool {
    match format {
        Format::Email => email_address::EmailAddress::parse_with_options(
            text,
            email_address::Options::default().with_required_tld().without_display_text(),
        )
        .is_ok(),
        Format::Url => url::Url::parse(text).is_ok(),
        Format::Ip => text.parse::<std::net::IpAddr>().is_ok(),
    }
}

/// `length(min, max)` on a typed value.
pub fn length<T: Length + ?Sized>(value: &T, min: Option<u64>, max: Option<u64>) -> bool {
    value.length().is_none_or(|length| within(length, min, max))
}

/// `range(..)` on a typed value.
pub fn range<T: Numeric + ?Sized>(
    value: &T,
    min: Option<Number>,
    max: Option<Number>,
    exclusive_min: bool,
    exclusive_max: bool,
) -> bool {
    value.number().is_none_or(|number| between(number, min, max, exclusive_min, exclusive_max))
}

/// `multiple_of` on a typed value.
pub fn multiple_of<T: Numeric + ?Sized>(value: &T, step: Number) -> bool {
    value.number().is_none_or(|number| divides(number, step))
}

/// `pattern` on a typed value.
pub fn pattern<T: Text + ?Sized>(value: &T, regex: &Regex) -> bool {
    value.text().is_none_or(|text| regex.is_match(text))
}

/// `email`, `url` and `ip` on a typed value.
pub fn format<T: Text + ?Sized>(value: &T, format: Format) -> bool {
    value.text().is_none_or(|text| has_format(text, format))
}

/// `unique` on a typed list.
pub fn unique<T: Items<Item: PartialEq> + ?Sized>(value: &T) -> bool {
    let items = value.items();
    items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
}

/// `each(..)` on a typed list.
pub fn each<T: Items + ?Sized>(value: &T, rule: impl Fn(&T::Item) -> bool) -> bool {
    value.items().iter().all(rule)
}

/// A value that a rule of the application can look at: itself, or what an `Option` or a [`Patch`] holds.
#[diagnostic::on_unimplemented(
    message = "this function cannot check `{Self}`",
    note = "`custom = f` takes `fn f(value: &T) -> Result<(), String>`, with the field's type, without `Option`, as `T`"
)]
pub trait Holds<T: ?Sized> {
    /// Returns the value, or `None` where there is none.
    fn held(&self) -> Option<&T>;
}

impl<T> Holds<T> for T {
    fn held(&self) -> Option<&T> {
        Some(self)
    }
}

macro_rules! holds {
    ($([$($generics:tt)*] $type:ty => $held:ty, $value:ident: $look:expr;)*) => {$(
        impl<$($generics)*> Holds<$held> for $type {
            fn held(&self) -> Option<&$held> {
                let $value = self;
                $look
            }
        }
    )*};
}
holds! {
    [T] Option<T> => T, value: value.as_ref();
    [T] Patch<T> => T, value: value.as_set();
    [] String => str, value: Some(value);
    [] Option<String> => str, value: value.as_deref();
    [] Patch<String> => str, value: value.as_set().map(String::as_str);
    [T] Vec<T> => [T], value: Some(value);
    [T] Option<Vec<T>> => [T], value: value.as_deref();
    [T] Patch<Vec<T>> => [T], value: value.as_set().map(Vec::as_slice);
}

/// `custom = function` on a typed value.
pub fn custom<V: Holds<T>, T: ?Sized>(value: &V, rule: fn(&T) -> Result<(), String>) -> bool {
    value.held().is_none_or(|value| rule(value).is_ok())
}

/// `custom = function` on a JSON value; one that does not decode is reported as a wrong type elsewhere.
///
/// # Errors
/// What the function says.
pub fn custom_json<T>(value: &serde_json::Value, rule: fn(&T) -> Result<(), String>) -> Result<(), String>
where
    T: ToOwned<Owned: serde::de::DeserializeOwned> + ?Sized,
{
    <T::Owned as serde::Deserialize>::deserialize(value).map_or(Ok(()), |value| rule(value.borrow()))
}
