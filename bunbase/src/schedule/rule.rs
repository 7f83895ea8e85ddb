//! When something recurs.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, TimeDelta, Utc};

use super::{cron::Cron, zone::Zone};

/// The shortest interval: a tick is a row, a job and a transaction.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest interval: a thousand years of days.
const LONGEST: Duration = Duration::from_hours(24 * 365_250);

/// Units with their length in seconds, longest first; all but the week are printed.
const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// A rule of recurrence.
///
/// | Text | Meaning |
/// |---|---|
/// | `0 2 * * *` | Five fields of cron (minute, hour, day, month, weekday), by the clocks of a zone. |
/// | `30 0 2 * * *` | Six: the second first. |
/// | `every 30s` | Whole seconds (`s`), minutes (`m`), hours, days or weeks, counted from 1970, so that all instances agree on the ticks. |
/// | `once 2026-01-01T02:00:00Z` | One time. |
///
/// A local time that does not exist, because clocks are set forward, runs once, at the next moment; one that exists twice runs
/// once, the first time. A rule with `*` for the hour goes on as time does: it skips what does not exist, and runs in both of two
/// hours.
///
/// ```
/// # use bunbase::schedule::{Rule, Zone};
/// let rule: Rule = "30 2 * * *".parse()?;
/// let berlin: Zone = "Europe/Berlin".parse()?;
/// let next = rule.next_after("2026-03-28T12:00:00Z".parse().unwrap(), berlin).unwrap();
/// assert_eq!(next.to_rfc3339(), "2026-03-29T01:00:00+00:00"); // 03:00 there: 02:30 was left out
/// # Ok::<_, bunbase::schedule::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Cron(Box<Cron>),
    /// So many seconds.
    Every(u64),
    Once(DateTime<Utc>),
}

/// A text that is no rule, or no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

impl RuleError {
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }
}

impl Rule {
    /// Reads five or six fields of cron.
    ///
    /// # Errors
    /// When it is malformed, or names a day that never comes.
    pub fn cron(text: &str) -> Result<Self, RuleError> {
        Cron::parse(text).map(|cron| Self(Kind::Cron(Box::new(cron))))
    }

    /// An interval.
    ///
    /// # Errors
    /// When it is not whole seconds, shorter than one, or longer than a thousand years.
    pub fn every(interval: Duration) -> Result<Self, RuleError> {
        if interval.subsec_nanos() == 0 && (SHORTEST..=LONGEST).contains(&interval) {
            return Ok(Self(Kind::Every(interval.as_secs())));
        }
        Err(RuleError::new(format!("an interval of {interval:?} is not whole seconds between 1 s and 1000 years")))
    }

    /// One time, cut to microseconds.
    ///
    /// # Errors
    /// When it is not in the years 1970 to 9999.
    pub fn once(at: DateTime<Utc>) -> Result<Self, RuleError> {
        if (1970..=9999).contains(&at.year()) {
            return Ok(Self(Kind::Once(at.trunc_subsecs(6))));
        }
        Err(RuleError::new(format!("{at} is not in the years 1970 to 9999")))
    }

    /// Returns whether it comes once and then never again.
    pub const fn is_once(&self) -> bool {
        matches!(self.0, Kind::Once(_))
    }

    /// Returns the first tick after `after`; `None` when there is none any more. Only cron asks the zone.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Cron(cron) => cron.next_after(after, zone),
            Kind::Every(seconds) => {
                let seconds = i64::try_from(*seconds).ok()?;
                let next = after.timestamp().div_euclid(seconds).checked_add(1)?.checked_mul(seconds)?;
                DateTime::from_timestamp(next, 0)
            }
            Kind::Once(at) => Some(*at).filter(|at| *at > after),
        }
    }

    /// Returns the ticks after `after` and until `until`, oldest first, as they are asked for.
    pub fn ticks_between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        zone: Zone,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let next = move |after| self.next_after(after, zone).filter(|at| *at <= until);
        std::iter::successors(next(after), move |at| next(*at))
    }

    /// Returns the last tick after `after` and until `until`, in steps that do not grow with how many there are.
    pub fn last_between(&self, after: DateTime<Utc>, until: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        let next = |after| self.next_after(after, zone).filter(|at| *at <= until);
        let mut last = next(after)?;
        // There is a tick behind the one and none behind the other: halve.
        let (mut some, mut none) = (after, until);
        while none - some > TimeDelta::seconds(1) {
            let middle = some + (none - some) / 2;
            match next(middle) {
                Some(later) => (some, last) = (middle, later),
                None => none = middle,
            }
        }
        Some(last)
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        match text.split_once(|sign: char| sign.is_ascii_whitespace()) {
            Some(("every", interval)) => Self::every(interval_of(interval.trim())?),
            Some(("once", at)) => {
                let at = DateTime::parse_from_rfc3339(at.trim()).map_err(|source| {
                    RuleError::new(format!("`{at}` is no time ({source}); write `once 2026-01-01T02:00:00Z`"))
                })?;
                Self::once(at.to_utc())
            }
            _ => Self::cron(text),
        }
    }
}

