//! Time zones by their IANA names.

use std::{fmt, str::FromStr};

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::RuleError;

/// Further than any local time is from UTC, so that a search between the two ends finds every instant that shows a local time.
const FARTHEST: TimeDelta = TimeDelta::hours(48);

/// A time zone of the IANA database: `UTC`, `Europe/Berlin`.
///
/// ```
/// # use bunbase::schedule::Zone;
/// assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
/// assert!("Berlin".parse::<Zone>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// What a local time is in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It exists, or exists twice: the first time that clocks show it.
    At(DateTime<Utc>),
    /// Clocks leave it out: the first moment behind it.
    Skipped(DateTime<Utc>),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// Returns the same moment with the clocks of the zone.
    pub(super) fn of(self, at: DateTime<Utc>) -> DateTime<Tz> {
        at.with_timezone(&self.0)
    }

    /// Returns what the clocks of the zone show at `at`.
    pub(super) fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        self.of(at).naive_local()
    }

    /// Returns when the clocks of the zone show `local`; `None` at the ends of what can be counted.
    pub(super) fn moment(self, local: NaiveDateTime) -> Option<Moment> {
        match self.0.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(Moment::At(at.to_utc())),
            LocalResult::None => self.behind(local).map(Moment::Skipped),
        }
    }

    /// Returns the first whole second at which the clocks show `local` or a later time.
    fn behind(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let (mut early, mut late) =
            (local.and_utc().checked_sub_signed(FARTHEST)?, local.and_utc().checked_add_signed(FARTHEST)?);
        while late - early > TimeDelta::seconds(1) {
            let middle = early + TimeDelta::seconds((late - early).num_seconds() / 2);
            if self.local(middle) < local {
                early = middle;
            } else {
                late = middle;
            }
        }
        Some(late)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for Zone {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        text.parse().map(Self).map_err(|_| {
            RuleError::new(format!("`{text}` is not a time zone of the IANA database; write `UTC` or `Europe/Berlin`"))
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_local_time_that_is_left_out_is_the_moment_behind_it() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let behind = Some(Moment::Skipped(utc("2026-03-29T01:00:00Z")));
        for skipped in ["2026-03-29T02:00:00", "2026-03-29T02:30:00", "2026-03-29T02:59:59"] {
            assert_eq!(berlin.moment(local(skipped)), behind, "{skipped}");
        }
        assert_eq!(berlin.moment(local("2026-03-29T03:00:00")), Some(Moment::At(utc("2026-03-29T01:00:00Z"))));
    }

    #[test]
    fn a_local_time_that_comes_twice_is_the_first_of_them() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let first = Some(Moment::At(utc("2026-10-25T00:30:00Z")));
        assert_eq!(berlin.moment(local("2026-10-25T02:30:00")), first);
    }

    #[test]
    fn a_day_that_a_country_left_out_is_the_moment_behind_it() {
        // Samoa crossed the date line: there was no 30 December 2011.
        let apia: Zone = "Pacific/Apia".parse().unwrap();
        let behind = Some(Moment::Skipped(utc("2011-12-30T10:00:00Z")));
        assert_eq!(apia.moment(local("2011-12-30T12:00:00")), behind);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(at in 0..chrono_tz::TZ_VARIANTS.len()) {
            let zone = Zone(chrono_tz::TZ_VARIANTS[at]);
            prop_assert_eq!(zone.to_string().parse::<Zone>().unwrap(), zone);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = text.parse::<Zone>();
        }
    }
}
