//! Finds keys that an object has twice, which a JSON value no longer knows.

use std::{collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Checker;

/// Reports every key of a JSON text that its object has already. Runs only after decoding has failed; a text that is not JSON has
/// been reported.
pub fn repeated_keys(json: &[u8], checker: &mut Checker) {
    // What cannot be read ends the search.
    let _ = Keys(checker).deserialize(&mut serde_json::Deserializer::from_slice(json));
}

struct Keys<'c>(&'c mut Checker);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Passes over values that hold no others.
macro_rules! plain {
    ($($method:ident($type:ty)),*) => {$(
        fn $method<E>(self, _: $type) -> Result<(), E> {
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    plain!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while self.0.at_index(index, |checker| seq.next_element_seed(Keys(checker)))?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            self.0.at_key(&key, |checker| {
                if seen.contains(&key) {
                    checker.fail("repeated", "this key is there twice");
                }
                map.next_value_seed(Keys(checker))
            })?;
            seen.insert(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Place;

    fn found(json: &str) -> Vec<String> {
        let mut checker = Checker::new(Place::Body);
        repeated_keys(json.as_bytes(), &mut checker);
        checker.into_errors().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn every_key_that_is_there_twice_is_found_where_it_is() {
        assert_eq!(
            found(r#"{"a": 1, "b": [{"c": 1, "c": 2}, {"d/e": {}, "d/e": null}], "a": 2}"#),
            ["/b/0/c", "/b/1/d~1e", "/a"]
        );
        assert_eq!(found(r#"{"a": {"b": 1}, "c": {"b": "x"}}"#), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_search_panic(text in r#"[\[\]{}:,"a-c0-9 ]{0,60}"#) {
            found(&text);
        }
    }
}
