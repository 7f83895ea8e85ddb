//! A schedule: before it is stored, and as it is listed.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Missed, Overlap, Rule, Zone};
use crate::{Error, Result};

/// The longest name, in bytes.
const LONGEST_NAME: usize = 200;

/// A schedule to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSchedule {
    /// Its name, unique among those of the code and those made at run time; at most 200 bytes.
    pub name: String,
    /// The full name of the action.
    pub action: String,
    /// The action's input: one JSON object of all fields.
    pub input: String,
    /// When it comes.
    pub rule: Rule,
    /// The zone whose clocks a rule of cron means.
    pub zone: Zone,
    /// What happens to ticks that nobody took.
    pub missed: Missed,
    /// What happens when a tick comes while the run of an earlier one has not ended.
    pub overlap: Overlap,
    /// Who its runs are caused by, as JSON.
    pub identity: String,
}

impl NewSchedule {
    /// A schedule with no input, in UTC. Missed ticks are skipped, but for a rule that comes once: that one runs late.
    pub fn new(name: impl Into<String>, action: impl Into<String>, rule: Rule) -> Self {
        Self {
            name: name.into(),
            action: action.into(),
            input: "{}".to_owned(),
            missed: if rule.is_once() { Missed::Once } else { Missed::Skip },
            rule,
            zone: Zone::UTC,
            overlap: Overlap::Skip,
            identity: r#"{"kind":"system"}"#.to_owned(),
        }
    }

    /// Returns all that makes it what it is, as one text: two versions of the code are told apart by it.
    pub(super) fn definition(&self) -> String {
        let Self { name: _, action, input, rule, zone, missed, overlap, identity } = self;
        let (missed, overlap) = (missed.as_str(), overlap.as_str());
        [&rule.to_string(), &zone.to_string(), action, missed, overlap, input, identity].join("\n")
    }

    /// # Errors
    /// 422 `schedule_name` when its name is empty, too long, or has a NUL, which Postgres cannot store.
    pub(super) fn check(&self) -> Result<()> {
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || self.name.contains('\0') {
            let text = "the name of a schedule is 1 to 200 bytes of text without a NUL";
            return Err(Error::new(422, "schedule_name", text));
        }
        Ok(())
    }
}

/// A schedule as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether the code declares it; otherwise it was made at run time.
    pub is_declared: bool,
    /// The full name of the action.
    pub action: String,
    /// The action's input, as JSON.
    pub input: String,
    /// The rule's text; a newer version of the application may have written a kind that this one does not know.
    pub rule: String,
    /// The zone, by its IANA name.
    pub zone: String,
    /// What happens to ticks that nobody took.
    pub missed: Missed,
    /// What happens when a tick comes while the run of an earlier one has not ended.
    pub overlap: Overlap,
    /// Who its runs are caused by, as JSON.
    pub identity: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Its next tick. Those of a paused one are left out.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The last tick that was taken.
    pub last_tick_at: Option<DateTime<Utc>>,
    /// The last job that was made of a tick.
    pub last_job_id: Option<Uuid>,
    /// Why no job could be made of the next tick; it is tried again.
    pub error: Option<String>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Entry {
    /// Returns its next ticks, at most so many; none when it is paused.
    pub fn upcoming(&self, count: usize) -> Vec<DateTime<Utc>> {
        let first = self.next_run_at.filter(|_| !self.paused);
        let rule = self.rule.parse::<Rule>().ok().zip(self.zone.parse::<Zone>().ok());
        let next = |at: &DateTime<Utc>| rule.as_ref().and_then(|(rule, zone)| rule.next_after(*at, *zone));
        std::iter::successors(first, next).take(count).collect()
    }
}

/// The columns of a [`Row`].
macro_rules! columns {
    () => {
        "name, source, action, input, rule, zone, missed, overlap, identity, paused, next_run_at, last_tick_at, last_job_id, \
         failures, error, declared_at, replaced, created_at, updated_at"
    };
}
pub(super) use columns;

/// A row of the table.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) action: String,
    pub(super) input: String,
    pub(super) rule: String,
    pub(super) zone: String,
    pub(super) missed: String,
    pub(super) overlap: String,
    pub(super) identity: String,
    pub(super) paused: bool,
    pub(super) next_run_at: Option<DateTime<Utc>>,
    pub(super) last_tick_at: Option<DateTime<Utc>>,
    pub(super) last_job_id: Option<Uuid>,
    pub(super) failures: i32,
    pub(super) error: Option<String>,
    pub(super) declared_at: Option<DateTime<Utc>>,
    pub(super) replaced: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl Row {
    pub(super) const CODE: &'static str = "code";
    pub(super) const RUNTIME: &'static str = "runtime";

    pub(super) fn is_declared(&self) -> bool {
        self.source == Self::CODE
    }

    /// Returns its definition, as [`NewSchedule::definition`] writes it.
    pub(super) fn definition(&self) -> String {
        let Self { action, input, rule, zone, missed, overlap, identity, .. } = self;
        [rule, zone, action, missed, overlap, input, identity].map(String::as_str).join("\n")
    }

    /// Reads the rule and the zone.
    ///
    /// # Errors
    /// 500 `schedule_rule` when this version of the code does not know them.
    pub(super) fn rule(&self) -> Result<(Rule, Zone)> {
        let unknown = |source| {
            Error::new(500, "schedule_rule", format!("the rule of the schedule `{}` cannot be read", self.name))
                .caused_by(source)
        };
        Ok((self.rule.parse().map_err(unknown)?, self.zone.parse().map_err(unknown)?))
    }

    pub(super) fn missed(&self) -> Missed {
        Missed::of(&self.missed)
    }

    pub(super) fn overlap(&self) -> Overlap {
        Overlap::of(&self.overlap)
    }
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            is_declared: row.is_declared(),
            missed: row.missed(),
            overlap: row.overlap(),
            name: row.name,
            action: row.action,
            input: row.input,
            rule: row.rule,
            zone: row.zone,
            identity: row.identity,
            paused: row.paused,
            next_run_at: row.next_run_at,
            last_tick_at: row.last_tick_at,
            last_job_id: row.last_job_id,
            error: row.error,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_name_is_part_of_the_definition() {
        let one = NewSchedule::new("a", "mail.send", "every 1h".parse().unwrap());
        let others = [
            NewSchedule { action: "mail.sent".into(), ..one.clone() },
            NewSchedule { input: "[]".into(), ..one.clone() },
            NewSchedule { rule: "every 2h".parse().unwrap(), ..one.clone() },
            NewSchedule { zone: "Europe/Berlin".parse().unwrap(), ..one.clone() },
            NewSchedule { missed: Missed::All, ..one.clone() },
            NewSchedule { overlap: Overlap::Allow, ..one.clone() },
            NewSchedule { identity: "{}".into(), ..one.clone() },
        ];
        for other in others {
            assert_ne!(other.definition(), one.definition());
        }
        assert_eq!(NewSchedule { name: "b".into(), ..one.clone() }.definition(), one.definition());
    }

    #[test]
    fn a_name_has_a_length_that_every_database_takes() {
        let named = |name: &str| NewSchedule::new(name, "a", "every 1h".parse().unwrap()).check();
        assert!(named("reports/daily of Ann").is_ok() && named(&"x".repeat(200)).is_ok());
        for name in ["", "a\0", &"x".repeat(201)] {
            assert_eq!(named(name).unwrap_err().code(), "schedule_name");
        }
    }
}
