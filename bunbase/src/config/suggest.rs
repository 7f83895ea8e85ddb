//! What the user probably meant: the nearest key, or ours for the reference guide's.

use super::{
    Key, Source,
    table::{KEYS, SECTIONS},
    variables::variable_for,
};

/// Sections of the reference guide that have no counterpart yet: the nearest key would be a wrong hint.
const WITHOUT_COUNTERPART: [&str; 14] = [
    "auth",
    "events",
    "guards",
    "kv",
    "mailer",
    "mcp",
    "observability",
    "persistence",
    "queue",
    "realtime",
    "redis",
    "saas",
    "storage",
    "studio",
];

/// How alike two words must be to be taken for each other, from 0 to 1.
const LIKENESS: f64 = 0.6;

/// Returns the candidate that is most like the text, if any is like it at all.
pub(super) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(text, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Spelled so that `maxConnections`, `max_connections` and `MAX-CONNECTIONS` are the same.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '_' | '-' | '.')).flat_map(char::to_lowercase).collect()
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Returns the key that an unknown one was probably meant to be, and whether it is the guide's spelling.
pub(super) fn key_for(unknown: &str) -> Option<(&'static Key, bool)> {
    if let Some(key) = KEYS.iter().find(|key| key.guide.is_some_and(|(guide, _)| guide == unknown)) {
        return Some((key, true));
    }
    let wanted = plain(unknown);
    if let Some(key) = KEYS.iter().find(|key| plain(key.name) == wanted) {
        return Some((key, false));
    }
    if let Some(key) = KEYS.iter().find(|key| key.guide.is_some_and(|(guide, _)| plain(guide) == wanted)) {
        return Some((key, true));
    }
    let section = unknown.split('.').next().unwrap_or_default();
    let near_section = nearest(section, SECTIONS.iter().copied());
    if near_section != Some(section) && WITHOUT_COUNTERPART.contains(&section) {
        return None;
    }
    // `http.maxRequestBodySize`, `server.port`: the right word in a wrong place.
    let wanted = plain(last(unknown));
    let guide_word = |key: &&Key| key.guide.is_some_and(|(guide, _)| plain(last(guide)) == wanted);
    let own_word = |key: &&Key| plain(last(key.name)) == wanted;
    let in_section = |key: &&Key| near_section.is_some_and(|near| key.name.split('.').next() == Some(near));
    if let Some(key) = KEYS.iter().find(|key| in_section(key) && (own_word(key) || guide_word(key))) {
        return Some((key, false));
    }
    let mut elsewhere = KEYS.iter().filter(|key| own_word(key) || guide_word(key));
    if let (Some(key), None) = (elsewhere.next(), elsewhere.next()) {
        return Some((key, false));
    }
    let name = nearest(unknown, KEYS.iter().map(|key| key.name))?;
    KEYS.iter().find(|key| key.name == name).map(|key| (key, false))
}

/// Says that a key does not exist and what to write instead; returns the message and the suggested key.
pub(super) fn unknown(name: &str, source: &Source, number: Option<i128>) -> (String, Option<String>) {
    let section = name.split('.').next().unwrap_or_default();
    if let Some((key, of_guide)) = key_for(name) {
        let written = match source {
            Source::Variable(_) | Source::DotEnv(_) => variable_for(key.name),
            _ => key.name.to_owned(),
        };
        let value = number.and_then(|number| guide_value(key, number)).map(|value| format!(" = {value}"));
        let value = value.filter(|_| of_guide).unwrap_or_default();
        let message = if of_guide {
            format!("is the reference guide's spelling; write `{written}{value}`")
        } else {
            format!("is not a key; did you mean `{written}`?")
        };
        return (message, Some(key.name.to_owned()));
    }
    let message = if section == "environment" || name == "env" {
        "is not a key; set the variable BUNBASE_ENV instead".to_owned()
    } else if SECTIONS.contains(&section) {
        let keys: Vec<_> = KEYS.iter().filter_map(|key| key.name.strip_prefix(section)?.strip_prefix('.')).collect();
        let own = if section == "app" { "; settings of your own go into the section `application`" } else { "" };
        format!("is not a key; the section `{section}` has {}{own}", keys.join(", "))
    } else if WITHOUT_COUNTERPART.contains(&section) {
        format!("is not a key; this version has nothing to configure under `{section}`")
    } else {
        format!("is not a key; the sections are {}, and `application` for settings of your own", SECTIONS.join(", "))
    };
    (message, None)
}

/// Converts the guide's bare number, which has the unit of the guide's default, into our way of writing it.
fn guide_value(key: &Key, number: i128) -> Option<String> {
    let (_, default) = key.guide?;
    let number = u64::try_from(number).ok()?;
    let text = match default.rsplit_once(' ')?.1 {
        "ms" => super::duration::print(std::time::Duration::from_millis(number)),
        "s" => super::duration::print(std::time::Duration::from_secs(number)),
        "bytes" => super::ByteSize::from_bytes(number).to_string(),
        _ => return None,
    };
    Some(format!("{text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(unknown: &str) -> Option<&'static str> {
        key_for(unknown).map(|(key, _)| key.name)
    }

    #[test]
    fn a_typo_is_answered_with_the_nearest_key() {
        assert_eq!(suggested("http.prot"), Some("http.port"));
        assert_eq!(suggested("htpt.port"), Some("http.port"));
        assert_eq!(suggested("databse.url"), Some("database.url"));
    }

    #[test]
    fn the_guides_spelling_is_answered_with_ours() {
        for (guide, ours) in [
            ("database.maxConnections", "database.max_connections"),
            ("database.idleTimeout", "database.idle_timeout"),
            ("maxRequestBodySize", "http.max_body_size"),
            ("http.maxRequestBodySize", "http.max_body_size"),
            ("cors.origin", "cors.origins"),
            ("cors.maxAge", "cors.max_age"),
            ("hostname", "http.host"),
            ("port", "http.port"),
            ("observability.logging.level", "log.level"),
        ] {
            assert_eq!(suggested(guide), Some(ours), "{guide}");
        }
    }

    #[test]
    fn every_guide_key_is_answered_with_its_own() {
        for key in KEYS {
            let Some((guide, _)) = key.guide else {
                continue;
            };
            assert_eq!(suggested(guide), Some(key.name), "{guide}");
        }
    }

    #[test]
    fn camel_case_is_understood_in_every_section() {
        assert_eq!(suggested("log.Level"), Some("log.level"));
        assert_eq!(suggested("multipart.max-files"), Some("multipart.max_files"));
    }

    #[test]
    fn what_has_no_counterpart_is_not_answered_with_a_wrong_one() {
        assert_eq!(suggested("mailer.resendApiKey"), None);
        assert_eq!(suggested("zzz.qqq"), None);
    }

    #[test]
    fn the_guides_number_is_converted_by_the_guides_unit() {
        let source = Source::Code;
        let (message, _) = unknown("database.idleTimeout", &source, Some(30_000));
        assert!(message.ends_with("write `database.idle_timeout = \"30s\"`"), "{message}");
        let (message, _) = unknown("cors.maxAge", &source, Some(86_400));
        assert!(message.contains("`cors.max_age = \"1d\"`"), "{message}");
    }
}
