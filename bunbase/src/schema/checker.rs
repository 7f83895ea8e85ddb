//! Collects the mistakes of one input.

use std::{borrow::Cow, fmt::Write as _};

use serde_json::Value;

use crate::error::{FieldError, Place};

/// Most mistakes that one answer lists; a longer list helps nobody and would let a caller make answers large.
const MOST: usize = 100;

/// The mistakes found so far and the place being looked at.
#[derive(Debug)]
pub struct Checker {
    place: Place,
    pointer: String,
    errors: Vec<FieldError>,
    /// Places of sensitive values, when those are what is looked for.
    sensitive: Option<Vec<String>>,
}

impl Checker {
    /// Starts at the root of `place`.
    pub fn new(place: Place) -> Self {
        Self { place, pointer: String::new(), errors: Vec::new(), sensitive: None }
    }

    /// Starts at the root, to find the sensitive values of what has no mistakes.
    pub(super) fn finding_sensitive() -> Self {
        Self { sensitive: Some(Vec::new()), ..Self::new(Place::Body) }
    }

    /// Returns whether sensitive values are looked for.
    pub(super) fn finds_sensitive(&self) -> bool {
        self.sensitive.is_some()
    }

    /// Says that the value here is sensitive.
    pub(super) fn sensitive(&mut self) {
        if let Some(places) = &mut self.sensitive {
            places.push(self.pointer.clone());
        }
    }

    /// Returns the places of the sensitive values, as JSON pointers.
    pub(super) fn into_sensitive(self) -> Vec<String> {
        self.sensitive.unwrap_or_default()
    }

    /// Goes on at the root of another part of the request.
    pub fn turn_to(&mut self, place: Place) {
        self.place = place;
        self.pointer.clear();
    }

    /// Runs `look` one step down, at `key` of an object.
    pub fn at_key<R>(&mut self, key: &str, look: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.pointer.len();
        self.pointer.push('/');
        for c in key.chars() {
            match c {
                '~' => self.pointer.push_str("~0"),
                '/' => self.pointer.push_str("~1"),
                c => self.pointer.push(c),
            }
        }
        let answer = look(self);
        self.pointer.truncate(before);
        answer
    }

    /// Runs `look` one step down, at item `index` of an array.
    pub fn at_index<R>(&mut self, index: usize, look: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.pointer.len();
        // Writing to a `String` cannot fail.
        let _ = write!(self.pointer, "/{index}");
        let answer = look(self);
        self.pointer.truncate(before);
        answer
    }

    /// Reports a mistake here.
    pub fn fail(&mut self, code: impl Into<Cow<'static, str>>, message: impl Into<String>) {
        if self.errors.len() < MOST {
            self.errors.push(FieldError {
                place: self.place,
                pointer: self.pointer.clone(),
                code: code.into(),
                message: message.into(),
            });
        }
    }

    /// Reports that `found` is not `expected` ("an integer").
    pub fn wrong_type(&mut self, expected: &str, found: &Value) {
        self.fail("type", format!("expected {expected}, found {}", kind(found)));
    }

    /// Reports that a value is missing here.
    pub fn missing(&mut self) {
        self.fail("required", "this field is required");
    }

    /// Returns how many mistakes there are so far; `fail` stops counting at 100.
    pub fn count(&self) -> usize {
        self.errors.len()
    }

    /// Returns the mistakes, in the order in which they were found.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}

/// Names the kind of a JSON value, with an article.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_f64() => "a number with a fraction or an exponent",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_its_keys() {
        let mut checker = Checker::new(Place::Body);
        checker.at_key("a/b~c", |checker| checker.at_index(3, Checker::missing));
        let errors = checker.into_errors();
        assert_eq!(errors[0].pointer, "/a~1b~0c/3");
        assert_eq!(errors[0].code, "required");
    }

    #[test]
    fn a_list_of_mistakes_ends_at_a_hundred() {
        let mut checker = Checker::new(Place::Body);
        for _ in 0..1000 {
            checker.missing();
        }
        assert_eq!(checker.into_errors().len(), MOST);
    }
}