fn interval_of(text: &str) -> Result<Duration, RuleError> {
    let malformed =
        || RuleError::new(format!("`{text}` is no interval; write a whole number and s, m, h, d or w: `every 30s`"));
    let digits = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
    let number: u64 = number.parse().map_err(|_| malformed())?;
    number.checked_mul(*seconds).map(Duration::from_secs).ok_or_else(malformed)
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cron(cron) => f.write_str(cron.as_str()),
            Kind::Every(seconds) => {
                let (unit, length) =
                    UNITS[1..].iter().find(|(_, length)| seconds.is_multiple_of(*length)).unwrap_or(&("s", 1));
                write!(f, "every {}{unit}", seconds / length)
            }
            Kind::Once(at) => write!(f, "once {}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn field(max: u8, min: u8) -> impl Strategy<Value = String> {
        let number = move || min..=max;
        prop_oneof![
            Just("*".to_owned()),
            number().prop_map(|n| n.to_string()),
            (1..=max).prop_map(|step| format!("*/{step}")),
            (number(), number()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            (number(), number()).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    }

    fn cron() -> impl Strategy<Value = Rule> {
        let second = prop_oneof![Just(String::new()), field(59, 0)];
        let fields = (second, field(59, 0), field(23, 0), field(28, 1), field(12, 1), field(7, 0));
        fields.prop_map(|(second, minute, hour, day, month, weekday)| {
            Rule::cron(&format!("{second} {minute} {hour} {day} {month} {weekday}")).unwrap()
        })
    }

    fn rules() -> impl Strategy<Value = Rule> {
        let at = (0..253_402_300_799_i64, 0..1_000_000_000_u32);
        prop_oneof![
            cron(),
            (1..=LONGEST.as_secs()).prop_map(|seconds| Rule::every(Duration::from_secs(seconds)).unwrap()),
            at.prop_map(|(seconds, nanos)| Rule::once(DateTime::from_timestamp(seconds, nanos).unwrap()).unwrap()),
        ]
    }

    fn zones() -> impl Strategy<Value = Zone> {
        prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"])
            .prop_map(|name| name.parse().unwrap())
    }

    #[test]
    fn intervals_are_counted_from_1970() {
        let rule: Rule = "every 90s".parse().unwrap();
        let from = utc("2026-01-01T00:00:00Z");
        let next = rule.next_after(from, Zone::UTC).unwrap();
        assert_eq!(next.timestamp() % 90, 0);
        assert!(next > from && next - from <= TimeDelta::seconds(90));
        assert_eq!(rule.next_after(next, Zone::UTC), Some(next + TimeDelta::seconds(90)));
        let just_before = next - TimeDelta::microseconds(1);
        assert_eq!(rule.next_after(just_before, Zone::UTC), Some(next));
        assert_eq!(rule.next_after(utc("1969-12-31T23:59:59Z"), Zone::UTC), Some(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn one_time_comes_once() {
        let rule = Rule::once(utc("2026-01-01T02:00:00.1234567Z")).unwrap();
        assert_eq!(rule.to_string(), "once 2026-01-01T02:00:00.123456Z");
        let at = rule.next_after(utc("2025-01-01T00:00:00Z"), Zone::UTC).unwrap();
        assert_eq!(rule.next_after(at, Zone::UTC), None);
        assert!(rule.is_once());
    }

    #[test]
    fn texts_have_one_form() {
        for (text, printed) in [
            ("  0  2 * * mon-fri ", "0 2 * * MON-FRI"),
            ("every 120s", "every 2m"),
            ("every  2w", "every 14d"),
            ("every 90m", "every 90m"),
            ("once 2026-01-01T03:00:00+01:00", "once 2026-01-01T02:00:00Z"),
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_what_to_write() {
        for (text, part) in [
            ("every 30", "every 30s"),
            ("every 0s", "1 s"),
            ("every 500ms", "s, m, h"),
            ("every 99999999999999999999s", "every 30s"),
            ("every 999999999w", "1000 years"),
            ("once tomorrow", "once 2026-01-01"),
            ("daily", "0 2 * * *"),
            ("0 0 30 2 *", "never comes"),
        ] {
            let message = text.parse::<Rule>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn the_last_tick_of_years_is_found_without_counting_them() {
        let (from, to) = (utc("1996-01-01T00:00:00Z"), utc("2026-01-01T00:00:00.5Z"));
        for (rule, last) in [
            ("* * * * * *", "2026-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z"),
            ("* * 2 * * *", "2025-12-31T02:59:59Z"),
            ("every 11m", "2025-12-31T23:54:00Z"),
        ] {
            let rule: Rule = rule.parse().unwrap();
            assert_eq!(rule.last_between(from, to, Zone::UTC), Some(utc(last)), "{rule}");
        }
        let never = Rule::once(from).unwrap();
        assert_eq!(never.last_between(from, to, Zone::UTC), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(rule in rules()) {
            prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = text.parse::<Rule>();
        }

        #[test]
        fn no_text_like_a_rule_makes_it_panic(
            text in "(every|once)? ?([-0-9a-zA-Z*/,#LW?+:.TZ]{1,8} ){4,6}[-0-9*/,#L?]{1,4}",
        ) {
            if let Ok(rule) = text.parse::<Rule>() {
                prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
            }
        }

        #[test]
        fn ticks_only_grow_and_none_is_left_out(rule in cron(), zone in zones(), from in 0..4_000_000_000_i64) {
            let from = DateTime::from_timestamp(from, 0).unwrap();
            let ticks: Vec<_> = rule.ticks_between(from, from + TimeDelta::days(3), zone).take(200).collect();
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
            if let [first, second, ..] = ticks[..] {
                let between = first + (second - first) / 2;
                prop_assert_eq!(rule.next_after(between, zone), Some(second));
            }
            if let Some(last) = ticks.last() {
                prop_assert_eq!(rule.last_between(from, *last, zone), Some(*last));
            }
        }
    }
}
