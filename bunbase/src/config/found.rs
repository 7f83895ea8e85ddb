//! One setting as it was found, before it is known to be right.

use super::{Source, Value, table::KEYS};

/// The section that is free for the application's own settings.
pub(super) const APPLICATION: &str = "application";

/// A value under a path, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) source: Source,
}

impl Found {
    /// A setting under a dotted name.
    pub(super) fn new(name: &str, value: Value, source: Source) -> Self {
        Self { path: name.split('.').map(str::to_owned).collect(), value, source }
    }
}

pub(super) fn is_key(name: &str) -> bool {
    KEYS.iter().any(|key| key.name == name)
}

pub(super) fn is_application(path: &[String]) -> bool {
    path.first().is_some_and(|section| section == APPLICATION)
}
