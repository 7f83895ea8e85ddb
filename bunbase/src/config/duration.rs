//! Durations as people write them: `"200ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"`.
//!
//! Also a serde adapter, for the fields of an application's own settings:
//!
//! ```
//! # use bunbase::config;
//! #[derive(serde::Deserialize)]
//! struct Reminders {
//!     #[serde(with = "config::duration")]
//!     every: std::time::Duration,
//! }
//! ```

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

use super::UnitError;

/// Units with their length in nanoseconds, longest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Reads a whole number and a unit: `ns`, `us`, `ms`, `s`, `m` (minutes), `h` or `d`. `"0"` needs no unit.
///
/// # Errors
/// When the number is missing, is not whole or is too large, or the unit is missing or unknown. The message says what to
/// write instead.
///
/// ```
/// # use {bunbase::config::duration, std::time::Duration};
/// assert_eq!(duration::parse("5m"), Ok(Duration::from_secs(300)));
/// assert!(duration::parse("30").unwrap_err().to_string().contains("30s"));
/// ```
pub fn parse(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with(['.', ',']) {
        return Err(UnitError::new("must be a whole number and a unit, like \"30s\" or \"1500ms\""));
    }
    let too_long = || UnitError::new("is longer than can be counted");
    let number: u128 = number.parse().map_err(|_| too_long())?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return if number == 0 { Ok(Duration::ZERO) } else { Err(without_unit(number)) };
    }
    let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(UnitError::new("must end in one of the units ms, s, m (minutes), h or d, like \"30s\""));
    };
    let nanos = number.checked_mul(*length).ok_or_else(too_long)?;
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).map_err(|_| too_long())?;
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).map_err(|_| too_long())?;
    Ok(Duration::new(seconds, rest))
}

/// Prints a duration in the longest unit that divides it, so that [`parse`] reads back the same one.
///
/// ```
/// # use {bunbase::config::duration, std::time::Duration};
/// assert_eq!(duration::print(Duration::from_secs(90)), "90s");
/// ```
#[must_use]
pub fn print(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let (unit, length) = UNITS.iter().find(|(_, length)| nanos.is_multiple_of(*length)).unwrap_or(&("ns", 1));
    format!("{}{unit}", nanos / length)
}

/// The answer to a number that could mean anything.
pub(super) fn without_unit(number: impl std::fmt::Display) -> UnitError {
    UnitError::new(format!("needs a unit: write \"{number}s\" for seconds or \"{number}ms\" for milliseconds"))
}

/// Reads a duration from text, for `#[serde(with = "bunbase::config::duration")]`.
///
/// # Errors
/// Those of [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Writes a duration as text, for `#[serde(with = "bunbase::config::duration")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&print(*duration))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, expected) in [
            ("200ms", Duration::from_millis(200)),
            ("30s", Duration::from_secs(30)),
            (" 5 m ", Duration::from_mins(5)),
            ("1h", Duration::from_hours(1)),
            ("7d", Duration::from_hours(7 * 24)),
            ("0", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_answered_with_both_readings() {
        let message = parse("30000").unwrap_err().to_string();
        assert_eq!(message, "needs a unit: write \"30000s\" for seconds or \"30000ms\" for milliseconds");
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1 week",
            "30S",
            "340282366920938463463374607431768211456s",
            "99999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(seconds: u64, nanos in 0..1_000_000_000_u32) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse(&print(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn no_number_with_a_unit_makes_it_panic(text in "[0-9]{0,45} ?[a-z]{0,3}") {
            let _ = parse(&text);
        }
    }
}
