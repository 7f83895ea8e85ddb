//! Which ticks of a schedule are to be taken now.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Missed, Rule, Zone};

/// The most ticks of one schedule that are taken at once, and the most missed ones that are caught up.
pub(super) const MOST: usize = 1000;

/// What is to be done with a schedule that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The ticks to take, oldest first.
    pub(super) ticks: Vec<DateTime<Utc>>,
    /// The tick after them; not later than now when there were more than [`MOST`].
    pub(super) next: Option<DateTime<Utc>>,
    /// The first tick that is left out for good, if one is.
    pub(super) left_out: Option<DateTime<Utc>>,
}

impl Due {
    /// Decides for a schedule whose next tick, `first`, is not later than `now`.
    ///
    /// A tick that is late by no more than `grace` is taken as if it were on time. One that is later was missed.
    pub(super) fn of(
        (rule, zone): (&Rule, Zone),
        missed: Missed,
        first: DateTime<Utc>,
        now: DateTime<Utc>,
        grace: Duration,
    ) -> Self {
        let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
        let in_time = now.checked_sub_signed(grace).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let just_before = |at: DateTime<Utc>| at - TimeDelta::microseconds(1);
        let mut due = Self { ticks: Vec::new(), next: Some(first), left_out: None };
        if first < in_time {
            match missed {
                Missed::Skip => due.left_out = Some(first),
                // The latest stands for all of them.
                Missed::Once => {
                    let last = rule.last_between(first, just_before(in_time), zone);
                    due.ticks.push(last.unwrap_or(first));
                }
                Missed::All => {
                    let later = rule.ticks_between(first, just_before(in_time), zone);
                    due.ticks.extend(std::iter::once(first).chain(later).take(MOST));
                    let last = due.ticks.last().copied().unwrap_or(first);
                    due.left_out = rule.next_after(last, zone).filter(|at| *at < in_time);
                }
            }
            due.next = rule.next_after(just_before(in_time), zone);
        }
        while let Some(at) = due.next.filter(|at| *at <= now) {
            if due.ticks.len() >= MOST {
                break;
            }
            due.ticks.push(at);
            due.next = rule.next_after(at, zone);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_mins(1);

    fn utc(text: &str) -> DateTime<Utc> {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    fn due(rule: &str, missed: Missed, first: &str, now: &str) -> (Vec<String>, String, Option<String>) {
        let rule: Rule = rule.parse().unwrap();
        let due = Due::of((&rule, Zone::UTC), missed, utc(first), utc(now), GRACE);
        let text = |at: DateTime<Utc>| at.format("%H:%M:%S").to_string();
        (due.ticks.into_iter().map(text).collect(), due.next.map(text).unwrap_or_default(), due.left_out.map(text))
    }

    #[test]
    fn a_tick_within_its_grace_is_taken_whatever_the_policy() {
        for missed in [Missed::Skip, Missed::Once, Missed::All] {
            for now in ["00:10:00", "00:10:31.5", "00:11:00"] {
                let expected = (vec!["00:10:00".to_owned()], "00:20:00".to_owned(), None);
                assert_eq!(due("every 10m", missed, "00:10:00", now), expected, "{missed:?} at {now}");
            }
        }
    }

    #[test]
    fn missed_ticks_are_skipped_run_once_or_all_run() {
        let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (ticks, next, left_out) = due("every 10m", Missed::Skip, "00:10:00", "00:45:00");
        assert_eq!((ticks, next, left_out), (vec![], "00:50:00".into(), Some("00:10:00".into())));
        let (ticks, next, left_out) = due("every 10m", Missed::Once, "00:10:00", "00:45:00");
        assert_eq!((ticks, next, left_out), (strings(&["00:40:00"]), "00:50:00".into(), None));
        let (ticks, next, left_out) = due("every 10m", Missed::All, "00:10:00", "00:45:00");
        assert_eq!(
            (ticks, next, left_out),
            (strings(&["00:10:00", "00:20:00", "00:30:00", "00:40:00"]), "00:50:00".into(), None)
        );
    }

    #[test]
    fn a_tick_in_time_comes_beside_the_one_for_those_missed() {
        let (ticks, next, _) = due("*/10 * * * *", Missed::Once, "00:10:00", "00:40:30");
        assert_eq!((ticks.join(" "), next.as_str()), ("00:30:00 00:40:00".to_owned(), "00:50:00"));
        let (ticks, ..) = due("*/10 * * * *", Missed::Skip, "00:10:00", "00:40:30");
        assert_eq!(ticks, ["00:40:00"]);
    }

    #[test]
    fn one_time_that_was_missed_runs_late_or_not_at_all() {
        let rule = "once 2026-01-01T00:10:00Z";
        assert_eq!(due(rule, Missed::Once, "00:10:00", "09:00:00").0, ["00:10:00"]);
        assert_eq!(due(rule, Missed::All, "00:10:00", "09:00:00").0, ["00:10:00"]);
        assert_eq!(due(rule, Missed::Skip, "00:10:00", "09:00:00"), (vec![], String::new(), Some("00:10:00".into())));
    }

    #[test]
    fn a_thousand_missed_ticks_are_caught_up_and_the_rest_is_left_out() {
        let (ticks, next, left_out) = due("every 1s", Missed::All, "00:00:00", "01:00:00");
        assert_eq!((ticks.len(), next.as_str(), left_out.as_deref()), (MOST, "00:59:00", Some("00:16:40")));
        assert_eq!(ticks.last().unwrap(), "00:16:39");
        // Those in time are the next take's.
        let (ticks, next, left_out) = due("every 1s", Missed::All, &next, "01:00:00");
        assert_eq!((ticks.len(), next.as_str(), left_out), (61, "01:00:01", None));
    }
}
