//! What a tenant is called.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The longest id: with `tenant_` before it, it is the name of a schema.
const LONGEST: usize = 48;

/// The id of a tenant: 1 to 48 lower-case letters, digits, `-` and `_`, of which the first is a letter or a digit.
///
/// ```
/// # use bunbase::tenant::TenantId;
/// assert_eq!("acme-7".parse::<TenantId>().unwrap().as_str(), "acme-7");
/// assert!("Acme".parse::<TenantId>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// A text that is no id of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id of a tenant: write 1 to 48 lower-case letters, digits, `-` and `_`, a letter or a digit first")]
pub struct NoTenantId(String);

impl TenantId {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the tenant's schema, where it has one.
    pub fn schema(&self) -> String {
        format!("tenant_{}", self.0)
    }
}

impl FromStr for TenantId {
    type Err = NoTenantId;

    fn from_str(text: &str) -> Result<Self, NoTenantId> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_id = text.len() <= LONGEST
            && text.starts_with(is_word)
            && text.chars().all(|c| is_word(c) || matches!(c, '-' | '_'));
        if is_id { Ok(Self(text.into())) } else { Err(NoTenantId(text.chars().take(100).collect())) }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl Serialize for TenantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_an_id_needs_no_escaping(text in "\\PC{0,60}|[a-z0-9_-]{0,60}") {
            if let Ok(id) = text.parse::<TenantId>() {
                prop_assert_eq!(id.to_string(), text.clone());
                prop_assert!(!id.schema().contains(['"', '\'', ' ', ',']) && id.schema().len() < 64);
            }
        }
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for good in ["a", "7", "acme", "acme-7_x", &"a".repeat(48)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "a.b", "ä", &"a".repeat(49)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }
}
