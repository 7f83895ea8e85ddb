//! What `#[schema]` and `#[derive(ActionError)]` make of types.

mod enums;
mod errors;
mod hostile;
mod outputs;
mod records;

use bunbase::{
    error::{FieldError, Place},
    schema::{Checker, Generator, Schema},
};
use serde_json::Value;

/// Returns `pointer code` of each mistake that the second pass finds.
fn mistakes<T: Schema>(value: &Value) -> Vec<String> {
    errors::<T>(value).into_iter().map(|error| format!("{} {}", error.pointer, error.code)).collect()
}

fn errors<T: Schema>(value: &Value) -> Vec<FieldError> {
    let mut checker = Checker::new(Place::Body);
    T::check(value, &mut checker);
    checker.into_errors()
}

/// Returns the schema of a type as JSON, and the components that it refers to.
fn document<T: Schema>() -> (Value, Value) {
    let mut generator = Generator::default();
    let node = generator.of::<T>();
    (serde_json::to_value(node).unwrap(), serde_json::to_value(generator.into_definitions()).unwrap())
}

/// Decodes as a door does: the value, then its constraints, and where one fails there is a mistake to name.
fn decode<T: Schema + serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let decoded = serde_json::from_str::<T>(text).ok().filter(T::valid);
    let explained = serde_json::from_str::<Value>(text).is_ok_and(|value| errors::<T>(&value).is_empty());
    let twice = decoded.is_none() && explained;
    assert!(decoded.is_none() || explained, "`{text}` is taken, but the second pass finds mistakes");
    assert!(!twice || text.contains("twice"), "`{text}` is refused, but the second pass finds nothing");
    decoded
}
