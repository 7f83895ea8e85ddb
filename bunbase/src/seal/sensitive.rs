//! Where the values are that must be sealed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MARK;
use crate::schema::{self, Field};

/// The sensitive fields of a message: those of its own and those inside its types, however deep.
#[derive(Clone, Copy, Debug)]
pub struct Sensitive {
    fields: &'static [Field],
    any: bool,
}

impl Sensitive {
    /// Looks through the fields of a message and their types. Once for each message, at start-up.
    pub fn of(fields: &'static [Field]) -> Self {
        Self { fields, any: schema::sensitive::any(fields) }
    }

    /// Returns whether there is one at all.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Returns the places of everything in a message that must be sealed, as JSON pointers, none inside another.
    pub(super) fn places(&self, message: &Value) -> BTreeSet<String> {
        let mut all = marked(message);
        if self.any {
            all.extend(schema::sensitive::places(self.fields, message));
        }
        let is_outermost = |place: &&String| !place.match_indices('/').any(|(end, _)| all.contains(&place[..end]));
        all.iter().filter(is_outermost).cloned().collect()
    }
}

/// Returns the places of the objects that look like sealed values.
pub(super) fn marked(message: &Value) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    look(message, &mut String::new(), &mut places);
    places
}

fn look(value: &Value, place: &mut String, places: &mut BTreeSet<String>) {
    let mut step = |key: &str, value: &Value| {
        let before = place.len();
        place.push('/');
        place.push_str(&key.replace('~', "~0").replace('/', "~1"));
        look(value, place, places);
        place.truncate(before);
    };
    match value {
        Value::Object(entries) if entries.len() == 1 && entries.contains_key(MARK) => {
            places.insert(place.clone());
        }
        Value::Object(entries) => entries.iter().for_each(|(key, value)| step(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| step(&index.to_string(), item)),
        _ => {}
    }
}
