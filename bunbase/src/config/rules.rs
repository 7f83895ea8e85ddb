//! Rules between keys, and the values that keys take from each other.

use super::{Config, Problem, Source, table::KEYS};

impl Config {
    /// Gives every key that is not set, and is like another, the other's value.
    pub(super) fn inherit(&mut self) {
        for key in KEYS.iter().filter(|key| key.like.is_some()) {
            if !self.sources.contains_key(key.name) {
                (key.inherit)(self);
            }
        }
    }
}

/// Adds what contradicts itself. A key that already has a problem is left alone: its value is not what the user wrote.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let keys = |problem: &Problem| [Some(problem.key.clone()), problem.suggestion.clone()];
    let wrong: Vec<String> = problems.iter().flat_map(keys).flatten().collect();
    let source = |key: &str| -> Option<Source> { config.sources.get(key).cloned() };
    let mut rule = |broken: bool, key: &str, other: &str, message: String| {
        if broken && !wrong.iter().any(|name| name == key || name == other) {
            // The rule concerns both; whichever was set is what the user can change.
            problems.push(Problem::new(key, source(key).or_else(|| source(other)), message));
        }
    };
    let (least, most) = (config.database.min_connections, config.database.max_connections);
    rule(
        least > most,
        "database.min_connections",
        "database.max_connections",
        format!("is {least}, more than `database.max_connections`, which is {most}"),
    );
    rule(
        config.cors.credentials && config.cors.origins.iter().any(|origin| origin == "*"),
        "cors.credentials",
        "cors.origins",
        "cannot be true while `cors.origins` has `*`: any page could act as your user; list the origins".to_owned(),
    );
    rule(
        config.docs.enabled && !config.openapi.enabled,
        "docs.enabled",
        "openapi.enabled",
        "cannot be true while `openapi.enabled` is false: the page shows the document".to_owned(),
    );
    rule(
        config.docs.enabled && config.openapi.path == config.docs.path,
        "docs.path",
        "openapi.path",
        format!("is {}, as is `openapi.path`; one of them needs another path", config.docs.path),
    );
}
