//! What is kept under a key: a line about the value, and the value.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The line about a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// Until when it is fresh, in µs since 1970. It is shown for longer, while it is loaded again.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(super) fresh_until_us: Option<i64>,
    /// Its tags, as they were before it was loaded.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<(String, Uuid)>,
    /// Who loads it now.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<Claim>,
}

/// Says that a value is being loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    #[serde(rename = "b")]
    pub(super) by: Uuid,
    /// Until when others leave it to them, in µs since 1970.
    #[serde(rename = "u")]
    pub(super) until_us: i64,
}

/// An entry as it was read: the text, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) about: About,
    /// Where the value begins.
    at: usize,
}

impl Entry {
    /// Reads an entry; `None` when it is none, as after a change of its form.
    pub(super) fn read(text: String) -> Option<Self> {
        let line = text.find('\n')?;
        let about = serde_json::from_str(&text[..line]).ok()?;
        Some(Self { about, at: line + 1, text })
    }

    pub(super) fn write(about: &About, value: &str) -> serde_json::Result<String> {
        let mut text = serde_json::to_string(about)?;
        text.push('\n');
        text.push_str(value);
        Ok(text)
    }

    /// Returns the value as JSON; nothing where it is only being loaded.
    pub(super) fn value(&self) -> Option<&str> {
        Some(&self.text[self.at..]).filter(|value| !value.is_empty())
    }

    pub(super) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.about.fresh_until_us.is_some_and(|until| now.timestamp_micros() < until)
    }

    /// Returns whether somebody loads it, as far as a clock can say.
    pub(super) fn is_claimed(&self, now: DateTime<Utc>) -> bool {
        self.about.claim.is_some_and(|claim| now.timestamp_micros() < claim.until_us)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(fresh: Option<i64>, tags: Vec<(String, u128)>, claim: Option<(u128, i64)>, value: String) {
            let about = About {
                fresh_until_us: fresh,
                tags: tags.into_iter().map(|(tag, id)| (tag, Uuid::from_u128(id))).collect(),
                claim: claim.map(|(by, until_us)| Claim { by: Uuid::from_u128(by), until_us }),
            };
            let entry = Entry::read(Entry::write(&about, &value).unwrap()).unwrap();
            prop_assert_eq!(&entry.about, &about);
            prop_assert_eq!(entry.value().unwrap_or_default(), value);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = Entry::read(text.clone());
            let _ = Entry::read(format!("{{}}\n{text}")).map(|entry| entry.value().map(str::len));
        }
    }
}
