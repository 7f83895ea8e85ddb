//! `cron = "0 2 * * *"` and `every = "30s"`, alone or with what follows in a list.

use std::time::Duration;

use proc_macro2::Ident;
use syn::{Expr, ExprLit, Lit, LitStr, ext::IdentExt};

use super::cron;
use crate::{
    entries::{self, Entry, Value},
    errors::Errors,
    schema::values,
};

/// The longest interval: a thousand years of days.
const LONGEST: Duration = Duration::from_hours(24 * 365_250);

/// Units with their length in seconds, longest first.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// A rule of recurrence, and what happens around it.
pub(crate) struct Schedule {
    pub(crate) key: Ident,
    /// As `bunbase::schedule` reads it.
    pub(crate) rule: String,
    /// The IANA name of a zone; empty for the configured one.
    pub(crate) zone: String,
    /// The variant of `Missed`.
    pub(crate) missed: &'static str,
    /// The variant of `Overlap`.
    pub(crate) overlap: &'static str,
}

/// The words of `missed`, and their variants.
const MISSED: [(&str, &str); 3] = [("skip", "Skip"), ("once", "Once"), ("all", "All")];
/// The words of `overlap`, and their variants.
const OVERLAP: [(&str, &str); 3] = [("skip", "Skip"), ("queue", "Queue"), ("allow", "Allow")];

/// Reads `cron = "…"` and `cron("…", …)`.
pub(super) fn cron(entry: &Entry, errors: &mut Errors) -> Option<Schedule> {
    let (text, mut schedule) = read(entry, "0 2 * * *", &["zone", "missed", "overlap"], errors)?;
    match cron::check(&text.value()) {
        Ok(rule) => schedule.rule = rule,
        Err(mistakes) => {
            for mistake in mistakes {
                errors.at(&text, mistake);
            }
            return None;
        }
    }
    Some(schedule)
}

/// Reads `every = "…"` and `every("…", …)`.
pub(super) fn every(entry: &Entry, errors: &mut Errors) -> Option<Schedule> {
    let (text, mut schedule) = read(entry, "30s", &["missed", "overlap"], errors)?;
    schedule.rule = errors.keep(interval(&text.value()).map_err(|message| syn::Error::new_spanned(&text, message)))?;
    Some(schedule)
}

/// Reads the rule's text and what follows it.
fn read(entry: &Entry, example: &str, keys: &[&str], errors: &mut Errors) -> Option<(LitStr, Schedule)> {
    let (text, rest) = match &entry.value {
        Value::List(tokens) => {
            let (first, rest) = entries::parse_led(tokens.clone(), errors);
            if let Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) = first {
                (Some(text), rest)
            } else {
                let message = format!("`{0}` begins with its rule: `{0}({example:?}, missed = once)`", entry.key);
                errors.at(&entry.key, message);
                (None, rest)
            }
        }
        _ => (errors.keep(entry.text(&format!("{example:?}"))), Vec::new()),
    };
    let mut schedule = Schedule {
        key: entry.key.clone(),
        rule: String::new(),
        zone: String::new(),
        missed: MISSED[0].1,
        overlap: OVERLAP[0].1,
    };
    let mut seen: Vec<String> = Vec::new();
    for entry in &rest {
        let key = entry.key.unraw().to_string();
        if seen.contains(&key) {
            errors.at(&entry.key, format!("`{key}` is here twice; keep one of them"));
            continue;
        }
        let taken = match key.as_str() {
            "zone" if keys.contains(&"zone") => {
                entry.text("\"Europe/Berlin\"").and_then(zone).map(|zone| schedule.zone = zone)
            }
            "zone" => Err(syn::Error::new_spanned(
                &entry.key,
                "an interval is as long in every zone: leave `zone` out, or write the rule as `cron(…)`",
            )),
            "missed" => entry.choice(&MISSED).map(|missed| schedule.missed = missed),
            "overlap" => entry.choice(&OVERLAP).map(|overlap| schedule.overlap = overlap),
            _ => Err(entries::unknown(&entry.key, keys)),
        };
        errors.keep(taken);
        seen.push(key);
    }
    Some((text?, schedule))
}

/// Checks how a zone is written; whether there is one of this name is found out at start-up.
fn zone(text: LitStr) -> syn::Result<String> {
    let name = text.value();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
    let is_word = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(plain);
    if name
        .split('/')
        .enumerate()
        .all(|(at, word)| if at == 0 { is_word(word) } else { !word.is_empty() && word.chars().all(plain) })
    {
        return Ok(name);
    }
    let message =
        format!("{name:?} is not the name of a time zone: write one of the IANA database, such as \"Europe/Berlin\"");
    Err(syn::Error::new_spanned(text, message))
}

/// Reads an interval of whole seconds and writes it as a rule.
fn interval(text: &str) -> Result<String, String> {
    let interval = values::duration(text)?;
    if interval.subsec_nanos() != 0 || interval.is_zero() {
        return Err(format!("`{text}` is no interval: a schedule counts whole seconds, at least \"1s\""));
    }
    if interval > LONGEST {
        return Err(format!("`{text}` is longer than a thousand years"));
    }
    let seconds = interval.as_secs();
    let (unit, length) = UNITS.into_iter().find(|(_, length)| seconds.is_multiple_of(*length)).unwrap_or(("s", 1));
    Ok(format!("every {}{unit}", seconds / length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_interval_is_written_in_its_largest_unit() {
        for (text, rule) in [
            ("30s", "every 30s"),
            ("90s", "every 90s"),
            ("120s", "every 2m"),
            ("2000ms", "every 2s"),
            ("1w", "every 7d"),
        ] {
            assert_eq!(interval(text).as_deref(), Ok(rule));
        }
        for wrong in ["0s", "500ms", "1500ms", "30", "", "60000w"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(seconds in 1..=LONGEST.as_secs()) {
            let rule = interval(&format!("{seconds}s")).unwrap();
            prop_assert_eq!(interval(rule.trim_start_matches("every ")), Ok(rule.clone()));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = interval(&text);
        }
    }

    #[test]
    fn a_zone_is_written_as_the_database_does() {
        let zone = |name| zone(LitStr::new(name, proc_macro2::Span::call_site()));
        for right in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3", "EST5EDT"] {
            assert!(zone(right).is_ok(), "{right}");
        }
        for wrong in ["", "+02:00", "Europe/", "/Berlin", "Europe Berlin", "Köln"] {
            assert!(zone(wrong).is_err(), "{wrong}");
        }
    }
}
