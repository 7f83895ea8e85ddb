//! Rules of cron: five or six fields, by the clocks of a zone.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use croner::parser::{CronParser, Seconds, Year};

use super::{
    RuleError,
    zone::{Moment, Zone},
};

/// A rule of cron. Two are equal when they are written alike.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    /// In capitals, with one space between the fields.
    text: String,
    parsed: croner::Cron,
    /// Whether the hour is `*`: such a rule counts the hours as they pass, not what clocks show.
    every_hour: bool,
}

impl Cron {
    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        let fields: Vec<_> = text.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
        if !matches!(fields.len(), 5 | 6) {
            let found = fields.len();
            return Err(RuleError::new(format!(
                "`{text}` has {found} fields; write five (minute hour day month weekday) or six, with the second first: \
                 `0 2 * * *`"
            )));
        }
        let text = fields.join(" ");
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let parsed =
            parser.parse(&text).map_err(|source| RuleError::new(format!("`{text}` is no cron rule: {source}")))?;
        let every_hour = fields[fields.len() - 4] == "*";
        let cron = Self { text, parsed, every_hour };
        if cron.after_local(DateTime::UNIX_EPOCH.naive_utc()).is_none() {
            return Err(RuleError::new(format!("`{}` never comes: no month has such a day", cron.text)));
        }
        Ok(cron)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first tick after `after`.
    ///
    /// Clocks that are set forward leave local times out, and those that are set back show some twice. A rule that names hours runs
    /// once for each local time that it names: at the first moment behind one that is left out (and once for all that fall
    /// together there), and at the first of two. A rule of every hour (`*`) goes on as time does: what is left out is left out, and
    /// the hour that comes twice has its ticks twice.
    pub(super) fn next_after(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        // Ticks are whole seconds, so the fraction decides nothing.
        let after = after.trunc_subsecs(0);
        if self.every_hour {
            // The library's own way with a rule that has `*` for the hour.
            let found = self.parsed.find_next_occurrence(&zone.of(after), false);
            return found.ok().map(|found| found.to_utc());
        }
        let mut local = zone.local(after);
        loop {
            local = self.after_local(local)?;
            // In order of their local times the moments only grow, so the first later one is the next.
            let (Moment::At(at) | Moment::Skipped(at)) = zone.moment(local)?;
            if at > after {
                return Some(at);
            }
        }
    }

    /// Returns the first local time after `local` that the rule names.
    fn after_local(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        // As if it were UTC, which has no gaps: what the zone does with it is decided here, not in the library.
        self.parsed.find_next_occurrence(&local.and_utc(), false).ok().map(|found| found.naive_utc())
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, NaiveTime, TimeDelta};

    use super::*;

    /// Returns the ticks from `from` until before `to`, both in UTC.
    fn ticks(rule: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        between(rule, zone.parse().unwrap(), from.parse().unwrap(), to.parse().unwrap())
    }

    fn between(rule: &str, zone: Zone, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<String> {
        let cron = Cron::parse(rule).unwrap();
        let first = cron.next_after(from - TimeDelta::seconds(1), zone);
        let ticks = std::iter::successors(first, |at| cron.next_after(*at, zone));
        ticks.take_while(|at| *at < to).map(|at| at.format("%d %H:%M").to_string()).collect()
    }

    /// Returns the ticks of a day there.
    fn in_berlin(rule: &str, day: &str) -> Vec<String> {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let midnight = |day: NaiveDate| match zone.moment(day.and_time(NaiveTime::MIN)).unwrap() {
            Moment::At(at) | Moment::Skipped(at) => at,
        };
        let day: NaiveDate = day.parse().unwrap();
        between(rule, zone, midnight(day), midnight(day.succ_opt().unwrap()))
    }

    #[test]
    fn a_time_that_clocks_leave_out_runs_once_at_the_next_moment() {
        for rule in ["30 2 * * *", "0 2 * * *", "0,15,30 2 * * *", "*/5 2 * * *", "0 30 2 * * *", "* * 2 29 3 *"] {
            assert_eq!(in_berlin(rule, "2026-03-29"), ["29 01:00"], "{rule}");
        }
        // Together with a time that exists, which is the same moment.
        assert_eq!(in_berlin("0 2,3 * * *", "2026-03-29"), ["29 01:00"]);
        assert_eq!(in_berlin("0 1-4 * * *", "2026-03-29"), ["29 00:00", "29 01:00", "29 02:00"]);
    }

    #[test]
    fn a_time_that_clocks_show_twice_runs_once() {
        assert_eq!(in_berlin("30 2 * * *", "2026-10-25"), ["25 00:30"]);
        assert_eq!(in_berlin("0 2,14 * * *", "2026-10-25"), ["25 00:00", "25 13:00"]);
        assert_eq!(in_berlin("0,30 2-3 * * *", "2026-10-25"), ["25 00:00", "25 00:30", "25 02:00", "25 02:30"]);
        assert_eq!(in_berlin("0 */2 25 * *", "2026-10-25")[..3], ["24 22:00", "25 00:00", "25 03:00"]);
    }

    #[test]
    fn a_rule_of_every_hour_goes_on_as_time_does() {
        assert_eq!(in_berlin("0 * * * *", "2026-03-29").len(), 23);
        assert_eq!(in_berlin("30 * * * *", "2026-10-25").len(), 25);
        assert_eq!(
            ticks("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T02:00:00Z"),
            ["25 00:30", "25 01:00", "25 01:30"]
        );
    }

    #[test]
    fn clocks_that_go_back_at_midnight_do_not_hide_the_second_hour() {
        // Cuba sets its clocks back from 01:00 to 00:00; Lord Howe Island by half an hour.
        let havana = ticks("30 * 1 11 *", "America/Havana", "2026-11-01T04:00:00Z", "2026-11-01T06:00:00Z");
        assert_eq!(havana, ["01 04:30", "01 05:30"]);
        let howe = ticks("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z");
        assert_eq!(howe, ["04 14:45"]);
    }

    #[test]
    fn weekdays_months_and_the_last_day_have_their_usual_spelling() {
        let next = |rule: &str| ticks(rule, "UTC", "2026-02-10T00:00:00Z", "2026-03-01T00:00:00Z");
        assert_eq!(next("0 9 * * mon-fri")[..3], ["10 09:00", "11 09:00", "12 09:00"]);
        assert_eq!(next("0 0 L feb *"), ["28 00:00"]);
        assert_eq!(next("0 0 13 * fri"), ["13 00:00", "20 00:00", "27 00:00"]);
        assert_eq!(next("15 0 0 20 2 *"), ["20 00:00"]);
    }

    #[test]
    fn a_leap_day_is_waited_for() {
        let cron = Cron::parse("0 0 29 2 *").unwrap();
        let next = cron.next_after("2096-03-01T00:00:00Z".parse().unwrap(), Zone::UTC);
        assert_eq!(next, Some("2104-02-29T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in
            ["", "* * * *", "* * * * * * *", "@daily", "61 * * * *", "* * * * MOO", "0 0 30 2 *", "0 0 31 4,6 *"]
        {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
